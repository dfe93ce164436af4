"""What administrators tell everybody: announcements, a message of the day, and a welcome for new accounts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from chirrup.core.xml import CLIENT, Element
from chirrup.ext.administration import forms
from chirrup.ext.administration.common import Entry, Group
from chirrup.ext.commands.execution import Execution, Outcome

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
        self._giving: set[str] = set()

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
        """Send it, unless the account has had it, or is being given it."""
        owner, name = session.account.jid.text, repr(self.since)
        if owner in self._giving:
            return
        self._giving.add(owner)
        try:
            if await self._seen.get(owner) != name and self.text:
                tell(session, self.text)
                await self._seen.set(owner, name)
        finally:
            self._giving.discard(owner)


class Notices(Group):
    """XEP-0133 §4.23 to §4.28."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._motd, self._welcome = Notice(host, "motd"), Notice(host, "welcome")

    async def load(self) -> None:
        await self._motd.load()
        await self._welcome.load()

    def commands(self) -> Iterable[Entry]:
        return (
            ("announce", "Tell everybody who is online", self._announce),
            ("set-motd", "Set the message of the day", self._set_motd),
            ("edit-motd", "Edit the message of the day", self._edit_motd),
            ("delete-motd", "Delete the message of the day", self._delete_motd),
            ("set-welcome", "Set the welcome message", self._set_welcome),
            ("delete-welcome", "Delete the welcome message", self._delete_welcome),
        )

    async def _announce(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.Announce)
        told = tell_all(self.host, "\n".join(asked.announcement))
        return self.done(execution, f"{told} {'client was' if told == 1 else 'clients were'} told")

    async def _set_motd(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.MessageOfTheDay)
        await self._motd.set("\n".join(asked.motd), anew=True)
        self.host.server.spawn(self._give_all())
        return self.done(execution, "the message of the day was set")

    async def _give_all(self) -> None:
        for session in [session for session in self.host.sessions() if session.presence is not None]:
            await self._motd.give(session)

    async def _edit_motd(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.MessageOfTheDay, motd=_lines(self._motd.text))
        await self._motd.set("\n".join(asked.motd), anew=not self._motd.text)
        return self.done(execution, "the message of the day was changed; who has had it doesn't get it again")

    async def _delete_motd(self, execution: Execution) -> Outcome:
        await self._motd.delete()
        return self.done(execution, "the message of the day was deleted")

    async def _set_welcome(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.Welcome, welcome=_lines(self._welcome.text))
        await self._welcome.set("\n".join(asked.welcome), anew=not self._welcome.text)
        return self.done(execution, "the welcome message was set")

    async def _delete_welcome(self, execution: Execution) -> Outcome:
        await self._welcome.delete()
        return self.done(execution, "the welcome message was deleted")

    def greet(self, session: Session) -> None:
        """Somebody comes online."""
        if self._motd.text or self._welcome.text:
            self.host.server.spawn(self._greet(session))

    async def _greet(self, session: Session) -> None:
        if self._welcome.text:
            known = await self.host.store.accounts.info(self.host.name, session.jid.local)
            if known is not None and known.created >= self._welcome.since:
                await self._welcome.give(session)
        if self._motd.text:
            await self._motd.give(session)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.split("\n")) if text else ()


def tell_all(host: Host, text: str) -> int:
    """Tell everybody who is online; how many clients there were."""
    sessions = [session for session in host.sessions() if session.presence is not None]
    for session in sessions:
        tell(session, text)
    return len(sessions)


def tell(session: Session, text: str) -> None:
    """A message of the host's own."""
    body = Element("body", CLIENT, text)
    session.send(Element("message", CLIENT, body, from_=session.host.jid, to=session.jid))
