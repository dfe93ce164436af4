"""The interface that a feature's client half is written against: ext/NAME/client.py, and third parties' alike.

A feature is a class. It declares what it speaks, marks the methods that take what comes in, and offers methods of its
own to programs, which find it by its type:

    class Versions(Feature):
        "Tells the software's version, and asks for others'."
        xeps = ((92, "1.1", ""),)
        features = (NS,)

        @iq_get(payloads.Version)
        def tell(self, request: Request[payloads.Version]) -> payloads.Version:
            return payloads.Version("Chirrup")

        async def of(self, jid: JID) -> payloads.Version:
            return await self.entity.request(payloads.Version(), to=jid)

    version = await client.need(Versions).of(jid)

Each client has an instance of its own, made when it is first needed. What comes in is a stranger's word: a feature
checks, by `own` or the sender, what only the own account or server may say.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Literal, TypeVar, overload

from chirrup.client.stanzas import Message, Presence
from chirrup.core.errors import LocalProtocolError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.record import record
from chirrup.core.xml import Element

if TYPE_CHECKING:
    from chirrup.client.client import Client
    from chirrup.client.entity import Entity

T = TypeVar("T", bound=Payload | Element)
P = TypeVar("P", bound=Payload)
F = TypeVar("F", bound="Feature")
Method = TypeVar("Method", bound=Callable[..., Any])

Name = tuple[str, str]
"""An element's name and namespace."""
Kind = Literal["get", "set", "message", "text", "presence", "filter", "message_out", "presence_out"]
Answer = Payload | Element | None


@record
class Request(Generic[T]):
    """An IQ get or set, with its payload parsed."""

    payload: T
    stanza: Element
    sender: JID
    own: bool
    """Whether the own account's server says it in the account's name: nobody else can."""


@record
class Identity:
    """What kind of thing an entity is (XEP-0030 §3.1)."""

    category: str
    type: str
    name: str = ""


@record
class Mark:
    """What a decorator notes on a method."""

    kind: Kind
    name: Name | None = None
    """The payload that it wants; None for any stanza of its kind."""
    payload: type[Payload] | None = None
    """The class by which that is parsed; None for one that wants the element."""
    own: bool = False


class Feature:
    """A feature of one client or component. A class attribute each for what it declares; a method each for what it
    does."""

    xeps: ClassVar[Sequence[tuple[int, str, str]]] = ()
    """What it implements: number, version and a note."""
    features: Sequence[str] = ()
    """Service discovery features that it adds. An instance may have its own."""
    identities: Sequence[Identity] = ()
    """Service discovery identities that it adds."""
    marks: ClassVar[tuple[tuple[str, Mark], ...]] = ()
    """The decorated methods by name. Made for each class."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.marks = tuple((name, mark) for name in dir(cls) for mark in getattr(getattr(cls, name), "__marks__", ()))

    def __init__(self, entity: Entity) -> None:
        """Called once. Here it may `need` others, which then come before it in all orders."""
        self.entity = entity

    @property
    def bind_inline(self) -> Sequence[Element]:
        """What the server is asked to switch on while it binds a resource (XEP-0386), where it can do that: then its
        namespace is in `entity.switched_on`, and `session_bound` needn't ask for it."""
        return ()

    @property
    def reads_archive(self) -> bool:
        """Whether it will look for what came while the client was away in the account's archive: then the server
        needn't deliver it (XEP-0386 §3.2), and the session begins a round trip sooner."""
        return False

    @property
    def client(self) -> Client:
        """The entity, for features that only clients have. Raises LocalProtocolError at a component."""
        from chirrup.client.client import Client

        if not isinstance(self.entity, Client):
            raise LocalProtocolError(f"{type(self).__name__} is for clients")
        return self.entity

    def need(self, feature: type[F]) -> F:
        """Another feature of the same client, switched on if it wasn't."""
        return self.entity.need(feature)

    async def session_bound(self) -> None:
        """A new session with the server has begun, and nothing of the former one holds. Called in the order in which
        features were switched on, each after the one before is done; the client is online when all are. What is
        raised here ends the attempt to connect; StanzaError only is logged."""

    async def session_ready(self) -> None:
        """All features are done with `session_bound`: the time to send presence."""

    def session_resumed(self) -> None:
        """The connection is a new one, the session still the same (XEP-0198): nothing was lost."""

    def session_ended(self) -> None:
        """The session is lost: forget what was of it."""

    def features_changed(self) -> None:
        """Something that service discovery tells was switched on while the entity is online."""


