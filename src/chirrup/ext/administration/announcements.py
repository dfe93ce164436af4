"""What administrators tell everybody: announcements, a message of the day, and a welcome for new accounts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from chirrup.core.xml import CLIENT, Element

if TYPE_CHECKING:
    from chirrup.server.host import Host
    from chirrup.server.module import Session


class Notice:
    """A text that is kept, and that each account gets once: `name` is "motd" or "welcome"."""

    def __init__(self, host: Host, name: str) -> None:
        self._host = host
        self._texts = host.store.value(f"admin_{name}")
        self._seen = host.store.value(f"admin_{name}_seen")
        self.text = ""
        """Empty where there is none."""
        self.since = 0.0
        """When it was set first, in seconds since 1970; its name."""

    async def load(self) -> None:
        kept = await self._texts.get(self._host.name)
        if kept is not None:
            self.text, self.since = json.loads(kept)

    async def set(self, text: str, *, anew: bool) -> None:
        """Keep this text. Whoever had the former one gets it too where it is `anew`. Durable when this returns."""
        since = self._host.clock.time() if anew else self.since
        await self._texts.set(self._host.name, json.dumps([text, since]))
        self.text, self.since = text, since

    async def delete(self) -> None:
        await self._texts.delete(self._host.name)
        self.text = ""

    async def give(self, session: Session) -> None:
        """Send it, unless the account has had it."""
        owner, name = session.account.jid.text, repr(self.since)
        if await self._seen.get(owner) == name:
            return
        tell(session, self.text)
        await self._seen.set(owner, name)


def tell(session: Session, text: str) -> None:
    """A message of the host's own."""
    body = Element("body", CLIENT, text)
    session.send(Element("message", CLIENT, body, from_=session.host.jid, to=session.jid))
