"""A component acts for accounts of a server that has granted it that (XEP-0356)."""

from __future__ import annotations

from typing import Final, Literal

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, on_message
from chirrup.client.stanzas import Message
from chirrup.core.errors import PayloadError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.stanza import read_error
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.forwarding.payloads import Forwarded
from chirrup.ext.privilege.payloads import Permission, Privilege, PrivilegedIQ
from chirrup.ext.roster.payloads import Query

_MOST: Final = 100
"""Hosts whose permissions are kept: anybody may claim to grant some."""


class Privileges(Feature):
    """Knows the permissions, and uses them.

    privileges = component.need(Privileges)
    await privileges.send(Message("romeo@example.net", "Good night!"), sender="juliet@example.org")
    """

    xeps = ((356, "0.4.1", ""),)

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self._granted: dict[JID, tuple[Permission, ...]] = {}

    def session_ended(self) -> None:
        self._granted.clear()

    @on_message(Privilege)
    def told(self, message: Message, privilege: Privilege) -> None:
        """A host speaks for its own accounts only, so that who makes something up grants nothing of others."""
        sender = message.sender
        if sender.text == sender.domain and (sender in self._granted or len(self._granted) < _MOST):
            self._granted[sender] = privilege.permissions

    def granted(self, host: JID | str) -> tuple[Permission, ...]:
        """The permissions for the accounts of a host, as it has told them since the component connected."""
        return self._granted.get(JID.parse(host) if isinstance(host, str) else host, ())

    async def send(self, message: Message, *, sender: JID | str) -> None:
        """Have a message sent in the name of an account, or of the host. A refusal comes back as a message of type
        "error" from the host. Raises AddressError, and as `Entity.send` does."""
        source = JID.parse(sender) if isinstance(sender, str) else sender
        inner = message.element.copy().set("from", source)
        if "id" not in inner.attrs:
            inner.set("id", self.entity.make_id())
        wrapped = Privilege(forwarded=Forwarded(stanzas=(inner,))).to_element()
        await self.entity.send(Element("message", CLIENT, wrapped, to=source.host, id=self.entity.make_id()))

    async def request(
        self,
        payload: Payload | Element,
        *,
        account: JID | str,
        to: JID | str | None = None,
        type: Literal["get", "set"] = "get",  # noqa: A002 - the attribute's own name in RFC 6120
        timeout: float | None = None,
    ) -> Element | None:
        """Ask somebody, by default the account's own server, in an account's name; the payload of the result.

        Raises StanzaError, of whoever was asked or of the host that doesn't allow it, PayloadError for an answer that
        is none, and as `Entity.request` does."""
        element = payload.to_element() if isinstance(payload, Payload) else payload
        inner = Element("iq", CLIENT, element, type=type, id=self.entity.make_id(), to=to)
        answer = await self.entity.request(
            PrivilegedIQ((inner,)), to=account, type=type, result=Privilege, timeout=timeout
        )
        if answer.forwarded is None or answer.forwarded.stanza.name != "iq":
            raise PayloadError("the answer to <privileged_iq/> has no IQ in it")
        stanza = answer.forwarded.stanza
        if stanza.get("type") == "error":
            raise read_error(stanza)
        return stanza.first

    async def roster(self, account: JID | str, *, timeout: float | None = None) -> Query:
        """An account's roster. Raises StanzaError, "forbidden" where that isn't granted."""
        return await self.entity.request(Query(), to=account, result=Query, timeout=timeout)
