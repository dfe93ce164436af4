"""`Component`: a program that serves a domain of its own, through a connection to a server (XEP-0114).

component = Component("echo.example.org", secret="…", name="Echo")

@component.on_message
async def echo(message: Message) -> None:
    await message.reply(message.body)

component.run()
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from chirrup.client import defaults, program
from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, Identity
from chirrup.client.life import TIMEOUT
from chirrup.client.link import Link
from chirrup.client.negotiation import Negotiated, open_link
from chirrup.client.session import KEEPALIVE, LIMITS
from chirrup.client.stanzas import Message
from chirrup.client.states import ConnectionState
from chirrup.core.component import ClientHandshake
from chirrup.core.errors import AuthenticationError, Disconnected, StreamError
from chirrup.core.jid import JID
from chirrup.core.parser import Limits
from chirrup.core.xml import STREAMS, Element
from chirrup.net.clock import Clock
from chirrup.net.dial import Dialer, Target, checked_port
from chirrup.net.dns import Resolver, SystemResolver
from chirrup.net.trust import Trust

PORT: Final = 5347
"""Where servers listen for components by custom."""
DEFAULT: Final = ("disco", "ping", "version", "time")
"""The features that components have without asking."""


class Component(Entity):
    """The program behind one domain. It answers for each address of it, and may send from each."""

    def __init__(
        self,
        domain: str,
        *,
        secret: str,
        host: str = "127.0.0.1",
        port: int = PORT,
        name: str = "",
        category: str = "component",
        type: str = "generic",  # noqa: A002 - as service discovery calls it
        features: Iterable[type[Feature]] = (),
        reconnect: bool = True,
        timeout: float = TIMEOUT,
        keepalive: float = KEEPALIVE,
        limits: Limits | None = None,
        clock: Clock | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        """`host` and `port` are the server's, which knows the domain and the same secret. There is no TLS in this
        protocol: connect over the loopback address, or a network that you trust.

        `name`, `category` and `type` are what service discovery tells (XEP-0030 §3.1). The rest is as for `Client`.
        Raises AddressError if the domain is none, ConfigError for a port that can't be one."""
        jid = JID(domain)
        super().__init__(jid, reconnect=reconnect, timeout=timeout, keepalive=keepalive, clock=clock)
        self._secret = secret
        self._target = Target(host, checked_port(port))
        self._limits = limits or LIMITS
        self._resolver = resolver
        self._early: list[Element] = []  # stanzas that came with the end of the handshake
        self.identity = Identity(category, type, name)
        for feature in (*defaults.load(DEFAULT), *features):
            self.need(feature)

    def __repr__(self) -> str:
        return f"<Component {self.jid} {self.state.value}>"

    def run(self) -> None:
        """Connect, and serve until Ctrl-C: for programs that do nothing else. Tries until the server is there; what is
        final, such as a wrong secret, ends the program with one line that says it, and exit status 1."""
        program.run(self._serve())

    async def _serve(self) -> None:
        await self.connect(retry=True)
        try:
            await self.wait_closed()
        finally:
            await self.close()

    def is_own(self, sender: JID | None) -> bool:
        """Nobody says anything on a component's behalf."""
        return False

    def final(self, reason: Exception) -> bool:
        """As for clients, and where the server doesn't know the domain."""
        unknown = isinstance(reason, StreamError) and reason.condition in ("host-unknown", "invalid-namespace")
        return unknown or super().final(reason)

    async def negotiate(self) -> Negotiated:
        dialer = Dialer([self._target], resolver=self._resolver or SystemResolver(), clock=self.clock)
        self._enter(ConnectionState.CONNECTING)
        sock, target = await dialer.connect()
        self._enter(ConnectionState.NEGOTIATING)
        link, _ = await open_link(
            sock, target, domain=self.jid.domain, trust=Trust(), clock=self.clock, seconds=self.timeout
        )
        try:
            return await self._shake_hands(link)
        except BaseException:
            link.abort()
            raise

    async def _shake_hands(self, link: Link) -> Negotiated:
        handshake = ClientHandshake(self.jid.domain, self._secret, limits=self._limits)
        try:
            async with self.deadline(f"waiting for {link.where} to take the component"):
                link.write(handshake.take())
                while not handshake.receive(await link.read()):
                    link.write(handshake.take())
        except StreamError as error:
            if error.condition == "not-authorized":
                text = f"the secret is wrong{f' ({error.text})' if error.text else ''}"
                raise AuthenticationError("not-authorized", text, account=self.jid.text) from None
            raise
        if handshake.parser.ended:
            raise Disconnected(f"{link.where} closed the stream")
        self._early = handshake.stanzas
        return Negotiated(link, handshake.parser, b"", self.jid, Element("features", STREAMS))

    async def _begin(self, negotiated: Negotiated) -> bool:
        resumed = await super()._begin(negotiated)
        early, self._early = self._early, []
        for stanza in early:
            self._receive(negotiated.link, stanza)
        return resumed

    def _write(self, link: Link, stanza: Element) -> None:
        stanza.attrs.setdefault("from", self.jid.text)  # a server takes nothing without (§3)
        super()._write(link, stanza)

    def reply_from(self, message: Message) -> str | None:
        """An answer comes from the address that was written to."""
        return message.element.attrs.get("to")
