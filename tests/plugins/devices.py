"""People with two devices each, who chat whatever the network does, and know what they should have."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from chirrup import Client, ConnectionState, Message, StanzaError
from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, on_message
from chirrup.core.errors import DeadlineError, Disconnected
from chirrup.core.features.resume import request
from chirrup.core.features.starttls import ClientStartTLS
from chirrup.core.xml import CLIENT
from chirrup.ext.archive.catching_up import CatchUp
from chirrup.ext.archive.client import Archive
from chirrup.ext.carbons.client import Carbons
from chirrup.ext.stanza_ids.rules import stanza_id_by
from chirrup.net.clock import SystemClock, Timer
from tests.plugins.proxy import Proxy

RESOURCES: Final = ("phone", "laptop")
HURRY: Final = 5.0
"""How much faster the devices' clocks go, so that they come back soon."""
FULL_JIDS: Final = 0.25
"""The share of messages that go to one device."""
PATIENCE: Final = 120.0
"""Seconds until all devices have to be back when the network is well again: a fault, never a measurement."""
PAGE: Final = 20
LATER: Final = 0.2
"""Seconds after which an archive that can't be read is asked again."""


class FastClock(SystemClock):
    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        return super().call_later(delay / HURRY, callback)


class History(Feature):
    """What a chat program shows: messages as they come, and in each new session first what it missed, from the archive.
    What comes a second time is known by the id that the own account gave it."""

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self.need(Carbons)
        self._archive = self.need(Archive)
        self.shown: dict[str, str] = {}
        """Texts by id, in their order."""
        self.repeats = 0
        """How many came a second time, and were known by their id."""
        self.fetched = 0
        """How many came from the archive."""
        self.sessions = self.resumptions = 0
        self.nameless: list[str] = []
        """Messages without an id."""
        self.errors: list[str] = []
        """Messages that were returned."""
        self._meanwhile: list[tuple[str, str]] | None = []

    async def session_bound(self) -> None:
        self.sessions += 1

    def session_resumed(self) -> None:
        self.resumptions += 1

    def session_ended(self) -> None:
        """What comes in the next session before the archive was asked has to wait."""
        self._meanwhile = self._meanwhile or []

    async def session_ready(self) -> None:
        """Everything that came since the last message that is known; what comes meanwhile stands behind that."""
        last = next(reversed(self.shown), None)
        while True:
            try:
                await self._catch_up(last)
                break
            except StanzaError as error:
                if error.condition == "item-not-found":  # the last one was never stored
                    last = None
                elif error.type == "wait":
                    await asyncio.sleep(LATER)
                else:
                    raise
        meanwhile, self._meanwhile = self._meanwhile or [], None
        for uid, text in meanwhile:
            self._show(uid, text)

    async def _catch_up(self, last: str | None) -> None:
        async for one in self._archive.messages(after=last, limit=PAGE):
            if one.id not in self.shown:
                self.fetched += 1
                self.shown[one.id] = one.message.body

    @property
    def texts(self) -> Counter[str]:
        """What is shown, and how often. What has no id may also be there with one."""
        return Counter(self.shown.values()) | Counter(self.nameless)

    @on_message()
    def came(self, message: Message) -> None:
        body = message.element.child_text("body", CLIENT)
        if message.type == "error":
            self.errors.append(f"{message.id}: {message.error}")
            return
        uid = stanza_id_by(message.element, self.client.account)
        if not uid:
            self.nameless.append(body)
        elif self._meanwhile is not None:
            self._meanwhile.append((uid, body))
        else:
            self._show(uid, body)

    def _show(self, uid: str, text: str) -> None:
        if uid in self.shown:
            self.repeats += 1
        else:
            self.shown[uid] = text


class Told(History):
    """What a program knows that leaves it to the SDK to have each message once, and in the archive's order."""

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self.need(CatchUp)
        self._meanwhile = None

    async def session_ready(self) -> None:
        """Nothing is left to do."""

    def session_ended(self) -> None:
        """Nor here."""

    def _show(self, uid: str, text: str) -> None:
        if uid in self.shown:
            self.errors.append(f"{text}: came twice")
        super()._show(uid, text)


