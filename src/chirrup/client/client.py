"""`Client`: an account's session with its server.

async with Client("juliet@example.org", password="…") as client:
    await client.send(Message("romeo@example.net", "Good night!"))
    async for message in client.messages():
        await message.reply("Good night, " + message.sender.local)
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from chirrup.client import defaults
from chirrup.client.entity import Entity
from chirrup.client.feature import Feature
from chirrup.client.life import TIMEOUT
from chirrup.client.link import Link
from chirrup.client.management import Managed
from chirrup.client.negotiation import Negotiated, Negotiation, Redirected, make_nonce, open_link
from chirrup.client.session import KEEPALIVE, LIMITS
from chirrup.client.states import ConnectionState
from chirrup.core.errors import ConfigError, NetworkError, StreamError
from chirrup.core.features import Token, UserAgent, resume
from chirrup.core.features.sasl2 import TokenReceived
from chirrup.core.jid import JID
from chirrup.core.parser import Limits
from chirrup.core.stream import CLIENT_FEATURES, Authenticated, ClientPolicy, ClientStream, Credentials, Event
from chirrup.core.xml import Element
from chirrup.net import certificates
from chirrup.net.certificates import KeyPair, accounts
from chirrup.net.clock import Clock
from chirrup.net.deadline import Deadline
from chirrup.net.dial import CLIENTS, Dialer, Target, checked_port, find
from chirrup.net.dns import Resolver, SystemResolver, is_address
from chirrup.net.trust import Trust, fingerprint

DIRECT_TLS_PORT: Final = 5223
"""Where TLS comes first by custom, for who gives a host and no port."""


class Client(Entity):
    """A client of one account."""

    def __init__(
        self,
        jid: JID | str,
        password: str = "",
        *,
        host: str = "",
        port: int | None = None,
        direct_tls: bool = False,
        require_tls: bool = True,
        ca: Path | str | None = None,
        pin: str | Iterable[str] = (),
        verify: bool = True,
        channel_binding: bool = True,
        certificate: Path | str | None = None,
        key: Path | str | None = None,
        mechanisms: Sequence[str] | None = None,
        features: Iterable[type[Feature]] = (),
        default_features: bool = True,
        available: bool = True,
        lang: str = "en",
        reconnect: bool = True,
        timeout: float = TIMEOUT,
        keepalive: float = KEEPALIVE,
        limits: Limits | None = None,
        clock: Clock | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        """`jid` is bare, or full to ask for that resource; without a localpart, and without a password, the client is
        an anonymous guest.

        The server is found by DNS, unless `host` is given, with `port` and `direct_tls` (TLS from the first octet).
        It has to have a certificate for the JID's domain, signed by one of the system's authorities, or of those in
        the PEM file `ca`, or one of the certificates of which `pin` is the SHA-256 fingerprint. `verify=False` takes
        any certificate, and `require_tls=False` none at all (but then sends no password): for tests.

        `certificate` is a PEM file with a certificate of the client's own, to log in by instead of the password if the
        server asks for one; its private key is in the file `key`, or in the same.

        `channel_binding=False` does without binding the log-in to the TLS connection: for servers that offer that and
        can't do it with TLS 1.3. `mechanisms` are the only ones to log in by.

        `features` are switched on beside the default ones. `available` sends presence when the client is online.
        `reconnect` connects again when the connection is lost. `timeout` is the seconds that each wait may take;
        `keepalive` those of silence after which the server is pinged. `limits` are for what the server sends.

        Raises AddressError, ConfigError for options that can't be used, and ValueError for a fingerprint that is
        none."""
        address = JID.parse(jid) if isinstance(jid, str) else jid
        super().__init__(address, reconnect=reconnect, timeout=timeout, keepalive=keepalive, clock=clock)
        self.account = address.bare
        """The account's JID; of a guest the domain, until it is online."""
        self.available = available
        self._address = address
        if (port is not None or direct_tls) and not host:
            raise ConfigError(
                "goes with host, for where DNS doesn't tell", key="port" if port is not None else "direct_tls"
            )
        usual = DIRECT_TLS_PORT if direct_tls else CLIENTS.port
        self._target = Target(host, usual if port is None else checked_port(port), direct_tls)
        pins = [pin] if isinstance(pin, str) else pin
        own = KeyPair(Path(certificate), Path(key or certificate)) if certificate else None
        self._trust = Trust(
            Path(ca) if ca else None, tuple(fingerprint(one) for one in pins), verify, channel_binding, own=own
        )
        several = own is not None and len(accounts(certificates.read(own).der)) > 1
        credentials = Credentials(
            address.local,
            password,
            certificate=own is not None,
            authzid=address.bare.text if several else "",
            mechanisms=None if mechanisms is None else tuple(mechanisms),
            salted_passwords={},
        )
        self._policy = ClientPolicy(
            credentials,
            address.resource,
            tls_required=require_tls,
            user_agent=UserAgent(str(uuid.uuid4()), "Chirrup") if reconnect else None,
            want_token=reconnect,
            derive_keys=False,
        )
        self._managed = managed = Managed(self.clock, resume=reconnect)
        self._stream_features = resume.managed(CLIENT_FEATURES, managed.management)
        for name in ("r", "a", "enabled", "failed"):
            self.nonzas[name, resume.NS] = managed.handle
        self._lang = lang
        self._limits = limits or LIMITS
        self._resolver = resolver or _system_resolver()
        for feature in (*(defaults.load(defaults.DEFAULT) if default_features else ()), *features):
            self.need(feature)

    def __repr__(self) -> str:
        return f"<Client {self.jid} {self.state.value}>"

    @property
    def domain(self) -> str:
        """The domain of the account, which the server has to have a certificate for."""
        return self._address.domain

    def use_password(self, password: str) -> None:
        """Log in with this one from the next time on."""
        credentials = self._policy.credentials
        if credentials is not None:
            changed = replace(credentials, password=password, token=None, salted_passwords={})
            self._policy = replace(self._policy, credentials=changed, remembered=None)

    def answer(self, iq: Element) -> None:
        iq.attrs.pop("from", None)  # the own address, which the server puts there
        super().answer(iq)

    # -- connecting

    async def negotiate(self) -> Negotiated:
        if self._target.host:
            targets = [self._target]
        else:
            async with Deadline(self.clock, self.timeout, f"looking up the servers of {self.domain}"):
                targets = await find(self.domain, resolver=self._resolver)
        targets = [*self._resumption_place(targets[0]), *targets]
        try:
            negotiated = await self._reach(targets)
        except Redirected as redirection:
            elsewhere = await self._elsewhere(redirection, targets[0])
            try:
                negotiated = await self._reach(elsewhere)
            except Redirected as again:
                raise NetworkError(
                    f"{self.domain} sends this client from one host to another: to {redirection}, then to {again}"
                ) from None
        self.account = negotiated.jid.bare
        if self._token is not None:
            self._policy = replace(self._policy, remembered=negotiated.offered)
        return negotiated

    def _resumption_place(self, usual: Target) -> list[Target]:
        """Where the server wants the client to come back to, if it does and if there is something to come back for."""
        assert self._managed is not None
        place = self._managed.management.location
        host, colon, port = place.rpartition(":")
        if not colon or port.endswith("]"):
            host, port = place, ""
        if not host or (port and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536)):
            return []
        return [Target(host, int(port or usual.port), usual.direct_tls, priority=-1)]

    async def _elsewhere(self, redirection: Redirected, origin: Target) -> list[Target]:
        """Where a redirection leads (RFC 6120 §4.9.3.19). What comes unprotected is followed only to where the
        certificate is going to be checked."""
        if not redirection.secure and not self._policy.tls_required:
            raise StreamError("see-other-host", f"sent to {redirection} by whoever it was, without TLS")
        if redirection.port is not None or is_address(redirection.host):
            return [Target(redirection.host, redirection.port or origin.port, origin.direct_tls)]
        async with Deadline(self.clock, self.timeout, f"looking up the servers of {redirection.host}"):
            return await find(redirection.host, resolver=self._resolver)

    async def _reach(self, targets: Sequence[Target]) -> Negotiated:
        """A stream with the first of these that has one. Faults of the network or of a certificate lead to the next,
        since that may be another machine; what the server says doesn't."""
        dialer = Dialer(targets, resolver=self._resolver, clock=self.clock)
        failure: NetworkError | None = None
        policy = replace(
            self._policy,
            reads_archive=any(feature.reads_archive for feature in self.features),
            bind_inline=tuple(wish for feature in self.features for wish in feature.bind_inline),
        )
        while True:
            self._enter(ConnectionState.CONNECTING)
            try:
                sock, target = await dialer.connect()
            except NetworkError as error:
                raise failure or error from None
            self._enter(ConnectionState.NEGOTIATING)
            try:
                link, security = await open_link(
                    sock, target, domain=self.domain, trust=self._trust, clock=self.clock, seconds=self.timeout
                )
                stream = ClientStream(
                    self.domain,
                    policy,
                    make_id=self.make_id,
                    make_nonce=make_nonce,
                    limits=self._limits,
                    security=security,
                    lang=self._lang,
                    features=self._stream_features,
                )
                return await self._negotiation(link, stream).run()
            except NetworkError as error:
                failure = failure or error
            except StreamError:
                self._policy = replace(self._policy, remembered=None)  # it may be what was relied on
                raise

    def _negotiation(self, link: Link, stream: ClientStream) -> Negotiation:
        return Negotiation(
            link,
            stream,
            account=self._address.bare.text,
            trust=self._trust,
            clock=self.clock,
            seconds=self.timeout,
            tell=self._remember,
        )

    @property
    def _token(self) -> Token | None:
        credentials = self._policy.credentials
        return None if credentials is None else credentials.token

    def _remember(self, event: Event) -> None:
        """A token for the next log-in (XEP-0484), or that there is none any more; and that there is a better way than
        PLAIN (XEP-0474 §7). It is kept in memory alone."""
        credentials = self._policy.credentials
        if credentials is None:
            return
        if isinstance(event, Authenticated):
            if event.mechanism.startswith(("SCRAM-", "EXTERNAL")):
                self._policy = replace(self._policy, credentials=replace(credentials, without_plain=True))
        else:
            token = event.token if isinstance(event, TokenReceived) else None
            remembered = self._policy.remembered if token else None
            self._policy = replace(self._policy, credentials=replace(credentials, token=token), remembered=remembered)


@cache
def _system_resolver() -> SystemResolver:
    return SystemResolver()
