"""The server's own secret, from which it derives what it must be able to derive again and nobody else may."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from chirrup.core.errors import ConfigError

NAME: Final = "secret"
_OCTETS: Final = 32


def load_secret(folder: Path) -> bytes:
    """The secret in a data folder, made where there is none. ConfigError where the file can't be one, or
    can't be made."""
    path = folder / NAME
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        try:
            return _make(path)
        except OSError as error:
            raise ConfigError(f"can't be made: {error.strerror}", file=str(path)) from None
    except OSError as error:
        raise ConfigError(f"the secret can't be read: {error.strerror}", file=str(path)) from None
    if len(secret) != _OCTETS:
        raise ConfigError(
            f"should have {_OCTETS} bytes; take it away to have another made, and clients will ask for passwords again",
            file=str(path),
        )
    return secret


def _make(path: Path) -> bytes:
    """Whole and on the disk before anything is derived from it."""
    secret = secrets.token_bytes(_OCTETS)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return secret