# -- decorators


def _note(mark: Mark) -> Callable[[Method], Method]:
    def note(method: Method) -> Method:
        method.__marks__ = (*getattr(method, "__marks__", ()), mark)  # type: ignore[attr-defined]
        return method

    return note


def marked(kind: Kind, payload: type[Payload] | Name | None = None, own: bool = False) -> Mark:
    """The mark of a handler for that payload, which is a class, or (name, namespace) to be given the element."""
    if payload is None or isinstance(payload, tuple):
        return Mark(kind, payload, None, own)
    return Mark(kind, (payload.NAME, payload.NS), payload, own)


RequestHandler = Callable[[Any, Request[T]], Answer | Awaitable[Answer]]


@overload
def iq_get(payload: type[P], *, own: bool = False) -> Callable[[RequestHandler[P]], RequestHandler[P]]: ...
@overload
def iq_get(payload: Name, *, own: bool = False) -> Callable[[RequestHandler[Element]], RequestHandler[Element]]: ...
def iq_get(payload: Any, *, own: bool = False) -> Any:
    """Answer IQs of type "get" with this payload: a class, or (name, namespace) to be given the element.

    The method gets a `Request` and returns the payload of the result (None for an empty one), or is async, or raises
    StanzaError. With `own` it answers only the own account's server; to others the payload is unknown."""
    return _note(marked("get", payload, own))


@overload
def iq_set(payload: type[P], *, own: bool = False) -> Callable[[RequestHandler[P]], RequestHandler[P]]: ...
@overload
def iq_set(payload: Name, *, own: bool = False) -> Callable[[RequestHandler[Element]], RequestHandler[Element]]: ...
def iq_set(payload: Any, *, own: bool = False) -> Any:
    """The same for IQs of type "set"."""
    return _note(marked("set", payload, own))


Whatever = None | Awaitable[None]
MessageHandler = Callable[[Any, Message], Whatever]
MessagePayloadHandler = Callable[[Any, Message, T], Whatever]
PresenceHandler = Callable[[Any, Presence], Whatever]
PresencePayloadHandler = Callable[[Any, Presence, T], Whatever]
FilterHandler = Callable[[Any, Message, T], Message | None]


@overload
def on_message() -> Callable[[MessageHandler], MessageHandler]: ...
@overload
def on_message(payload: type[P]) -> Callable[[MessagePayloadHandler[P]], MessagePayloadHandler[P]]: ...
@overload
def on_message(payload: Name) -> Callable[[MessagePayloadHandler[Element]], MessagePayloadHandler[Element]]: ...
def on_message(payload: Any = None) -> Any:
    """Take every message, errors too, or those with a payload, which the method gets as its second argument, parsed.
    One that is malformed, and those in errors, never come there. May be async; its first step still runs in the order
    of the messages."""
    return _note(marked("message", payload))


@overload
def on_presence() -> Callable[[PresenceHandler], PresenceHandler]: ...
@overload
def on_presence(payload: type[P]) -> Callable[[PresencePayloadHandler[P]], PresencePayloadHandler[P]]: ...
@overload
def on_presence(payload: Name) -> Callable[[PresencePayloadHandler[Element]], PresencePayloadHandler[Element]]: ...
def on_presence(payload: Any = None) -> Any:
    """The same for presence."""
    return _note(marked("presence", payload))


@overload
def filter_message(payload: type[P]) -> Callable[[FilterHandler[P]], FilterHandler[P]]: ...
@overload
def filter_message(payload: Name) -> Callable[[FilterHandler[Element]], FilterHandler[Element]]: ...
def filter_message(payload: Any) -> Any:
    """See messages with this payload before all handlers: what the method returns stands for the message from then on
    (a carbon copy's inner message for the copy), and None means that nobody sees it. A plain function."""
    return _note(marked("filter", payload))


def message_out(method: Callable[[Any, Message], None]) -> Callable[[Any, Message], None]:
    """See each `Message` that is sent, and put something in (not `Element`s, which are sent as they are)."""
    return _note(marked("message_out"))(method)


def presence_out(method: Callable[[Any, Presence], None]) -> Callable[[Any, Presence], None]:
    """The same for `Presence`."""
    return _note(marked("presence_out"))(method)


__all__: Final = [
    "Feature",
    "Identity",
    "Request",
    "filter_message",
    "iq_get",
    "iq_set",
    "message_out",
    "on_message",
    "on_presence",
    "presence_out",
]
