"""The interface that a feature of the server is written against; ours and third parties' alike.

A module declares as data what it is for and what it speaks, and handles what it asked for:

    class Ping(Module):
        "Answers pings."
        xeps = [Xep(199, "2.0.1")]
        features = [NS]

        @iq_get(payloads.Ping, to=[Addressee.HOST, Addressee.ACCOUNT])
        def pong(self, request: Request[payloads.Ping]) -> None:
            return None

A handler of an IQ receives the parsed payload in a `Request` and returns the payload of the result (`None` for an empty
one), an awaitable of that (or of `Later`), or raises `StanzaError`. It never builds the envelope.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.record import record
from chirrup.core.xml import Element
from chirrup.server.account import Account
from chirrup.server.asking import Asker
from chirrup.server.limits import network
from chirrup.server.redelivery import Redelivery
from chirrup.server.router import bounce
from chirrup.server.session import Origin, Session

if TYPE_CHECKING:
    from chirrup.server.host import Host

__all__ = [
    "Account",
    "Addressee",
    "Asker",
    "Identity",
    "Later",
    "Module",
    "Origin",
    "Redelivery",
    "Request",
    "Session",
    "Settings",
    "Xep",
    "bind_inline",
    "bounce",
    "iq_get",
    "iq_set",
    "network",
    "nonza",
]


@record
class Xep:
    """A specification that a module implements, and in which version."""

    number: int
    version: str
    note: str = ""


@record
class Identity:
    """A service discovery identity (XEP-0030 §3.1)."""

    category: str
    type: str
    name: str = ""


class Addressee(enum.Enum):
    """To whom an IQ is addressed, as the server sees it (RFC 6121 §8.5, RFC 6120 §10.3)."""

    HOST = "the host itself"
    OWN = "the sender's own account, by no address or its bare JID"
    ACCOUNT = "somebody's account, by its bare JID; the server answers for it"


class Settings(BaseModel):
    """The base of a module's settings: pydantic, frozen, unknown keys refused."""

    # Validators are built when there is something to validate: most modules are as by default, and a start is quicker.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


T = TypeVar("T", bound=Payload | Element)
M = TypeVar("M", bound="Module")

Answer = Payload | Element | None


@record
class Later:
    """What a handler of an IQ that waits may return in place of the answer, where that takes very long and changes
    nothing: the sender's next stanzas don't wait for it. How many somebody may have open, the handler bounds."""

    answer: Awaitable[Answer]


@record
class Request(Generic[T]):
    """An IQ get or set, with its payload parsed."""

    payload: T
    stanza: Element
    sender: JID
    to: JID
    """Whom it is for: the host's JID, or an account's bare JID."""
    session: Session | None
    """The sender's session, where it is a client of this server."""
    account: Account | None
    """The account it is addressed to, for `OWN` and `ACCOUNT`."""
    peer: str = ""
    """The IP address of a client that hasn't logged in yet."""
    stream: dict[type, Any] = field(default_factory=dict)
    """What modules keep for the stream of such a client until it logs in, by type."""


@record
class IQMark:
    """What `iq_get` and `iq_set` note on a method."""

    kind: Literal["get", "set"]
    payload: type[Payload] | tuple[str, str]
    addressees: tuple[Addressee, ...]
    before_login: bool
    even_missing: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """Kind, namespace and name of what is handled."""
        if isinstance(self.payload, tuple):
            return self.kind, self.payload[1], self.payload[0]
        return self.kind, self.payload.NS, self.payload.NAME


Method = TypeVar("Method", bound=Callable[..., Answer | Awaitable[Answer | Later]])


