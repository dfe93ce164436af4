"""Writing accounts as a document of XEP-0227, one after the other and each bit by bit, so that their size doesn't
matter. A server may run meanwhile; an account that it changes is written in part as it was, in part as it is."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Final

from chirrup.core.jid import JID
from chirrup.core.sasl import ScramKeys
from chirrup.core.values import format_datetime
from chirrup.core.xml import Element, escape_attribute
from chirrup.server.transfer import ACCOUNT, ARCHIVE, NS, SCRAM, Part

if TYPE_CHECKING:
    from chirrup.store import Store

_PAGE: Final = 500


class Export:
    """Writes hosts and their accounts."""

    def __init__(
        self,
        store: Store,
        parts: dict[str, Collection[type[Part]]],
        out: IO[str],
        *,
        archive: bool = True,
        tell: Callable[[int], None],
    ) -> None:
        """`parts` are those of each host's modules, the archive's left out without `archive`. `tell` is told how many
        accounts are written."""
        self._store = store
        self._parts = {
            host: [part for part in own if archive or ("archive", ARCHIVE) not in part.opens]
            for host, own in parts.items()
        }
        self._out = out
        self._tell = tell
        self.count = 0
        """Accounts written up to now."""

    async def run(self, hosts: Sequence[str], only: JID | None = None) -> None:
        """Write the accounts of these hosts, or only that one. Raises OSError."""
        self._out.write(f"<?xml version='1.0' encoding='UTF-8'?>\n<server-data xmlns='{NS}'>\n")
        for host in hosts:
            self._out.write(f"<host jid='{escape_attribute(host)}'>\n")
            async for local in self._names(host, only):
                await self._user(JID.of(local, host))
            self._out.write("</host>\n")
        self._out.write("</server-data>\n")

    async def _names(self, host: str, only: JID | None) -> AsyncIterator[str]:
        if only is not None:
            yield only.local
            return
        last = ""
        while page := await self._store.accounts.names(host, after=last, limit=_PAGE):
            for local in page:
                yield local
            last = page[-1]

    async def _user(self, jid: JID) -> None:
        info = await self._store.accounts.info(jid.domain, jid.local)
        keys = await self._store.accounts.keys(jid.domain, jid.local)
        if info is None or keys is None:
            return  # removed just now
        self._out.write(f"<user name='{escape_attribute(jid.local)}'>\n")
        for key in keys.values():
            self._out.write(f"{_credentials(key)}\n")
        times = {
            name: format_datetime(datetime.fromtimestamp(seconds, UTC))
            for name in ("created", "last_login", "last_logout")
            if (seconds := getattr(info, name)) is not None
        }
        self._out.write(f"{Element('account', ACCOUNT, disabled=info.disabled or None, **times)}\n")
        for part in self._parts[jid.domain]:
            async for written in part(self._store, jid).export():
                self._out.write(f"{written}\n")
        self._out.write("</user>\n")
        self.count += 1
        self._tell(self.count)


def _credentials(key: ScramKeys) -> Element:
    element = Element("scram-credentials", SCRAM, mechanism=f"SCRAM-{key.algorithm}")
    element.c("iter-count", text=str(key.iterations))
    for name, octets in (("salt", key.salt), ("server-key", key.server_key), ("stored-key", key.stored_key)):
        element.c(name, text=b64encode(octets).decode())
    return element
