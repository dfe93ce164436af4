"""A client has its device woken by a push service (XEP-0357)."""

from __future__ import annotations

from collections.abc import Mapping

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature
from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.ext.forms.payloads import Form
from chirrup.ext.pubsub import PUBLISH_OPTIONS
from chirrup.ext.push.payloads import Disable, Enable


class Push(Feature):
    """The push services that wake this device. They are told to the server in each session, which so learns which
    device each of them stands for."""

    xeps = ((357, "0.4.1", ""),)

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self._enabled: dict[tuple[JID, str], Enable] = {}

    async def session_bound(self) -> None:
        refused: StanzaError | None = None
        for enable in tuple(self._enabled.values()):
            try:
                await self._enable(enable)
            except StanzaError as error:
                refused = error
        if refused is not None:
            raise refused

    async def enable(self, service: JID | str, node: str = "", options: Mapping[str, str] | None = None) -> None:
        """Have notifications published to a node of a service, along with options such as {"secret": "…"}. Raises
        StanzaError."""
        form = Form.of("submit", PUBLISH_OPTIONS, options) if options else None
        enable = Enable(_jid(service), node, form)
        await self._enable(enable)
        self._enabled[enable.jid, node] = enable

    async def _enable(self, enable: Enable) -> None:
        await self.entity.request(enable, type="set", result=None)

    async def disable(self, service: JID | str, node: str | None = None) -> None:
        """Have no more published to a node of a service, or to any of its nodes. Raises StanzaError."""
        jid = _jid(service)
        for key in [key for key in self._enabled if key[0] == jid and node in (None, key[1])]:
            del self._enabled[key]
        await self.entity.request(Disable(jid, node), type="set", result=None)


def _jid(jid: JID | str) -> JID:
    return JID.parse(jid) if isinstance(jid, str) else jid
