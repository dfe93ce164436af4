"""Giving a client the resource it asks for (RFC 6120 §7), with what the configuration says about conflicts."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

from chirrup.core.errors import StanzaError, StreamError
from chirrup.core.jid import JID
from chirrup.server.resume import away_since
from chirrup.server.session import Session

if TYPE_CHECKING:
    from chirrup.server.account import Account
    from chirrup.server.host import Host
    from chirrup.server.logs import Logger
    from chirrup.server.session import Wire


async def bind(
    host: Host,
    jid: JID,
    resource: str | None,
    wire: Wire,
    *,
    log: Logger,
    secure: bool,
    lang: str = "",
    data: Iterable[object] = (),
) -> Session:
    """A new session of the account `jid`, with `data` for who asks for it by its type. Raises the StanzaError that the
    client is answered with."""
    account = await (host.guest(jid.local) if host.anonymous else host.load(jid.local))
    if account is None:
        raise StanzaError("not-allowed", "the account is gone")
    resource = resource or _made_up()
    limits = host.server.config.limits
    older = account.sessions.get(resource)
    if older is not None:
        if older.detached or limits.resource_conflict == "replace":
            older.wire.fail(StreamError("conflict", "replaced by a new session"))
        elif limits.resource_conflict == "refuse":
            raise StanzaError("conflict", "another session has that resource")
        else:
            resource = _made_up()
    if len(account.sessions) >= limits.resources_per_account:
        _make_room(account)
    if len(account.sessions) >= limits.resources_per_account:
        raise StanzaError("resource-constraint", f"an account may have {limits.resources_per_account} sessions at most")
    full = account.jid.with_resource(resource)
    session = Session(account, full, wire, log=log.bind(jid=full.text), secure=secure, lang=lang)
    for item in data:
        session.put(item)
    _begin(session)
    return session


def _make_room(account: Account) -> None:
    """End the session whose client has been away for longest."""
    away = min(account.sessions.values(), key=away_since, default=None)
    if away is not None and away.detached:
        away.end()


def _begin(session: Session) -> None:
    """Make the session known; where a module fails at that it is forgotten again."""
    account = session.account
    account.sessions[session.jid.resource] = session
    account.host.accounts[account.jid.local] = account  # it may have been dropped for being idle
    try:
        for handler in account.host.hooks.session_bound:
            handler(session)
    except Exception:
        session.end()
        raise


def _made_up() -> str:
    return secrets.token_urlsafe(9)
