"""XMPP for Python, whole: a server, a client SDK and what goes between them.

The public names are imported when they are first used, so that `import chirrup` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chirrup.core.errors import ChirrupError, ConfigError, StanzaError, StoreError, StreamError
    from chirrup.core.jid import JID
    from chirrup.core.xml import Element
    from chirrup.server.app import Server
    from chirrup.server.config import Config

__all__ = [
    "JID",
    "ChirrupError",
    "Config",
    "ConfigError",
    "Element",
    "Server",
    "StanzaError",
    "StoreError",
    "StreamError",
    "__version__",
]

__version__ = "0.1.0"

_HOMES: Final = {
    "JID": "chirrup.core.jid",
    "ChirrupError": "chirrup.core.errors",
    "Config": "chirrup.server.config",
    "ConfigError": "chirrup.core.errors",
    "Element": "chirrup.core.xml",
    "Server": "chirrup.server.app",
    "StanzaError": "chirrup.core.errors",
    "StoreError": "chirrup.core.errors",
    "StreamError": "chirrup.core.errors",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"chirrup has no {name!r}")
    return getattr(import_module(home), name)
