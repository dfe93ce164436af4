"""Those who walk at random: their messages, devices and sessions, and what may come there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from chirrup.core.features.resume import Management, NotResumed, acknowledgement, managed, request
from chirrup.core.features.starttls import ClientStartTLS
from chirrup.core.stream import CLIENT_FEATURES, ClientPolicy, Credentials
from chirrup.core.xml import CLIENT, Element
from chirrup.testing import PASSWORD, TestClient, TestServer

SM: Final = "urn:xmpp:sm:3"
CARBONS: Final = "urn:xmpp:carbons:2"
FORWARD: Final = "urn:xmpp:forward:0"
MAM: Final = "urn:xmpp:mam:2"
RSM: Final = "http://jabber.org/protocol/rsm"
HINTS: Final = "urn:xmpp:hints"
RECEIPTS: Final = "urn:xmpp:receipts"
STATES: Final = "http://jabber.org/protocol/chatstates"
ROUNDS: Final = 2
"""Questions until what one of them caused has come: what is handed over asks back."""


@dataclass(eq=False)
class Said:
    """A message, and what has to become of it."""

    id: str
    by: Line
    to: str
    """The account."""
    full: str
    """The full JID; empty where it is for the account."""
    type: str
    content: str
    """What is in it: body, receipt or state."""
    hint: str
    kept: bool = False
    """Whether nobody was available for it, and it waits."""
    left: bool = False
    """Whether a session ended that hadn't acknowledged it: it may go to others, be kept, or come back."""
    unclaimed: bool = False
    """Whether nobody was available for it."""
    unsafe: bool = False
    """Whether it may be lost: a client without stream management had it, or not."""

    def __repr__(self) -> str:
        words = [self.id, self.by.name, "to", self.full or self.to, self.type, self.content, self.hint]
        return " ".join(filter(None, words))

    @property
    def archivable(self) -> bool:
        """XEP-0313 §6.1.1 and XEP-0334."""
        if self.type == "headline":
            return self.hint == "store"
        if self.hint in ("no-store", "no-permanent-store"):
            return False
        return self.content in ("body", "receipt") or self.hint == "store"

    @property
    def copied(self) -> bool:
        """XEP-0280 §6.1."""
        if self.hint in ("no-copy", "private"):
            return False
        return self.type == "chat" or self.content in ("receipt", "state") or self.type == "normal"

    @property
    def fate(self) -> str:
        """XEP-0160 §3."""
        if self.type == "headline" or (self.type == "chat" and self.content == "state" and self.hint != "store"):
            return "drop"
        return "refuse" if self.hint == "no-store" else "keep"

    def write(self) -> bytes:
        """As it is sent."""
        element = Element("message", CLIENT, type=self.type, id=self.id, to=self.full or f"{self.to}@localhost")
        if self.content == "receipt":
            element.append(Element("received", RECEIPTS, id="x"))
        elif self.content == "state":
            element.append(Element("composing", STATES))
        else:
            element.append(Element("body", CLIENT, self.id))
        if self.hint == "private":
            element.append(Element("private", CARBONS))
        elif self.hint:
            element.append(Element(self.hint, HINTS))
        return element.to_bytes()


@dataclass
class Got:
    """A message as a client was given it."""

    said: Said
    how: str
    """direct, copy or error."""
    uid: str
    delayed: bool
    handled: int
    """How many stanzas the client has had with it."""


class Device:
    """One program of somebody's, and what it has for good."""

    def __init__(self, account: str, number: int) -> None:
        self.account = account
        self.name = f"{account}{number}"
        self.has: set[Said] = set()
        """What the server knows to be here."""
        self.shown: dict[str, Said] = {}
        """What it shows, by the archive's ids, in its order."""
        self.errors: list[Said] = []
        self.line: Line | None = None
        self.reads = False
        """Whether it fetches what it missed."""


