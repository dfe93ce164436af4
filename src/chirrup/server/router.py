"""Where a stanza goes: a plain function from an address to the part of the server that serves it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol

from chirrup.core.errors import StanzaError, StoreError, StoreRefused
from chirrup.core.jid import JID
from chirrup.core.stanza import error_reply, may_bounce
from chirrup.core.xml import Element

if TYPE_CHECKING:
    from chirrup.server.logs import Logger
    from chirrup.server.session import Origin


class Destination(Protocol):
    """What serves a domain: a host of this server, or an external component."""

    def receive(self, stanza: Element, to: JID, sender: JID, origin: Origin) -> Awaitable[None] | None:
        """Take a stanza. What is returned is awaited before the sender's next stanza is processed."""


class Router:
    """Finds the destination of each stanza by its domain."""

    def __init__(self) -> None:
        self._domains: dict[str, Destination] = {}

    def add(self, domain: str, destination: Destination) -> None:
        if domain in self._domains:
            raise ValueError(f"{domain} is served already")
        self._domains[domain] = destination

    def remove(self, domain: str) -> None:
        self._domains.pop(domain, None)

    def find(self, domain: str) -> Destination | None:
        return self._domains.get(domain)

    def route(self, stanza: Element, to: JID, sender: JID, origin: Origin) -> Awaitable[None] | None:
        """Hand a stanza to whatever serves its domain. Its `from` and `to` are set already."""
        destination = self._domains.get(to.domain)
        if destination is None:
            unreachable(stanza, origin)
            return None
        return destination.receive(stanza, to, sender, origin)


def bounce(stanza: Element, origin: Origin, error: StanzaError) -> None:
    """Answer a stanza with an error, unless it is an error or a result itself (RFC 6120 §8.3.1)."""
    if may_bounce(stanza):
        origin.answer(error_reply(stanza, error))


def reason_of(error: Exception, log: Logger) -> StanzaError:
    """What the sender of a stanza is told of the exception that ended its processing. What isn't the sender's fault is
    logged."""
    match error:
        case StanzaError():
            return error
        case StoreRefused():
            return StanzaError("not-acceptable", "a name or address in it is too long to be stored")
        case StoreError():
            log.info("storage failed", reason=str(error))  # the store has told once
            return StanzaError("internal-server-error", "storage failed", type="wait")
        case _:
            log.error("a stanza could not be processed", exc_info=error)
            return StanzaError("internal-server-error")


def unreachable(stanza: Element, origin: Origin) -> None:
    """Nobody serves the domain (RFC 6120 §10.4.3)."""
    bounce(stanza, origin, StanzaError("remote-server-not-found"))
