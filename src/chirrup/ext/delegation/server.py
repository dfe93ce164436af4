"""Namespace delegation at the server: requests are wrapped, sent to the component, and its answers checked."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from functools import partial
from typing import Final

from chirrup.core.errors import AddressError, ConfigError, PayloadError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.stanza import result
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.delegation import NS
from chirrup.ext.delegation.nesting import Nested, node
from chirrup.ext.delegation.payloads import Attribute, Delegated, Delegation
from chirrup.ext.delegation.settings import DelegationSettings, Filter
from chirrup.ext.disco.payloads import Info
from chirrup.ext.disco.server import Disco
from chirrup.ext.forwarding.payloads import Forwarded
from chirrup.server import hooks
from chirrup.server.module import Addressee, Asker, Module, Origin, Xep, bounce

_UNAVAILABLE: Final = "service-unavailable"


class Delegations(Module):
    """Lets components answer requests instead of the server."""

    xeps = (Xep(355, "0.5", "the admin mode; not the special namespaces of §7.2.5"),)
    features = (NS,)
    needs = ("disco",)
    Settings = DelegationSettings
    settings: DelegationSettings

    async def start(self) -> None:
        self._waiting: Counter[JID] = Counter()
        self._answers: dict[asyncio.Future[Element], JID] = {}
        self._disco = self.need(Disco)
        self._nested = Nested(self.settings.max_features)
        for domain, namespaces in self.settings.components.items():
            if domain not in self.host.server.components:
                problem = f"{domain} is no component of this server; [components] has them"
                raise ConfigError(problem, key="modules.delegation.components")
            for namespace, only in namespaces.items():
                self.host.iq.delegated[namespace] = partial(self._delegate, JID.parse(domain), only)
        self._nested.namespaces = tuple(ns for domain in self.settings.components.values() for ns in domain)
        self._disco.amend(self._nested.amend)

    async def stop(self) -> None:
        for answer in list(self._answers):
            answer.cancel()

    # -- what components are told, and tell

    @hooks.component_connected()
    def advertise(self, component: JID) -> None:
        namespaces = self.settings.components.get(component.text)
        if not namespaces:
            return
        told = Delegation(
            tuple(Delegated(ns, tuple(map(Attribute, only.attributes))) for ns, only in namespaces.items())
        ).to_element()
        identifier = secrets.token_urlsafe(9)
        self.host.send(Element("message", CLIENT, told, from_=self.host.jid, to=component, id=identifier))
        for namespace in namespaces:
            for addressee in (Addressee.HOST, Addressee.ACCOUNT):
                self.host.server.spawn(self._learn(component, namespace, addressee))

    async def _learn(self, component: JID, namespace: str, addressee: Addressee) -> None:
        """Ask the component what it can do in place of the server, for service discovery."""
        query = Info(node(namespace, addressee)).to_element()
        try:
            answer = await self._answer(component, query, "get")
            payload = answer.first
            info = Info() if payload is None else Info.parse(payload)
        except (StanzaError, PayloadError) as error:
            self.host.log.debug("a component doesn't tell features", component=component.text, reason=str(error))
            return
        self._nested.tell(namespace, addressee, info)
        self._disco.changed()

    @hooks.component_disconnected()
    def gone(self, component: JID) -> None:
        """Whoever waits for it waits in vain."""
        for answer, asked in list(self._answers.items()):
            if asked == component and not answer.done():
                answer.set_exception(StanzaError(_UNAVAILABLE, "the component has gone"))

    # -- requests

    def _delegate(self, component: JID, only: Filter, stanza: Element, to: JID, sender: JID, origin: Origin) -> bool:
        """Take a request, unless it is the component's own or lacks an attribute. The sender's next stanzas don't wait
        for the answer (§10)."""
        payload = stanza.first
        assert payload is not None
        asks_for = origin.for_ if isinstance(origin, Asker) else None
        if sender.domain == component.domain or asks_for == component:
            return False
        if any(name not in payload.attrs for name in only.attributes):
            return False
        settings = self.settings
        if len(self._answers) >= settings.max_requests or self._waiting[sender] >= settings.max_requests_per_sender:
            raise StanzaError("resource-constraint", "too many requests wait for an answer", type="wait")
        self._waiting[sender] += 1
        self.host.server.spawn(self._serve(component, stanza, to, sender, origin))
        return True

    async def _serve(self, component: JID, stanza: Element, to: JID, sender: JID, origin: Origin) -> None:
        try:
            await self._check_account(to, sender)
            answer = await self._forward(component, stanza)
            origin.answer(answer)
        except StanzaError as error:
            bounce(stanza, origin, error)
        finally:
            self._waiting[sender] -= 1
            if not self._waiting[sender]:
                del self._waiting[sender]

    async def _check_account(self, to: JID, sender: JID) -> None:
        """Accounts that don't exist, or have blocked the sender, answer nothing: as without delegation."""
        if not to.local:
            return
        account = await self.host.load(to.local)
        if account is None or account.refuses(sender):
            raise StanzaError(_UNAVAILABLE)

    async def _forward(self, component: JID, stanza: Element) -> Element:
        """The answer to a request, by the component; StanzaError "service-unavailable" whatever goes wrong (§4.3)."""
        wrapped = Delegation(forwarded=Forwarded(stanzas=(stanza,))).to_element()
        try:
            answer = await self._answer(component, wrapped, "set")
            delegation = Delegation.find(answer)
            if delegation is None or delegation.forwarded is None:
                raise PayloadError("there is no answer in it")
            return _checked(delegation.forwarded.stanza, stanza)
        except (StanzaError, PayloadError, AddressError) as error:
            self.host.log.warning("a delegated request failed", component=component.text, reason=str(error))
            raise StanzaError(_UNAVAILABLE) from None

    async def _answer(self, component: JID, payload: Element, kind: str) -> Element:
        """What a component answers. StanzaError where it isn't there, goes, or takes too long."""
        if self.host.server.components[component.domain].connection is None:
            raise StanzaError(_UNAVAILABLE, "the component isn't there")
        answer = self.host.iq.ask(component, payload, kind=kind)
        self._answers[answer] = component
        timer = self.host.clock.call_later(self.settings.answer_seconds, partial(_late, answer))
        try:
            return await answer
        finally:
            timer.cancel()
            self._answers.pop(answer, None)


def _checked(answer: Element, stanza: Element) -> Element:
    """The result as its receiver gets it. PayloadError where it answers something else (§4.3)."""
    if answer.name != "iq" or answer.get("type") != "result" or answer.get("id") != stanza.get("id"):
        raise PayloadError("it is no result of what was asked")
    if JID.parse(answer.get("to")) != JID.parse(stanza.attrs["from"]):
        raise PayloadError("it is for somebody else")
    source = answer.attrs.get("from")
    if "to" in stanza.attrs:
        if source is None or JID.parse(source) != JID.parse(stanza.attrs["to"]):
            raise PayloadError("it is from somebody else")
    elif source is not None and JID.parse(source) != JID.parse(stanza.attrs["from"]).bare:
        raise PayloadError("it is from somebody else")
    payloads = list(answer.elements())
    if len(payloads) > 1:
        raise PayloadError("a result has one payload at most")
    return result(stanza, payloads[0] if payloads else None)


def _late(answer: asyncio.Future[Element]) -> None:
    if not answer.done():
        answer.set_exception(StanzaError("remote-server-timeout", "the component takes too long"))