class Line:
    """A client's end of a session."""

    def __init__(self, device: Device, *, managing: bool, resumable: bool, seen: dict[str, Said]) -> None:
        self.device = device
        self.management = Management(resume=resumable) if managing else None
        self.resumable = managing and resumable
        self.client: TestClient
        self.jid = ""
        self.carbons = self.inactive = False
        self.priority: int | None = None
        self.online = self.alive = False
        self.due: list[tuple[Said, str]] = []
        """What it should be given, and how, in its order."""
        self.again: set[Said] = set()
        """What it may be given twice, since it had another rank meanwhile."""
        self.got: list[Got] = []
        self.confirmed = 0
        """How much of that the server knows to be here."""
        self.acknowledged = 0
        """How many stanzas that is."""
        self.unsent: list[Said] = []
        """What its connection was lost with, and the server hasn't had."""
        self.seen = seen
        """All messages there are, by id."""
        self.results: list[tuple[str, Said]] = []
        """What came out of the archive."""

    @property
    def name(self) -> str:
        return self.device.name

    # -- connections

    async def connect(self, server: TestServer, *, way: str, features: Iterable[Element] = ()) -> bool:
        """Log in; whether the session is a new one."""
        client = await server.raw()
        account = self.device.account
        stack = [one for one in CLIENT_FEATURES if one is not ClientStartTLS or way != "old"]
        policy = ClientPolicy(
            Credentials(account, PASSWORD), "" if way == "bind2" else self.device.name, tls_required=False,
            sasl2=way != "old", bind_inline=tuple(features) if way == "bind2" else (),
        )  # fmt: skip
        former = self.management.id if self.management else ""
        await client.log_in(policy, "localhost", managed(stack, self.management) if self.management else stack)
        self.client, self.jid, self.online = client, str(client.jid), True
        return not former or any(isinstance(event, NotResumed) for event in client.told)

    def send(self, what: Element | bytes) -> None:
        octets = what if isinstance(what, bytes) else what.to_bytes()
        if self.management is not None:
            self.management.sent(octets, 0)
        self.client.send(octets)

    async def read(self) -> None:
        """Take what has come until now; what was sent is acknowledged."""
        for _ in range(ROUNDS):
            if self.management is not None and (self.management.enabled or self.management.pending):
                self.client.send(request())
                while True:
                    element = await self.client.receive()
                    self.take(element)
                    if (element.name, element.ns) == ("a", SM):
                        break
            else:
                await self.ask(Element("iq", CLIENT, Element("ping", "urn:xmpp:ping"), type="get", to="localhost"))
        if self.management is None:
            self.confirm(len(self.got))

    async def ask(self, iq: Element) -> Element:
        iq.set("id", "asked")
        self.send(iq)
        while True:
            element = await self.client.receive()
            self.take(element)
            if element.name == "iq" and element.get("id") == "asked":
                assert element.get("type") == "result", element.to_bytes()
                return element

    async def acknowledge(self) -> None:
        if self.management is not None:
            self.acknowledged = self.management.ledger.handled
            self.client.send(acknowledgement(self.acknowledged))
            count = len(self.got)
            await self.read()
            self.confirm(count)

    def confirm(self, count: int) -> None:
        """The server knows that so many messages are here."""
        for got in self.got[self.confirmed : count]:
            if got.how == "error":
                self.device.errors.append(got.said)
            else:
                self.device.has.add(got.said)
                if self.management is not None and (got.said, got.how) not in self.due:  # others are asked, in a while
                    got.said.kept = False
                if got.uid and self.device.reads:
                    self.device.shown.setdefault(got.uid, got.said)
        self.confirmed = max(self.confirmed, count)

    def forget(self, handled: int) -> None:
        """Whatever came after so many stanzas hasn't been seen, after all."""
        assert self.management is not None
        self.management.ledger.handled = self.acknowledged = handled
        self.got = [got for got in self.got if got.handled <= handled]
        self.confirm(len(self.got))

    # -- what comes

    def take(self, element: Element) -> None:
        if element.ns == SM:
            if element.name != "r":
                assert self.management is not None
                self.management.handle(element)
            return
        if self.management is not None:
            self.management.count()
        if element.name == "iq" and element.get("type") == "get":
            self.send(Element("iq", CLIENT, type="result", id=element.get("id"), to=element.get("from")))
        if element.name != "message":
            return
        how = "direct"
        result = element.child("result", MAM)
        if result is not None:
            inner = result.child("forwarded", FORWARD)
            assert inner is not None
            message = inner.child("message", CLIENT)
            assert message is not None
            self.results.append((result.get("id"), self.seen[message.get("id")]))
            return
        for name in ("sent", "received"):
            copy = element.child(name, CARBONS)
            if copy is not None:
                assert element.get("from") == f"{self.device.account}@localhost"
                inner = copy.child("forwarded", FORWARD)
                assert inner is not None
                message = inner.child("message", CLIENT)
                assert message is not None
                element, how = message, "copy"
        if element.get("type") == "error":
            if how == "copy":
                return
            how = "error"
        uids = [one.get("id") for one in element.elements("stanza-id", "urn:xmpp:sid:0")]
        assert len(uids) <= 1, element.to_bytes()
        said = self.seen[element.get("id")]
        delayed = element.child("delay", "urn:xmpp:delay") is not None
        handled = self.management.ledger.handled if self.management is not None else 0
        self.got.append(Got(said, how, uids[0] if uids else "", delayed, handled))
        self.check(self.got[-1])

    def check(self, new: Got) -> None:
        """Whether that may come, now."""
        said = new.said
        pair = (said, new.how)
        twice = [got for got in self.got[:-1] if (got.said, got.how == "error") == (said, new.how == "error")]
        if said.unclaimed and new.how == "direct":  # who wasn't available had a copy, and is handed it over now
            twice = [got for got in twice if got.how == "direct"]
        if said.left and (said in self.again or said.by.device.account == said.to):
            twice = []
        assert not twice, f"{self.name} got {said} twice, {twice[0].how} and {new.how}"
        if new.how == "error":
            assert said.by.jid == self.jid, f"{self.name} got the error of {said}"
            assert pair in self.due or said.left, f"{said} came back"
        elif pair in self.due:
            if not new.delayed:
                last = self.due.index(pair)
                after = [
                    got for got in self.got[:-1]
                    if not got.delayed and (got.said, got.how) in self.due[last:] and got.how != "error"
                ]  # fmt: skip
                assert not after, f"{self.name} got {after[0].said} before {said}"
        else:
            assert said.to == self.device.account, f"{self.name} got {said}, which isn't for it"
            assert new.how == "direct", f"{self.name} got a copy of {said}"
            assert said.type in ("chat", "normal"), f"{self.name} got {said}"
            assert said.kept or said.left, f"{self.name} got {said}, which is over"

    def check_complete(self) -> None:
        """Whether all has come that should have."""
        got = {(one.said, one.how) for one in self.got}
        known = {one.said for one in self.got if one.how == "direct"}
        for said, how in self.due:
            if said.content == "state":  # newer ones take their place for a client that nobody looks at
                continue
            assert (said, how) in got or (how == "copy" and said in known), f"{self.name} never got {said} ({how})"

    def die(self) -> None:
        """The session is over, and what wasn't confirmed is seen as lost with it."""
        had = {(got.said, got.how) for got in self.got[: self.confirmed]}
        for said, how in self.due:
            if (said, how) not in had and how != "error":
                if self.management is None:
                    said.unsafe = True
                elif how == "direct":
                    said.left = True
        if self.management is None:
            for said in self.seen.values():
                if said.left and said.to == self.device.account:
                    said.unsafe = True
        self.alive = self.online = False
        if self.device.line is self:
            self.device.line = None
