"""Privileged components at the server: what they are told, and each thing that they do checked against its grant."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Iterator
from typing import Any, Final

from chirrup.core.errors import AddressError, ConfigError, PayloadError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.stanza import error_reply, may_bounce, result
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.blocking import ERRORS
from chirrup.ext.forwarding.payloads import Forwarded
from chirrup.ext.privilege import NS
from chirrup.ext.privilege.payloads import Namespace, Permission, Privilege, PrivilegedIQ
from chirrup.ext.privilege.presences import Presences
from chirrup.ext.privilege.settings import Grant, PrivilegeSettings
from chirrup.ext.roster.server import Rosters
from chirrup.server import hooks
from chirrup.server.module import Account, Module, Origin, Session, Xep, bounce

_BLOCKED: Final = f"{{{ERRORS}}}blocked"


class Privileges(Module):
    """Lets trusted components act in the name of accounts."""

    xeps = (Xep(356, "0.4.1"),)
    needs = ("roster", "presence")
    Settings = PrivilegeSettings
    settings: PrivilegeSettings

    async def start(self) -> None:
        for domain in self.settings.components:
            if domain not in self.host.server.components:
                problem = f"{domain} is no component of this server; [components] has them"
                raise ConfigError(problem, key="modules.privilege.components")
        self._presences = Presences(self.host, self.settings)
        self._waiting: Counter[JID] = Counter()
        self._answers: set[asyncio.Future[Element]] = set()
        self._pushed = tuple(JID.parse(domain) for domain, grant in self.settings.components.items() if grant.pushed)
        self.need(Rosters).let(self._may_roster)
        self.host.iq.delegated[NS] = self._privileged_iq

    async def stop(self) -> None:
        for answer in list(self._answers):
            answer.cancel()

    def _grant(self, sender: JID) -> Grant | None:
        """What a sender may do. Only the component itself is privileged: its users have addresses in its domain too."""
        return self.settings.components.get(sender.text)

    # -- what components are told

    @hooks.component_connected()
    def advertise(self, component: JID) -> None:
        grant = self._grant(component)
        if grant is None:
            return
        told = Privilege(tuple(_permissions(grant))).to_element()
        identifier = secrets.token_urlsafe(9)
        self.host.send(Element("message", CLIENT, told, from_=self.host.jid, to=component, id=identifier))
        self._presences.connected(component)

    @hooks.roster_changed()
    def push(self, account: Account, query: Payload) -> None:
        """Tell of a changed item, from the account itself (§4.4)."""
        for component in self._pushed:
            identifier = secrets.token_urlsafe(12)
            stanza = Element("iq", CLIENT, query.to_element(), type="set", id=identifier)
            self.host.send(stanza.set("from", account.jid).set("to", component))

    # -- rosters

    def _may_roster(self, sender: JID, kind: str) -> bool:
        grant = self._grant(sender)
        if grant is None:
            return False
        if grant.roster not in (kind, "both"):
            raise StanzaError("forbidden", f'{sender} may not {kind} rosters: its permission is "{grant.roster}"')
        return True

    # -- messages

    @hooks.host_message()
    def outgoing(self, stanza: Element, sender: JID, origin: Origin) -> bool | Awaitable[None]:
        """A component has a message sent in the name of an account or the host (§5.3)."""
        wrapped = stanza.child("privilege", NS)
        if wrapped is None or not may_bounce(stanza):
            return False
        grant = self._grant(sender)
        if grant is None or grant.message != "outgoing":
            raise StanzaError("forbidden", f"{sender} has no permission to send messages for others")
        try:
            forwarded = Privilege.parse(wrapped).forwarded
        except PayloadError as error:
            raise StanzaError("bad-request", str(error)) from None
        if forwarded is None or forwarded.stanza.name != "message":
            raise StanzaError("bad-request", "<privilege/> holds a <forwarded/> message here")
        message = forwarded.stanza.copy()
        source = _address(message, "from")
        if source.domain != self.host.name or source.resource:
            raise StanzaError("forbidden", f"{source} is no bare JID of {self.host.name}")
        to = _address(message, "to")
        message.set("from", source).set("to", to)
        if not source.local:
            self.host.send(message)
            return True
        asker = _Asker(origin, stanza)
        account = self.host.accounts.get(source.local)
        if account is None:
            return self._send_later(message, source, to, asker)
        self._send(account, message, to, asker)
        return True

    async def _send_later(self, message: Element, source: JID, to: JID, asker: Origin) -> None:
        account = await self.host.load(source.local)
        if account is None:
            raise StanzaError("forbidden", f"{self.host.name} has no account {source}")
        self._send(account, message, to, asker)

    def _send(self, account: Account, message: Element, to: JID, asker: Origin) -> None:
        """It is the account's message as if a client had sent it: in its archive, and with its clients."""
        _check_blocked(account, to)
        for handler in self.host.hooks.message_in_name:
            handler(account, message, to, asker)
        self.host.send(message)

    # -- IQs

    @hooks.iq_in(before=["presence"])
    def at_a_resource(self, account: Account, stanza: Element, session: Session, sender: JID, origin: Origin) -> bool:
        """What is to be sent for an account is addressed to the account, not to one of its clients (§6.3). Others than
        privileged components mustn't learn by that that the client is there."""
        payload = stanza.first
        if payload is None or payload.ns != NS or self._grant(sender) is None:
            return False
        bounce(stanza, origin, StanzaError("forbidden", f"{account.jid} is the address for this"))
        return True

    def _privileged_iq(self, stanza: Element, to: JID, sender: JID, origin: Origin) -> bool:
        """A component has an IQ sent in the name of an account. Its next stanzas don't wait: the answer may be one."""
        grant = self._grant(sender)
        if grant is None:
            raise StanzaError("forbidden", f"{sender} has no permission to send IQs for others")
        inner = self._unwrapped(stanza, to, sender, grant)
        if self._waiting[sender] >= self.settings.max_requests:
            raise StanzaError("resource-constraint", f"{self.settings.max_requests} IQs are unanswered")
        self._waiting[sender] += 1
        self.host.server.spawn(self._pass_on(stanza, inner, to, sender, origin))
        return True

    def _unwrapped(self, stanza: Element, to: JID, sender: JID, grant: Grant) -> Element:
        """The IQ that is to be sent; StanzaError "forbidden" for each thing that §6.3 lists."""
        wrapped = stanza.first
        assert wrapped is not None
        kind = stanza.attrs["type"]
        if wrapped.name != PrivilegedIQ.NAME:
            raise StanzaError("service-unavailable")
        if not to.local:
            raise StanzaError("forbidden", f"{to} is no account")
        stanzas = PrivilegedIQ.parse(wrapped).stanzas
        if len(stanzas) != 1 or stanzas[0].name != "iq":
            raise StanzaError("bad-request", "<privileged_iq/> holds one IQ")
        inner = stanzas[0]
        payloads = list(inner.elements())
        if inner.ns != CLIENT:
            raise StanzaError("forbidden", f"the IQ inside is in {inner.ns}, not in {CLIENT}")
        if inner.get("type") != kind:
            raise StanzaError("forbidden", f"the IQ inside should be a {kind} too")
        if len(payloads) != 1 or "id" not in inner.attrs:
            raise StanzaError("bad-request", "an IQ has an id and one payload")
        if "from" in inner.attrs and _address(inner, "from") != to:
            raise StanzaError("forbidden", f"the IQ inside is from somebody else than {to}")
        namespace = payloads[0].ns
        if grant.iq.get(namespace, "none") not in (kind, "both"):
            raise StanzaError("forbidden", f"{sender} may not {kind} {namespace} for others")
        addressee = _address(inner, "to") if "to" in inner.attrs else to
        return inner.copy().set("from", to).set("to", addressee)

    async def _pass_on(self, stanza: Element, inner: Element, to: JID, sender: JID, origin: Origin) -> None:
        """Send the IQ and give the component the answer."""
        try:
            account = await self.host.load(to.local)
            if account is None:
                raise StanzaError("forbidden", f"{self.host.name} has no account {to}")
            answer = await self._ask(account, inner, sender)
            wrapped = Privilege(forwarded=Forwarded(stanzas=(answer,))).to_element()
            origin.answer(result(stanza, wrapped))
        except StanzaError as error:
            bounce(stanza, origin, error)
        finally:
            self._waiting[sender] -= 1

    async def _ask(self, account: Account, inner: Element, component: JID) -> Element:
        """The answer, as the account would be given it: a result, or an error."""
        addressee = JID.parse(inner.attrs["to"])
        payload = inner.first
        assert payload is not None
        try:
            _check_blocked(account, addressee)
            answer = self.host.iq.ask(addressee, payload, kind=inner.attrs["type"], sender=account.jid, for_=component)
            self._answers.add(answer)
            timer = self.host.clock.call_later(self.settings.answer_seconds, lambda: _late(answer, addressee))
            try:
                found = await answer
            finally:
                timer.cancel()
                self._answers.discard(answer)
        except StanzaError as error:
            return error_reply(inner, error)
        return found.copy().set("id", inner.attrs["id"])

    # -- presence

    @hooks.session_available()
    def available(self, session: Session) -> None:
        self._presences.appears(session)

    @hooks.presence_out(before=["presence"])
    def broadcast(self, session: Session, stanza: Element) -> None:
        if stanza.attrs.get("type") == "unavailable":
            self._presences.leaves(session, stanza)
        elif session.presence is not None:
            self._presences.changes(session, stanza)

    @hooks.session_closed(before=["presence"])
    def closed(self, session: Session) -> None:
        self._presences.leaves(session)

    @hooks.presence_arrived()
    def arrived(self, account: Account, stanza: Element, to: JID, sender: JID) -> None:
        if self._presences.wants(stanza, sender):
            self._presences.arrived(account, stanza, sender)

    @hooks.presence_unseen()
    def unseen(self, stanza: Element, to: JID, sender: JID) -> Awaitable[None] | None:
        """Components are there where accounts aren't (§7.3)."""
        return self._see(stanza, to, sender) if self._presences.wants(stanza, sender) else None

    async def _see(self, stanza: Element, to: JID, sender: JID) -> None:
        account = await self.host.load(to.local)
        if account is not None and not account.refuses(sender):
            self._presences.arrived(account, stanza, sender)


