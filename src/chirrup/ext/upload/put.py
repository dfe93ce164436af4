"""An HTTP PUT of a file, in a thread."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import BinaryIO, Final
from urllib.parse import urlsplit

from chirrup.core.errors import NetworkError

_CHUNK: Final = 65_536


class Upload:
    """One PUT. `run` is called in a thread; `stop` from elsewhere breaks it off."""

    def __init__(self, url: str, headers: Iterable[tuple[str, str]], *, insecure: bool, seconds: float) -> None:
        """`insecure` allows HTTP without TLS. Raises NetworkError for an address that isn't one to put a file at."""
        parts = urlsplit(url)
        if parts.scheme not in (("https", "http") if insecure else ("https",)) or not parts.hostname:
            raise NetworkError(f"the upload service gives an address that isn't an https: one: {url[:200]}")
        if not url.isascii() or any(character <= " " for character in url):
            raise NetworkError(f"the upload service gives an address that is none: {url[:200]!r}")
        try:
            port = parts.port
        except ValueError as error:
            raise NetworkError(f"the upload service gives an address that is none: {error}") from None
        self._where = parts.netloc.rpartition("@")[2]
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = tuple(headers)
        self._seconds = seconds
        self._place = parts.hostname, port
        self._secure = parts.scheme == "https"
        self._connection: http.client.HTTPConnection | None = None
        self._stopped = False

    def run(self, file: BinaryIO, size: int, content_type: str, context: ssl.SSLContext | None) -> None:
        """Put `size` octets of a file. Raises NetworkError; what the server sends elsewhere isn't followed."""
        host, port = self._place
        connection: http.client.HTTPConnection
        if self._secure:
            tls = context or ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, port, timeout=self._seconds, context=tls)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self._seconds)
        self._connection = connection
        try:
            connection.putrequest("PUT", self._path)
            connection.putheader("Content-Length", str(size))
            connection.putheader("Content-Type", content_type)
            for name, value in self._headers:
                connection.putheader(name, value)
            connection.endheaders()
            left = size
            while left:
                if self._stopped:
                    raise NetworkError("it was broken off")
                chunk = file.read(min(left, _CHUNK))
                if not chunk:
                    raise NetworkError("the file has become shorter")
                connection.send(chunk)
                left -= len(chunk)
            answer = connection.getresponse()
            if answer.status not in (200, 201, 204):
                raise NetworkError(f"{self._where} doesn't take the file: {answer.status} {answer.reason}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NetworkError(f"uploading to {self._where}: {error or type(error).__name__}") from error
        finally:
            connection.close()

    def stop(self) -> None:
        self._stopped = True
        sock = self._connection.sock if self._connection is not None else None
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(2)
