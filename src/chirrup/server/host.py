"""A virtual host: one domain with its accounts, modules and rules."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeGuard, TypeVar

from chirrup.core.errors import ChirrupError, ConfigError, StanzaError, StreamError
from chirrup.core.features import bind
from chirrup.core.features import session as legacy_session
from chirrup.core.jid import JID
from chirrup.core.stanza import reply
from chirrup.core.xml import Element
from chirrup.server import delivery, hooks
from chirrup.server.account import Account
from chirrup.server.config import MECHANISMS
from chirrup.server.iq import IQs, describe
from chirrup.server.logs import get_logger
from chirrup.server.management import INLINE, NONZAS
from chirrup.server.module import Addressee, IQMark, Module, Request
from chirrup.server.offers import Offers
from chirrup.server.pacing import Pacer
from chirrup.server.resume import Resumable
from chirrup.server.router import bounce
from chirrup.server.session import Origin, Session

if TYPE_CHECKING:
    from chirrup.net.clock import Clock
    from chirrup.server.app import Server
    from chirrup.server.config import HostConfig
    from chirrup.server.copies import Copies
    from chirrup.server.router import Router
    from chirrup.server.tokens import Tokens
    from chirrup.store import Store

M = TypeVar("M", bound=Module)

_MAX_IDLE_ACCOUNTS = 10_000
"""Accounts without a session that stay in memory."""
_LOOK_AFTER = 1_000
"""Accounts that come into memory between two looks at which of all can go: those who are online may be a great many."""


class Hooks:
    """The compiled handlers of a host: an attribute for each hook, a flat tuple in it."""

    def __init__(self, marked: list[tuple[str, hooks.Placement, Callable[..., Any]]]) -> None:
        for hook in hooks.EVERY:
            handlers = [item for item in marked if item[1].hook is hook]
            setattr(self, hook.name, hooks.compile_order(hook, handlers))

    def __getattr__(self, name: str) -> tuple[Callable[..., Any], ...]:
        raise AttributeError(f"there is no hook {name!r}")


class Host:
    """One domain of the server. Modules know the server through this object."""

    def __init__(self, server: Server, config: HostConfig, name: str) -> None:
        self.server = server
        self.config = config
        self.name = name
        self.jid = JID.parse(name)
        self.log = get_logger("chirrup.host", host=name)
        self.clock: Clock = server.clock
        self.store: Store = server.store
        self.router: Router = server.router
        self.accounts: dict[str, Account] = {}
        """The accounts in memory, by localpart; least recently loaded first."""
        self.modules: dict[type[Module], Module] = {}
        self._running: list[Module] = []  # those that were started
        self._offering: tuple[Module, ...] = ()  # those with stream features; most have none
        self.iq = IQs(self)
        self.offers = Offers(self)
        self.hooks = Hooks([])
        self._loaders: list[list[Callable[[Account], Awaitable[None]]]] = []  # which load beside one another
        self.copies: Copies = server.copies
        self.pacer = Pacer(self.clock, lambda: server.config.limits.acknowledgement_seconds)
        self.resumable = Resumable(self)
        self.nonzas: dict[tuple[str, str], Callable[[Session, Element], None]] = dict(NONZAS)
        """What takes a client's first-level elements that are no stanzas, by name and namespace."""
        self.bind_inline: dict[tuple[str, str], Callable[[Session, Element], Element | None]] = dict(INLINE)
        """What can be switched on while a resource is bound, by name and namespace (XEP-0386)."""
        self.tokens: Tokens | None = None
        """Who keeps the tokens of clients (XEP-0484), if anybody does."""
        self._loading: dict[str, asyncio.Task[Account | None]] = {}
        self._come = 0
        self._origin = HostOrigin(self)
        for addressee_iq in _NEGOTIATION:
            self.iq.add(*addressee_iq)

    # -- modules

    async def start(self, modules: list[Module]) -> None:
        """Switch the modules on: register their IQs, compile the hooks, start them."""
        self.modules = {type(module): module for module in modules}
        self._offering = tuple(
            module for module in modules if type(module).stream_features is not Module.stream_features
        )
        methods = {module: tuple(_methods(module)) for module in modules}
        for module in modules:
            for method in methods[module]:
                for mark in getattr(method, "__iqs__", ()):
                    self.iq.add(mark, method)
                _register(self.nonzas, getattr(method, "__nonzas__", ()), method)
                _register(self.bind_inline, getattr(method, "__inline__", ()), method)
        marked = [
            (module.name(), placement, method)
            for module in modules
            for method in methods[module]
            for placement in getattr(method, "__hooks__", ())
        ]
        self.hooks = Hooks(marked)
        self._loaders = hooks.side_by_side(hooks.account_loading, marked)
        for module in modules:
            await module.start()
            self._running.append(module)

    def stream_features(self, *, logged_in: bool, secure: bool) -> tuple[Element, ...]:
        """What the modules offer in <stream:features/>."""
        return tuple(
            feature
            for module in self._offering
            for feature in module.stream_features(logged_in=logged_in, secure=secure)
        )

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """The SASL mechanisms that the host takes, strongest first."""
        if self.anonymous:
            return ("ANONYMOUS",)
        return tuple(name for name in MECHANISMS if name in (self.config.mechanisms or MECHANISMS))

    async def stop(self) -> None:
        for session in list(self.sessions()):
            session.end()  # those whose clients were away: what waits for them is kept elsewhere
        for account in list(self.accounts.values()):
            if account.redelivering is not None:
                account.redelivering.finish()
        self.pacer.stop()
        while self._running:
            await self._running.pop().stop()

    def module(self, kind: type[M]) -> M:
        """The instance of a module on this host. ConfigError when it is switched off."""
        found = self.find_module(kind)
        if found is None:
            raise ConfigError(f"{self.name} needs the module {kind.name()!r}, which is switched off")
        return found

    def find_module(self, kind: type[M]) -> M | None:
        return self.modules.get(kind)  # type: ignore[return-value]

    # -- accounts

    async def load(self, local: str) -> Account | None:
        """The account of that localpart, brought into memory with what modules need of it; None if there is none."""
        account = self.accounts.get(local)
        if account is not None or self.anonymous:
            return account
        task = self._loading.get(local)
        if task is None:
            task = self._loading[local] = self.server.spawn(self._load(local))
            task.add_done_callback(lambda _: self._loading.pop(local, None))
        return await asyncio.shield(task)

    async def _load(self, local: str) -> Account | None:
        if not await self.store.accounts.exists(self.name, local):
            return None
        return await self._bring_in(local)

    async def guest(self, local: str) -> Account:
        """The account of somebody who logs in to an anonymous host. It is forgotten with its last session."""
        return self.accounts.get(local) or await self._bring_in(local)

    async def _bring_in(self, local: str) -> Account:
        account = Account(self, JID.of(local, self.name))
        for beside in self._loaders:
            await asyncio.gather(*[handler(account) for handler in beside])
        self.accounts[local] = account
        self._forget_idle()
        return account

    @property
    def anonymous(self) -> bool:
        """Whether this host makes an account for each log-in, which ends with it (XEP-0175)."""
        return self.config.authentication == "anonymous"

    def _forget_idle(self) -> None:
        self._come += 1
        if self._come < _LOOK_AFTER or len(self.accounts) <= _MAX_IDLE_ACCOUNTS:
            return
        self._come = 0
        idle = [local for local, account in self.accounts.items() if not (account.sessions or account.redelivering)]
        for local in idle[: max(0, len(idle) - _MAX_IDLE_ACCOUNTS // 2)]:
            del self.accounts[local]

    def forget(self, account: Account) -> None:
        """Drop an account from memory: it was removed, or what is stored of it has changed elsewhere."""
        self.accounts.pop(account.jid.local, None)

    async def remove_account(self, local: str, *, spare: JID | None = None) -> bool:
        """Remove an account and all that it owns, ending its sessions; False if there was none.

        Durable when this returns. The caller ends the session `spare`, once it has been told."""
        account = await self.load(local)
        if account is None:
            return False
        await self.store.messages.clear(account.jid.text)  # which takes a while where they are many
        for handler in self.hooks.account_removed:
            waiting = handler(account)
            if waiting is not None:
                await waiting
        await self.store.accounts.remove(self.name, local)
        account = self.accounts.pop(local, account)  # what can't be delivered any more isn't kept for it either
        error = StreamError("not-authorized", "the account was removed")  # as in RFC 6120 §4.9.3.12
        self.end_sessions(account, error, spare=spare)
        return True

    def end_sessions(self, account: Account, error: StreamError, *, spare: JID | None = None) -> None:
        """Close every stream of an account, but that of `spare`; none can be resumed."""
        for session in list(account.sessions.values()):
            if session.jid != spare:
                session.wire.fail(error)

    def password_changed(self, local: str, *, spare: JID | None = None) -> None:
        """An account has a new password: whoever logged in with the former one is sent away, but for the session
        `spare`, which has set it."""
        if (account := self.accounts.get(local)) is not None:
            self.end_sessions(account, StreamError("reset", "the password was changed; log in again"), spare=spare)

    # -- stanzas

    def receive(self, stanza: Element, to: JID, sender: JID, origin: Origin) -> Awaitable[None] | None:
        """Take a stanza for this host or one of its accounts."""
        if not to.local:
            return self._receive_own(stanza, to, sender, origin)
        if stanza.name == "iq" and not to.resource:
            return self.iq.receive(stanza, to, sender, origin)
        account = self.accounts.get(to.local)
        if account is None:
            if stanza.name == "presence" and stanza.attrs.get("type") in (None, "unavailable"):
                return self._unseen(stanza, to, sender)
            return self._receive_later(stanza, to, sender, origin)
        if account.redelivering is not None and stanza.name == "message":
            return self._receive_later(stanza, to, sender, origin)
        self._deliver(account, stanza, to, sender, origin)
        return None

    def _unseen(self, stanza: Element, to: JID, sender: JID) -> Awaitable[None] | None:
        """Presence that no session is there to see."""
        handlers = self.hooks.presence_unseen
        if not handlers:
            return None
        return _all([found for handler in handlers if (found := handler(stanza, to, sender)) is not None])

    async def _receive_later(self, stanza: Element, to: JID, sender: JID, origin: Origin) -> None:
        account = await self.load(to.local)
        if account is not None and account.redelivering is not None and stanza.name == "message":
            await account.redelivering.over
            account = await self.load(to.local)
        if account is not None:
            self._deliver(account, stanza, to, sender, origin)
        elif stanza.name == "presence":
            if stanza.attrs.get("type") == "probe":  # RFC 6121 §4.3.2: the subscription is to nothing
                self.send(reply(stanza, "unsubscribed").set("from", to.bare))
        elif stanza.attrs.get("type") not in ("headline", "error"):
            bounce(stanza, origin, StanzaError("service-unavailable"))  # RFC 6121 §8.5.1

    def _deliver(self, account: Account, stanza: Element, to: JID, sender: JID, origin: Origin) -> None:
        match stanza.name:
            case "message":
                delivery.message(account, stanza, to, origin)
            case "presence":
                delivery.presence(account, stanza, to, sender, origin)
            case _:
                delivery.iq(account, stanza, to, sender, origin)

    def _receive_own(self, stanza: Element, to: JID, sender: JID, origin: Origin) -> Awaitable[None] | None:
        """A stanza for the domain itself (RFC 6121 §8.4 leaves its presence and messages to us)."""
        if stanza.name == "iq" and not to.resource:
            return self.iq.receive(stanza, to, sender, origin)
        if stanza.name == "message":
            for handler in self.hooks.host_message:
                if dealt := handler(stanza, sender, origin):
                    return None if dealt is True else dealt
        if stanza.name != "presence":
            bounce(stanza, origin, StanzaError("service-unavailable"))
        return None

    def send(self, stanza: Element) -> None:
        """Route a stanza that the server itself makes; it must have `from` and `to`."""
        waiting = self.router.route(
            stanza, JID.parse(stanza.attrs["to"]), JID.parse(stanza.attrs["from"]), self._origin
        )
        if waiting is not None:
            self.server.spawn(waiting)

    def is_session(self, origin: Origin) -> TypeGuard[Session]:
        return type(origin) is Session

    def sessions(self) -> Iterator[Session]:
        """Every session of this host."""
        for account in self.accounts.values():
            yield from account.sessions.values()


class HostOrigin:
    """The origin of what the server itself sends: nobody waits for an answer."""

    patient = True

    def __init__(self, host: Host) -> None:
        self._host = host

    def answer(self, stanza: Element) -> None:
        self._host.log.debug("the server's own stanza was answered", kind=stanza.get("type"), sender=stanza.get("from"))

    def hold(self, stored: asyncio.Future[Any], stanza: Element) -> None:
        def settled(future: asyncio.Future[Any]) -> None:
            if not future.cancelled() and (error := future.exception()) is not None:
                self._host.log.error("a stanza could not be stored", reason=str(error), to=stanza.get("to"))

        stored.add_done_callback(settled)


async def _all(waiting: list[Awaitable[None]]) -> None:
    for each in waiting:
        await each


def _no_second_resource(request: Request[Element]) -> None:
    raise StanzaError("not-allowed", "a stream has one resource, and this one has it already")


def _begin_session(request: Request[Element]) -> None:
    """RFC 3921 §3: nothing is left to do."""


_MARKS: Final = ("__iqs__", "__hooks__", "__nonzas__", "__inline__")
_SERVER: Final = (Addressee.OWN, Addressee.HOST)
_NEGOTIATION: Final = (
    (IQMark("set", ("bind", bind.NS), _SERVER, before_login=False), _no_second_resource),
    (IQMark("set", ("session", legacy_session.NS), _SERVER, before_login=False), _begin_session),
)
"""What clients send when the stream is negotiated already."""


def _register(
    table: dict[tuple[str, str], Callable[..., Any]], keys: Iterable[tuple[str, str]], method: Callable[..., Any]
) -> None:
    """ChirrupError where somebody else takes these elements already."""
    for key in keys:
        if key in table:
            raise ChirrupError(f"both {describe(method)} and {describe(table[key])} take <{key[0]} xmlns='{key[1]}'/>")
        table[key] = method


def _methods(module: Module) -> Iterator[Callable[..., Any]]:
    """The module's methods that carry marks, in the order in which they are written."""
    seen: set[str] = set()
    for cls in reversed(type(module).__mro__):
        for name, value in vars(cls).items():
            if name not in seen and any(hasattr(value, mark) for mark in _MARKS):
                seen.add(name)
                yield getattr(module, name)
