"""XMPP for Python, whole: a server, a client SDK and what goes between them.

The public names are imported when they are first used, so that `import chirrup` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chirrup.bot import Bot, Incoming, Plugin
    from chirrup.client.client import Client
    from chirrup.client.component import Component
    from chirrup.client.oneshot import send
    from chirrup.client.stanzas import IQ, Message, Presence
    from chirrup.client.states import ConnectionState
    from chirrup.core.errors import (
        AuthenticationError,
        ChirrupError,
        ConfigError,
        DeadlineError,
        NetworkError,
        StanzaError,
        StoreError,
        StreamError,
    )
    from chirrup.core.jid import JID
    from chirrup.core.xml import Element
    from chirrup.server.app import Server
    from chirrup.server.config import Config

__all__ = [
    "IQ",
    "JID",
    "AuthenticationError",
    "Bot",
    "ChirrupError",
    "Client",
    "Component",
    "Config",
    "ConfigError",
    "ConnectionState",
    "DeadlineError",
    "Element",
    "Incoming",
    "Message",
    "NetworkError",
    "Plugin",
    "Presence",
    "Server",
    "StanzaError",
    "StoreError",
    "StreamError",
    "__version__",
    "send",
]

__version__ = "0.1.0"

_HOMES: Final = {
    "AuthenticationError": "chirrup.core.errors",
    "Bot": "chirrup.bot",
    "ChirrupError": "chirrup.core.errors",
    "Client": "chirrup.client.client",
    "Component": "chirrup.client.component",
    "Config": "chirrup.server.config",
    "ConfigError": "chirrup.core.errors",
    "ConnectionState": "chirrup.client.states",
    "DeadlineError": "chirrup.core.errors",
    "Element": "chirrup.core.xml",
    "IQ": "chirrup.client.stanzas",
    "Incoming": "chirrup.bot",
    "JID": "chirrup.core.jid",
    "Message": "chirrup.client.stanzas",
    "NetworkError": "chirrup.core.errors",
    "Plugin": "chirrup.bot",
    "Presence": "chirrup.client.stanzas",
    "Server": "chirrup.server.app",
    "StanzaError": "chirrup.core.errors",
    "StoreError": "chirrup.core.errors",
    "StreamError": "chirrup.core.errors",
    "send": "chirrup.client.oneshot",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"chirrup has no {name!r}")
    return getattr(import_module(home), name)
