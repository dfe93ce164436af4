"""A walk at random: the steps of three people with three devices each, and the model of what follows from them.

Each step is one of `Walk`'s methods; `Choice` gives it the rest of what it needs, so that a walk is a list of numbers.
What the server knows is looked at in one place only: how much it had when a connection was lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

from chirrup.core.xml import CLIENT, Element
from chirrup.testing import FakeClock, TestServer, serve
from tests.plugins.walkers import CARBONS, MAM, RSM, Device, Line, Said

T = TypeVar("T")

PEOPLE: Final = ("ann", "bob", "cem")
DEVICES: Final = 3
RESUMPTION: Final = 600
SETTINGS: Final = {
    "limits": {
        "acknowledgement_seconds": 1_000_000, "resumption_seconds": RESUMPTION, "bytes_per_second": 1_000_000_000,
        "burst_bytes": 1_000_000_000, "connections_per_address": 10_000,
    }
}  # fmt: skip
CSI: Final = "urn:xmpp:csi:0"
BLOCKING: Final = "urn:xmpp:blocking"
STEPS: Final = (
    "nothing", *["say"] * 8, "say_and_cut", "say_and_cut", "cut", "cut", "cut", "resume_elsewhere", "resume_lacking",
    "read", "read", "acknowledge", "acknowledge", "leave", "state", "state", "presence", "presence", "look", "block",
    "prefer", "pass_time", "pass_time", "restart",
)  # fmt: skip


class Ticking(FakeClock):
    """No two moments are the same."""

    def time(self) -> float:
        self.advance(0.000_01)
        return super().time()


class Choice:
    """A number, out of which choices are taken; 0 has the first each time."""

    def __init__(self, number: int) -> None:
        self._number = number

    def of(self, options: Sequence[T]) -> T:
        self._number, place = divmod(self._number, len(options))
        return options[place]


class Walk:
    """One walk, in which a server is started on `folder`. An AssertionError tells what isn't as it should be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Ticking()
        self.devices = [Device(name, number) for name in PEOPLE for number in range(DEVICES)]
        self.lines: list[Line] = []
        self.seen: dict[str, Said] = {}
        """Messages by id."""
        self.archives: dict[str, list[Said]] = {name: [] for name in PEOPLE}
        """What they should have."""
        self.blocked: dict[str, set[str]] = {name: set() for name in PEOPLE}
        self.wishes: dict[str, tuple[str, str, str]] = dict.fromkeys(PEOPLE, ("always", "", ""))
        """What is archived: the default, an address whose messages always are, and one whose never are."""
        self.best: set[Line] = set()
        """Those who get what is for their account."""
        self.steps: list[str] = []
        """What was done, in words."""
        self.stack = AsyncExitStack()
        self.server: TestServer

    async def start(self) -> None:
        self.server = await self.stack.enter_async_context(serve(SETTINGS, data=self.folder, clock=self.clock))
        for name in PEOPLE:
            await self.server.add_account(name)

    async def go(self, steps: Iterable[tuple[str, int, int]]) -> None:
        """Take steps: what is done, the number of the device that does it, and the number of a `Choice`."""
        await self.start()
        try:
            for kind, number, option in steps:
                await self.step(kind, number, Choice(option))
            await self.end()
        finally:
            await self.stack.aclose()

    async def step(self, kind: str, number: int, choice: Choice) -> None:
        self.clock.advance(1)
        device = self.devices[number % len(self.devices)]
        line = device.line
        if kind == "nothing":
            return
        if kind in ("pass_time", "restart"):
            await getattr(self, kind)(choice)
        elif line is None:
            await self.log_in(device, choice)
        elif not line.online:
            if choice.of(range(4)) < 3:
                await self.resume(line, choice)
            else:
                await self.log_in(device, choice)
        else:
            await getattr(self, kind)(line, choice)
        self.rank()

    def rank(self) -> None:
        """Who gets what is for an account may have changed: whoever does anew isn't known to have what came before."""
        best = {line for name in PEOPLE for line in self.receivers(name)}
        for line in best - self.best:
            line.again.update(said for said, _ in line.due)
        self.best = best

    def receivers(self, account: str) -> list[Line]:
        lines = [line for line in self.of(account) if line.priority is not None and line.priority >= 0]
        return [line for line in lines if line.priority == max(line.priority or 0 for line in lines)]

    def note(self, *words: object) -> None:
        self.steps.append(" ".join(map(str, words)))

    def of(self, account: str) -> list[Line]:
        """An account's sessions."""
        return [line for line in self.lines if line.alive and line.device.account == account]

    # -- steps

    async def log_in(self, device: Device, choice: Choice) -> None:
        way = choice.of(("old", "sasl2", "bind2"))
        if device.reads:
            way = "bind2"
        managing = choice.of(("resumable", "counting", "none"))
        carbons = choice.of((True, False)) or way == "bind2"
        inactive = choice.of((False, True, True))
        presence = choice.of((0, 0, 0, 1, 1, -1, None))
        self.note("log in", device.name, way, managing, "carbons" * carbons, "inactive" * inactive, presence)
        former = device.line  # one that waits for its client, to which that doesn't come back
        line = Line(device, managing=managing != "none", resumable=managing == "resumable", seen=self.seen)
        features = [Element("enable", CARBONS)] * carbons + [Element("inactive", CSI)] * inactive
        new = await line.connect(self.server, way=way, features=features)
        assert new
        if former is not None and way != "bind2":  # which makes a resource of its own each time
            former.die()
            self.rank()
        line.alive = True
        self.lines.append(line)
        device.line = line
        if way == "bind2":
            device.reads = True
            line.carbons, line.inactive = carbons, inactive
            await self.catch_up(line)
        elif carbons:
            await line.ask(Element("iq", CLIENT, Element("enable", CARBONS), type="set"))
            line.carbons = True
        if inactive and way != "bind2":
            line.client.send(Element("inactive", CSI))
            line.inactive = True
        if presence is not None:
            await self.set_presence(line, presence)
        await line.read()

    async def catch_up(self, line: Line) -> None:
        """Fetch what came since the last message that is known."""
        found = await self.fetch(line, next(reversed(line.device.shown), None))
        for uid, said in found:
            line.device.shown.setdefault(uid, said)

    async def fetch(self, line: Line, after: str | None) -> list[tuple[str, Said]]:
        found: list[tuple[str, Said]] = []
        while True:
            line.results.clear()
            pages = Element("set", RSM, Element("max", RSM, "7"), Element("after", RSM, after) if after else None)
            answer = await line.ask(Element("iq", CLIENT, Element("query", MAM, pages), type="set"))
            found += line.results
            fin = answer.child("fin", MAM)
            assert fin is not None
            if fin.get("complete") == "true":
                return found
            after = line.results[-1][0]

    async def set_presence(self, line: Line, priority: int | None) -> None:
        stanza = Element("presence", CLIENT)
        if priority is None:
            stanza.set("type", "unavailable")
        elif priority:
            stanza.append(Element("priority", CLIENT, str(priority)))
        line.send(stanza)
        await line.read()
        line.priority = priority
        self.rank()

    async def presence(self, line: Line, choice: Choice) -> None:
        priority = choice.of((0, 1, -1, None))
        self.note("presence", line.name, priority)
        await self.set_presence(line, priority)

    def make(self, line: Line, choice: Choice) -> Said:
        """A message."""
        kind = choice.of(("chat", "chat", "chat", "normal", "headline"))
        content = choice.of(("body", "body", "body", "receipt", "state"))
        hint = choice.of(("", "", "", "", "no-store", "no-copy", "no-permanent-store", "store", "private"))
        device = choice.of([one for one in self.devices if one is not line.device] + [line.device])
        full = ""
        if choice.of(range(3)) == 2:
            jids = [other.jid for other in self.lines if other.device is device]
            full = jids[-1] if jids else f"{device.account}@localhost/gone"
        said = Said(f"m{len(self.seen)}", line, device.account, full, kind, content, hint)
        self.seen[said.id] = said
        return said

    async def say(self, line: Line, choice: Choice) -> None:
        for _ in range(choice.of((1, 2, 4))):
            said = self.make(line, choice)
            self.note("say", said)
            self.deliver(said)
            line.send(said.write())
        await line.read()

    async def resume_lacking(self, line: Line, choice: Choice) -> None:
        """With a count that it has gone past before: what it lacks is gone, and the session is over."""
        management = line.management
        if management is None or not line.resumable or not line.acknowledged:
            return
        await line.read()
        self.note("resume lacking", line.name)
        await self.lose(line)
        self.lost(line)
        management.ledger.handled = line.acknowledged - 1
        another = Line(line.device, managing=False, resumable=False, seen=self.seen)
        another.management = management
        assert await another.connect(self.server, way="old"), f"{line.name} was resumed"
        line.die()
        self.rank()
        await another.client.close()

    async def say_and_cut(self, line: Line, choice: Choice) -> None:
        """And maybe the connection is lost within a message."""
        management = line.management
        if management is None:
            return
        await line.read()
        session = self.session(line)
        count = session.management.handled
        messages = [self.make(line, choice) for _ in range(choice.of((2, 3, 5)))]
        whole = choice.of((True, False))
        self.note("say and cut" if whole else "say and cut within the last", *messages)
        for said in messages[:-1]:
            line.send(said.write())
        if whole:
            line.send(messages[-1].write())
        else:
            octets = messages[-1].write()
            management.sent(octets, 0)
            line.client.send(octets[: len(octets) // 2])
        await self.lose(line)
        handled = session.management.handled - count
        for said in messages[:handled]:
            self.deliver(said)
        line.unsent = messages[handled:]
        self.lost(line)

    def session(self, line: Line) -> Any:
        """The server's end."""
        account = self.server.server.hosts["localhost"].accounts[line.device.account]
        return account.sessions[line.jid.partition("/")[2]]

    async def lose(self, line: Line) -> None:
        session = self.session(line)
        line.client.drop()
        async with asyncio.timeout(10):
            while session._queue is not None or not (session.detached or session._over):  # noqa: ASYNC110
                await asyncio.sleep(0)  # the server's turn
        line.online = False

    def lost(self, line: Line) -> None:
        if line.resumable:
            line.inactive = False
        else:
            line.die()
        self.rank()

    async def cut(self, line: Line, choice: Choice) -> None:
        if line.management is None or choice.of((True, False)):
            await line.read()
        self.note("cut", line.name)
        await self.lose(line)
        self.lost(line)

    async def resume(self, line: Line, choice: Choice) -> None:
        management = line.management
        assert management is not None
        older = choice.of((0, 0, 1, 3))
        handled = max(line.acknowledged, management.ledger.handled - older)
        self.note("resume", line.name, "with", handled, "of", management.ledger.handled)
        line.forget(handled)
        new = await line.connect(self.server, way=choice.of(("old", "sasl2")))
        assert not new, f"{line.name} can't be resumed"
        line.confirm(len(line.got))
        line.inactive = False
        for octets, said in zip(list(management.unacknowledged), line.unsent, strict=True):
            self.deliver(said)
            line.client.send(octets)
        line.unsent = []
        await line.read()

    async def resume_elsewhere(self, line: Line, choice: Choice) -> None:
        """From a second connection, while the first one is still taken for alive."""
        if line.resumable:
            client = line.client
            await self.resume(line, choice)
            client.drop()

    async def read(self, line: Line, choice: Choice) -> None:
        self.note("read", line.name)
        await line.read()

    async def acknowledge(self, line: Line, choice: Choice) -> None:
        self.note("acknowledge", line.name)
        await line.read()
        await line.acknowledge()

    async def leave(self, line: Line, choice: Choice) -> None:
        polite = choice.of((True, False))
        self.note("leave", line.name, "acknowledging" * polite)
        await line.read()
        if polite:
            await line.acknowledge()
        await line.client.close()
        line.die()

    async def state(self, line: Line, choice: Choice) -> None:
        line.inactive = choice.of((True, False))
        self.note("inactive" if line.inactive else "active", line.name)
        line.client.send(Element("inactive" if line.inactive else "active", CSI))
        await line.read()

    async def look(self, line: Line, choice: Choice) -> None:
        """An archive has just what it should have."""
        self.note("look into the archive", line.name)
        found = [said for _, said in await self.fetch(line, None)]
        assert found == self.archives[line.device.account]

    async def block(self, line: Line, choice: Choice) -> None:
        account, other = line.device.account, choice.of([name for name in PEOPLE if name != line.device.account])
        unblock = other in self.blocked[account]
        self.note("unblock" if unblock else "block", account, other)
        item = Element("item", BLOCKING, jid=f"{other}@localhost")
        wish = Element("unblock" if unblock else "block", BLOCKING, item)
        await line.ask(Element("iq", CLIENT, wish, type="set"))
        self.blocked[account] ^= {other}
        for said in self.seen.values():  # what isn't acknowledged is returned, if the session ends
            said.left = said.left or (said.to == account and said.by.device.account == other)

    async def prefer(self, line: Line, choice: Choice) -> None:
        account = line.device.account
        default = choice.of(("always", "never", "roster"))
        always, never = choice.of(("", *PEOPLE)), choice.of(("", *PEOPLE))
        self.note("prefer", account, default, always, never)
        lists = [
            Element(name, MAM, Element("jid", MAM, f"{other}@localhost") if other else None)
            for name, other in (("always", always), ("never", never))
        ]
        await line.ask(Element("iq", CLIENT, Element("prefs", MAM, *lists, default=default), type="set"))
        self.wishes[account] = default, always, never

    async def pass_time(self, choice: Choice) -> None:
        seconds = choice.of((31, RESUMPTION + 1))
        self.note("pass", seconds)
        for line in [line for line in self.lines if line.alive and line.online]:
            await line.read()
        self.clock.advance(seconds)
        if seconds > RESUMPTION:
            for line in [line for line in self.lines if line.alive and not line.online]:
                line.die()
        await self.rest()

    async def restart(self, choice: Choice) -> None:
        polite = choice.of((True, False))
        self.note("restart", "politely" * polite)
        online = [line for line in self.lines if line.alive and line.online]
        for line in online:
            await line.read()
            if polite or line.management is None:
                await line.acknowledge()
            else:
                await self.lose(line)
                self.lost(line)
        await asyncio.gather(self.server.server.stop(), *(line.client.end() for line in online if line.online))
        for line in [line for line in self.lines if line.alive]:
            line.die()
        await self.stack.aclose()
        await self.start()

    async def rest(self) -> None:
        """Let what is due happen."""
        store = self.server.server.store
        for _ in range(3):
            await store.settled()
            await store.read(lambda connection: None)  # behind what is read to be handed over
            for line in [line for line in self.lines if line.alive and line.online]:
                await line.read()

    async def end(self) -> None:
        """Everybody comes back, and has all."""
        self.note("the end")
        for line in [line for line in self.lines if line.alive]:
            if not line.online:
                await self.resume(line, Choice(0))
            line.client.send(Element("active", CSI))
            line.inactive = False
        await self.rest()
        for line in [line for line in self.lines if line.alive]:
            line.check_complete()
            await line.acknowledge()
        await self.rest()
        for device in self.devices:
            if device.reads:
                if device.line is None:
                    await self.log_in(device, Choice(0))
                self.check_shown(device)
        for line in [line for line in self.lines if line.alive]:
            await line.acknowledge()
            await line.client.close()
            line.die()
        for name in PEOPLE:
            device = Device(name, 9)
            self.devices.append(device)
            await self.log_in(device, Choice(0))
        for _ in range(3):
            await self.rest()
            for device in self.devices[-3:]:
                assert device.line is not None
                await device.line.acknowledge()
        for device in self.devices[-3:]:
            assert device.line is not None
            found = await self.fetch(device.line, None)
            assert [said for _, said in found] == self.archives[device.account], device.account
            self.check_ids(device.account, {said: uid for uid, said in found})
        self.check_fates()

    def check_shown(self, device: Device) -> None:
        """Whoever fetches what was missed shows what the archive has, in its order."""
        archive = [
            said for said in self.archives[device.account]
            if said.copied and said.by.device is not device and said.type != "headline" and said.content != "state"
        ]  # fmt: skip
        shown = [said for said in device.shown.values() if said in archive]
        assert shown == archive, f"{device.name} shows {shown}, should show {archive}"

    def check_ids(self, account: str, uids: dict[Said, str]) -> None:
        for line in self.lines:
            for got in line.got if line.device.account == account else ():
                if got.how != "error":
                    assert got.uid == uids.get(got.said, ""), f"{line.name} was told another id of {got.said}"

    def check_fates(self) -> None:
        has = {(device.account, said) for device in self.devices for said in device.has}
        for said in self.seen.values():
            errors = sum(device.errors.count(said) for device in self.devices)
            assert errors <= 1, f"{said} came back {errors} times"
            if (said.unclaimed or said.left) and not said.unsafe:
                there = (said.to, said) in has or said in self.archives[said.to]
                assert there or errors or not said.by.alive, f"{said} is lost"

    # -- the model

    def archive(self, account: str, peer: str, said: Said) -> None:
        default, always, never = self.wishes[account]
        if said.archivable and peer != never and (peer == always or default == "always"):
            self.archives[account].append(said)

    def deliver(self, said: Said) -> None:
        """What the rules make of a message that the server has now (RFC 6121 §8.5, XEP-0280 §§7 and 8)."""
        by, author, to = said.by, said.by.device.account, said.to
        if to in self.blocked[author]:
            by.due.append((said, "error"))
            return
        if to != author:
            self.archive(author, to, said)
            self.copy(said, author, [by])
        talk = said.type != "headline"
        if author in self.blocked[to]:
            if talk:
                by.due.append((said, "error"))
            return
        lines = self.of(to)
        ranked = [line for line in lines if line.priority is not None and line.priority >= 0]
        receivers = self.receivers(to) if talk else ranked
        if said.full:
            exact = [line for line in lines if line.jid == said.full]
            if not exact and said.type == "normal":
                by.due.append((said, "error"))
                return
            if exact or not talk:
                receivers = exact
        if receivers or not talk:
            self.archive(to, author, said)
            for line in receivers:
                line.due.append((said, "direct"))
            if receivers:
                self.copy(said, to, [by, *receivers])
            return
        self.copy(said, to, [by])
        if said.fate == "keep":
            self.archive(to, author, said)
            said.kept = said.unclaimed = True
        elif said.fate == "refuse":
            by.due.append((said, "error"))
        else:
            self.archive(to, author, said)

    def copy(self, said: Said, account: str, but: list[Line]) -> None:
        for line in self.of(account):
            if said.copied and line.carbons and line not in but:
                line.due.append((said, "copy"))
