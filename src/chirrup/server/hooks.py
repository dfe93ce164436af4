"""The named points of a stanza's way at which modules act.

Each `Hook` below is a typed decorator for a module's methods:

    class MessageOfTheDay(Module):
        @hooks.session_available(after=["offline"])
        def greet(self, session: Session) -> None: ...

A host collects the decorated methods of its modules and compiles them, ordered by "before" and "after", into one flat
tuple a hook, so that a stanza costs the handlers that want it and nothing for those that don't.

Handlers of the stanza hooks are plain functions: they run on the stanza's way and must not wait. Where one returns
`True` it has dealt with the stanza, and neither later handlers nor the rules of delivery see it. Handlers that may wait
are marked `async` here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, TypeVar

from chirrup.core.errors import ChirrupError
from chirrup.core.record import record

if TYPE_CHECKING:
    from chirrup.core.jid import JID
    from chirrup.core.payload import Payload
    from chirrup.core.xml import Element
    from chirrup.server.account import Account
    from chirrup.server.redelivery import Redelivery
    from chirrup.server.session import Origin, Session

P = ParamSpec("P")
R = TypeVar("R")

Verdict = bool | None
"""What a handler on a stanza's way returns: `True` when it has dealt with the stanza."""


@record
class Placement:
    """Which hook a method handles, and next to which other modules."""

    hook: Hook[Any, Any]
    before: tuple[str, ...]
    after: tuple[str, ...]