class Device:
    """A client, what it sent, and what it shows."""

    def __init__(self, name: str, resource: str, port: int, *, password: str, tls: bool, **options: Any) -> None:
        self.name = f"{name}/{resource}"
        self.account = name
        asked = "" if tls else f"/{resource}"  # one that the server makes is bound along with the log-in
        self.client = Client(
            f"{name}@localhost{asked}", password, host="127.0.0.1", port=port, verify=False, require_tls=False,
            features=[Archive, Carbons], clock=FastClock(), keepalive=30, **options,
        )  # fmt: skip
        if not tls:  # so that cuts go right through stanzas
            features = self.client._stream_features
            self.client._stream_features = tuple(one for one in features if one is not ClientStartTLS)
        self.history: History = self.client.need(Told if resource == "phone" else History)
        self.sent = 0
        self.sent_to: list[str] = []
        """The account that each message went to."""

    async def send(self, to: str, *, ask: bool = False) -> None:
        """Send the next message, when there is a connection; with `ask` also ask for its acknowledgement at once."""
        message = Message(to, f"{self.name} {self.sent}", id=f"{self.name} {self.sent}")
        while True:
            try:
                await self.client.send(message)
                break
            except (Disconnected, DeadlineError):
                if self.client.state is ConnectionState.OFFLINE:
                    raise
        self.sent += 1
        self.sent_to.append(to.partition("@")[0])
        if ask:
            with suppress(Disconnected, DeadlineError):
                await self.client.send_nonza(request())

    async def settle(self) -> None:
        """Return when the server has acknowledged all that was sent, and what it had to say until then has come."""
        while True:
            await self.client.online()
            try:
                await self.client.settle()
            except (Disconnected, DeadlineError):
                continue
            return

    async def archive(self) -> list[str]:
        """The texts in the account's archive."""
        return [one.message.body async for one in self.client.need(Archive).messages(limit=200)]

    def heard(self, texts: Iterable[str]) -> list[str]:
        """Without those that it has sent itself, whose place among the others only the archive knows."""
        return [text for text in texts if not text.startswith(self.name + " ")]

    def own(self, texts: Iterable[str]) -> list[str]:
        return [text for text in texts if text.startswith(self.name + " ")]


@dataclass
class Town:
    """Twenty people, or as many as there are, of one server."""

    proxy: Proxy
    choose: random.Random
    names: Sequence[str]
    password: str = "secret"
    options: dict[str, Any] = field(default_factory=dict)
    devices: list[Device] = field(default_factory=list)
    _chats: list[asyncio.Task[None]] = field(default_factory=list)

    async def come(self) -> None:
        """Everybody logs in with both devices, of which one has no TLS."""
        for name in self.names:
            for resource in RESOURCES:
                way = await self.proxy.way()
                tls = resource == "phone"
                self.devices.append(Device(name, resource, way.port, password=self.password, tls=tls, **self.options))
        for start in range(0, len(self.devices), 8):
            await asyncio.gather(*[device.client.connect() for device in self.devices[start : start + 8]])

    async def leave(self) -> None:
        self.fall_silent()
        await asyncio.gather(*[device.client.close() for device in self.devices])

    def chat(self, pause: float, *, ask: bool = False) -> None:
        """Let each device write to others, every `pause` seconds on average, until `fall_silent`; with `ask` it asks
        for each acknowledgement at once."""
        for device in self.devices:
            chance = random.Random(self.choose.random())
            self._chats.append(asyncio.ensure_future(self._write(device, chance, pause, ask)))

    def fall_silent(self) -> None:
        for chat in self._chats:
            chat.cancel()
        self._chats.clear()

    async def _write(self, device: Device, chance: random.Random, pause: float, ask: bool) -> None:
        others = [other for other in self.devices if other.account != device.account]
        while True:
            await asyncio.sleep(chance.expovariate(1 / pause))
            other = chance.choice(others).client
            await device.send(str(other.jid if chance.random() < FULL_JIDS else other.account), ask=ask)

    async def settle(self) -> None:
        """Return when everybody is online, and has all that was written until now."""
        async with asyncio.timeout(PATIENCE):
            for _ in range(2):  # what was sent has come to the server; then what the server had for others has come
                await asyncio.gather(*[device.settle() for device in self.devices])

    @property
    def offline(self) -> list[str]:
        """Devices that have given up, with the reason."""
        return [
            f"{device.name}: {device.client.change.reason!r}"
            for device in self.devices
            if device.client.state is ConnectionState.OFFLINE
        ]

    def sent(self) -> int:
        return sum(device.sent for device in self.devices)

    async def archives(self) -> dict[str, list[str]]:
        """What each account's archive has."""
        phones = self.devices[:: len(RESOURCES)]
        return dict(zip(self.names, await asyncio.gather(*[phone.archive() for phone in phones]), strict=True))

    def missing(self, archives: dict[str, list[str]]) -> list[str]:
        """What was sent and isn't in the archives of its sender and of its receiver."""
        found = {name: set(texts) for name, texts in archives.items()}
        return [
            f"{device.name} {number} ({place}'s archive)"
            for device in self.devices
            for number, to in enumerate(device.sent_to)
            for place in (device.account, to)
            if f"{device.name} {number}" not in found[place]
        ]

    def summary(self) -> str:
        """How it went, in a line."""
        histories = [device.history for device in self.devices]
        counts = Counter[str]()
        for history in histories:
            counts["sessions"] += history.sessions
            counts["resumed"] += history.resumptions
            counts["fetched from archives"] += history.fetched
            counts["shown"] += len(history.shown)
            counts["repeated and known"] += history.repeats
        numbers = ", ".join(f"{name}: {count}" for name, count in counts.items())
        return f"messages: {self.sent()}, {numbers}, cuts: {self.proxy.cuts}"