class _Asker:
    """The component that has a message sent: what is the matter with that is told of its own stanza."""

    def __init__(self, origin: Origin, stanza: Element) -> None:
        self._origin = origin
        self._stanza = stanza
        self.patient = origin.patient

    def answer(self, stanza: Element) -> None:
        self._origin.answer(stanza)

    def hold(self, stored: asyncio.Future[Any], stanza: Element) -> None:
        self._origin.hold(stored, self._stanza)


def _permissions(grant: Grant) -> Iterator[Permission]:
    if grant.roster != "none":
        yield Permission("roster", grant.roster, push=grant.pushed)
    if grant.message != "none":
        yield Permission("message", grant.message)
    if namespaces := tuple(Namespace(ns, access) for ns, access in grant.iq.items() if access != "none"):
        yield Permission("iq", namespaces=namespaces)
    if grant.presence != "none":
        yield Permission("presence", grant.presence)


def _address(stanza: Element, attribute: str) -> JID:
    try:
        return JID.parse(stanza.attrs[attribute])
    except KeyError:
        raise StanzaError("bad-request", f"the stanza inside has no {attribute!r}") from None
    except AddressError as error:
        raise StanzaError("jid-malformed", str(error)) from None


def _check_blocked(account: Account, to: JID) -> None:
    """What an account has blocked, nobody writes to in its name (XEP-0191 §3.3)."""
    if account.refuses(to):
        raise StanzaError("not-acceptable", f"{account.jid} has blocked {to}", app=_BLOCKED)


def _late(answer: asyncio.Future[Element], addressee: JID) -> None:
    if not answer.done():
        answer.set_exception(StanzaError("remote-server-timeout", f"{addressee} doesn't answer"))