class Hook(Generic[P, R]):
    """One named point. Calling it makes a decorator for a module's method."""

    def __init__(self, name: str, purpose: str) -> None:
        self.name = name
        self.purpose = purpose

    def __call__(
        self, *, before: Iterable[str] = (), after: Iterable[str] = ()
    ) -> Callable[[Callable[Concatenate[Any, P], R]], Callable[Concatenate[Any, P], R]]:
        """`before` and `after` name modules between which this handler has to stand."""
        placement = Placement(self, tuple(before), tuple(after))

        def mark(method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
            marks = [*getattr(method, "__hooks__", ()), placement]
            method.__hooks__ = marks  # type: ignore[attr-defined]
            return method

        return mark

    def __repr__(self) -> str:
        return f"hooks.{self.name}"


# -- components

component_connected: Final[Hook[[JID], None]] = Hook(
    "component_connected",
    "An external component has connected (XEP-0114): its domain. What is sent to it now comes before what waited.",
)
component_disconnected: Final[Hook[[JID], None]] = Hook(
    "component_disconnected", "An external component has lost its connection: its domain."
)

# -- accounts and sessions

account_loading: Final[Hook[[Account], Awaitable[None]]] = Hook(
    "account_loading",
    "An account comes into memory: load what will be needed of it. async; side by side with others, but for those "
    "that it says it comes after",
)
address_reported: Final[Hook[[Account, JID, Element], None]] = Hook(
    "address_reported", "An account has blocked an address and reports it (XEP-0377): the address, and the <report/>."
)
account_removed: Final[Hook[[Account], Awaitable[None] | None]] = Hook(
    "account_removed", "An account is about to be removed, its data still there: tell others. async"
)
roster_changed: Final[Hook[[Account, Payload], None]] = Hook(
    "roster_changed", "An item of an account's roster is new, another or gone: the <query/> that tells of it."
)
session_bound: Final[Hook[[Session], None]] = Hook("session_bound", "A client has bound a resource.")
session_told: Final[Hook[[Session], Awaitable[Element | None]]] = Hook(
    "session_told",
    "A client has bound a resource while it logged in (XEP-0386), and what it switched on is on: what it is told of "
    "its account in <bound/>, if anything. async; what is written to the session meanwhile comes behind that",
)
session_available: Final[Hook[[Session], None]] = Hook(
    "session_available", "A session sent its first presence without type since it was bound or unavailable."
)
session_detached: Final[Hook[[Session], None]] = Hook(
    "session_detached", "A session has lost its connection, and waits for its client to come back (XEP-0198 §5)."
)
session_resumed: Final[Hook[[Session], None]] = Hook(
    "session_resumed", "A client has come back to its session on another connection."
)
session_active: Final[Hook[[Session], None]] = Hook(
    "session_active", "Somebody looks at a client again that said it was inactive (XEP-0352)."
)
session_acknowledged: Final[Hook[[Session], None]] = Hook(
    "session_acknowledged", "A client has acknowledged stanzas that it was given (XEP-0198 §4)."
)
session_closed: Final[Hook[[Session], None]] = Hook(
    "session_closed", "A session has ended; it is no longer among its account's sessions."
)

# -- what local clients send, before it is routed

message_out: Final[Hook[[Session, Element, JID], Verdict]] = Hook("message_out", "A client sends a message to a JID.")
message_refused: Final[Hook[[Session, Element], None]] = Hook(
    "message_refused", "A message that a client has sent is answered by this server itself: the error."
)
message_in_name: Final[Hook[[Account, Element, JID, Origin], None]] = Hook(
    "message_in_name",
    "A message to a JID is sent in an account's name by none of its clients, but by somebody who may (XEP-0356), who "
    "is told where it can't be stored.",
)
presence_out: Final[Hook[[Session, Element], Verdict]] = Hook(
    "presence_out", "A client sends presence without an address: available or unavailable."
)
presence_directed: Final[Hook[[Session, Element, JID], Verdict]] = Hook(
    "presence_directed", "A client sends presence to a JID: available, unavailable, a probe or an error."
)
subscription_out: Final[Hook[[Session, Element, JID], Verdict | Awaitable[None]]] = Hook(
    "subscription_out",
    "A client sends subscribe, subscribed, unsubscribe or unsubscribed to a bare JID. An awaitable is `True`, with "
    "something that the client's next stanza waits for.",
)
iq_out: Final[Hook[[Session, Element, JID], Verdict]] = Hook("iq_out", "A client sends an IQ to another entity.")

# -- what arrives for the host itself

host_message: Final[Hook[[Element, JID, Origin], Verdict | Awaitable[None]]] = Hook(
    "host_message",
    "A message arrives for the host's own address: the sender. An awaitable is `True`, with something that the "
    "sender's next stanza waits for. One that nobody deals with is refused.",
)

# -- what arrives for a local account, before it is delivered

message_in: Final[Hook[[Account, Element, JID, Origin], Verdict]] = Hook(
    "message_in", "A message arrives for an account, at its bare or a full JID (given)."
)
message_archiving: Final[Hook[[Account, Element, JID, Origin], None]] = Hook(
    "message_archiving",
    "A message for an account is about to be delivered, or kept where nobody is there for it; what is noted of it by "
    "`host.copies` is withdrawn if it is refused after all.",
)
message_unclaimed: Final[Hook[[Account, Element, JID, Origin], Verdict]] = Hook(
    "message_unclaimed", "A message that no session can receive now, but that may be kept (RFC 6121 §8.5.2.2)."
)
message_delivered: Final[Hook[[Account, Element, Sequence[Session]], None]] = Hook(
    "message_delivered", "A message was given to these sessions."
)
message_redelivered: Final[Hook[[Account, Element, Redelivery], None]] = Hook(
    "message_redelivered",
    "A message that a client never acknowledged is about to be given to others: add those to its `receivers` that have "
    "it already (XEP-0198 §4).",
)
iq_in: Final[Hook[[Account, Element, Session, JID, Origin], Verdict]] = Hook(
    "iq_in", "An IQ get or set arrives for one of an account's sessions: the session, and the sender."
)
presence_in: Final[Hook[[Account, Element, JID, JID], Verdict]] = Hook(
    "presence_in", "Presence for an account: available, unavailable, probe or an error; addressee and sender."
)
presence_arrived: Final[Hook[[Account, Element, JID, JID], None]] = Hook(
    "presence_arrived",
    "Available or unavailable presence is delivered to an account: of people elsewhere, or directed; addressee and "
    "sender. What contacts on this host broadcast isn't among it.",
)
presence_unseen: Final[Hook[[Element, JID, JID], Awaitable[None] | None]] = Hook(
    "presence_unseen",
    "Available or unavailable presence for a localpart whose account isn't in memory, or doesn't exist; addressee and "
    "sender. An awaitable is something that the sender's next stanza waits for.",
)
subscription_in: Final[Hook[[Account, Element, JID, Origin], Verdict]] = Hook(
    "subscription_in", "subscribe, subscribed, unsubscribe or unsubscribed for an account; the sender's bare JID."
)
subscription_changed: Final[Hook[[Account, JID, str, str], None]] = Hook(
    "subscription_changed",
    "The subscription of an account's contact was the first (none, to, from or both) and is the second now; both are "
    "the same when the contact asked again for what it has.",
)

EVERY: Final[tuple[Hook[Any, Any], ...]] = tuple(value for value in list(globals().values()) if isinstance(value, Hook))
"""All hooks, in the order in which they are described here."""


Handler = Callable[..., Any]


def compile_order(hook: Hook[Any, Any], handlers: Sequence[tuple[str, Placement, Handler]]) -> tuple[Handler, ...]:
    """The handlers of one hook in an order that keeps every "before" and "after"; else in the order given.

    Raises ChirrupError where the wishes contradict each other.
    """
    names = {name for name, _, _ in handlers}
    graph: dict[str, set[str]] = {name: set() for name, _, _ in handlers}  # whom each comes after
    for name, placement, _ in handlers:
        graph[name].update(other for other in placement.after if other in names)
        for other in placement.before:
            if other in names:
                graph[other].add(name)
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as error:
        around = " → ".join(reversed(error.args[1]))
        raise ChirrupError(f"{hook!r}: modules want to stand before one another: {around}") from None
    given = list(graph)
    order: dict[str, int] = {}
    ready: list[str] = []
    while sorter.is_active():
        ready = sorted([*ready, *sorter.get_ready()], key=given.index)
        order[ready[0]] = len(order)
        sorter.done(ready.pop(0))
    return tuple(handler for _, _, handler in sorted(handlers, key=lambda item: order[item[0]]))


def side_by_side(hook: Hook[Any, Any], handlers: Sequence[tuple[str, Placement, Handler]]) -> list[list[Handler]]:
    """The handlers of an async hook in groups: each handler is in a later group than those it comes after."""
    of_hook = [item for item in handlers if item[1].hook is hook]
    group: dict[str, int] = {}
    groups: list[list[Handler]] = []
    for handler in compile_order(hook, of_hook):
        name, placement, _ = next(item for item in of_hook if item[2] == handler)
        later = {other for other, one, _ in of_hook if name in one.before}
        group[name] = max([group.get(other, -1) + 1 for other in (*placement.after, *later)], default=0)
        if group[name] == len(groups):
            groups.append([])
        groups[group[name]].append(handler)
    return groups
