"""A client says whether somebody looks at it (XEP-0352)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature
from chirrup.core.errors import NetworkError
from chirrup.core.xml import Element
from chirrup.ext.client_state import NS


class ClientState(Feature):
    """Whether the user has an eye on the program. While nobody has, the server holds back what isn't urgent.

    What was said holds for later sessions too, also if there is no connection at the time. Where the server can't do
    anything with it nothing is sent."""

    xeps = ((352, "1.0.0", ""),)

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self.is_active = True

    async def active(self) -> None:
        """Somebody looks at the program again: what was held back comes."""
        if not self.is_active:
            self.is_active = True
            await self._changed()

    async def inactive(self) -> None:
        """Nobody looks at the program."""
        if self.is_active:
            self.is_active = False
            await self._changed()

    @property
    def bind_inline(self) -> Sequence[Element]:
        return () if self.is_active else (Element("inactive", NS),)

    async def session_ready(self) -> None:
        said_inactive = NS in self.entity.switched_on
        if said_inactive == self.is_active:
            await self._tell()

    def session_resumed(self) -> None:
        if not self.is_active:  # a session that is resumed is active (§5.2)
            self.entity.spawn(self._tell())

    async def _changed(self) -> None:
        with suppress(NetworkError):  # the next session is told
            await self._tell()

    async def _tell(self) -> None:
        if self.entity.server_features.child("csi", NS) is not None:
            await self.entity.send_nonza(Element("active" if self.is_active else "inactive", NS))