def _mark(kind: Literal["get", "set"]) -> Callable[..., Callable[[Method], Method]]:
    def decorator(
        payload: type[Payload] | tuple[str, str],
        *,
        to: Iterable[Addressee] = (Addressee.HOST,),
        before_login: bool = False,
        even_missing: bool = False,
    ) -> Callable[[Method], Method]:
        """Handle IQs with this payload: a class, or (name, namespace) to be given the bare `Element`.

        `before_login` lets streams that are not authenticated yet ask too; their request has no session.
        `even_missing` is for those who must not tell which accounts exist: they are asked about accounts that don't,
        too, and their request has no account then; for others that is answered with "service-unavailable"."""
        mark = IQMark(kind, payload, tuple(to), before_login, even_missing)

        def note(method: Method) -> Method:
            method.__iqs__ = [*getattr(method, "__iqs__", ()), mark]  # type: ignore[attr-defined]
            return method

        return note

    return decorator


iq_get: Final = _mark("get")
iq_set: Final = _mark("set")

NonzaMethod = TypeVar("NonzaMethod", bound=Callable[..., None])
InlineMethod = TypeVar("InlineMethod", bound=Callable[..., Element | None])


def nonza(name: str, ns: str) -> Callable[[NonzaMethod], NonzaMethod]:
    """Handle a first-level element that is no stanza (XEP-0360) and comes from a client that has bound a resource.

    The method is given the session and the element. It must not wait; it may raise StreamError."""

    def note(method: NonzaMethod) -> NonzaMethod:
        method.__nonzas__ = [*getattr(method, "__nonzas__", ()), (name, ns)]  # type: ignore[attr-defined]
        return method

    return note


def bind_inline(name: str, ns: str) -> Callable[[InlineMethod], InlineMethod]:
    """Handle an element by which a client switches something on while it binds a resource (XEP-0386 §3.2); the
    namespace is offered there.

    The method is given the new session and the element, and returns what the client finds in `<bound/>`, if anything.
    It must not wait."""

    def note(method: InlineMethod) -> InlineMethod:
        method.__inline__ = [*getattr(method, "__inline__", ()), (name, ns)]  # type: ignore[attr-defined]
        return method

    return note


class Module:
    """A feature of one host. A class attribute each for what it declares; a method each for what it does.

    An instance lives as long as its host has the module switched on. Modules find each other by type, with `need`.
    """

    summary: ClassVar[str] = ""
    """What it is for, in a line; the class's docstring where left empty."""
    xeps: ClassVar[Sequence[Xep]] = ()
    features: Sequence[str] = ()
    """Service discovery features of the host. An instance whose settings say otherwise has its own."""
    account_features: Sequence[str] = ()
    """Service discovery features of each account (its bare JID)."""
    identities: ClassVar[Sequence[Identity]] = ()
    account_identities: ClassVar[Sequence[Identity]] = ()
    """Service discovery identities of each account."""
    needs: ClassVar[Sequence[str]] = ()
    """Names of modules without which it is of no use. A default module is left out where one of them is; one that was
    enabled is refused then."""
    needs_accounts: ClassVar[bool] = False
    """Whether it is left out on anonymous hosts, whose accounts end with their session."""
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, host: Host, settings: Any) -> None:
        self.host = host
        self.settings = settings

    @classmethod
    def name(cls) -> str:
        """The name under which configuration and other modules' "before" and "after" know it: its folder's in ext/,
        else its file's."""
        parts = cls.__module__.split(".")
        return parts[-2] if parts[-1] == "server" and len(parts) > 1 else parts[-1]

    @classmethod
    def describe(cls) -> str:
        return cls.summary or (cls.__doc__ or "").strip().split("\n")[0]

    def need(self, module: type[M]) -> M:
        """The instance of another module on this host; raises ConfigError when it is switched off."""
        return self.host.module(module)

    def stream_features(self, *, logged_in: bool, secure: bool) -> Iterable[Element]:
        """Elements to offer in `<stream:features/>`, before log-in or after it."""
        return ()

    async def start(self) -> None:
        """Called once, when all modules of the host exist."""

    async def stop(self) -> None:
        """Called when the module is switched off or the server stops."""
