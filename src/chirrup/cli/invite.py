"""`chirrup invite`: a link, and a QR code, for somebody who is to have an account."""

from __future__ import annotations

import sys
import time
from datetime import datetime

import segno

from chirrup.cli.accounts import account_jid, with_store
from chirrup.core.errors import ChirrupError
from chirrup.core.jid import JID
from chirrup.ext.invitations.invitation import MOST_DAYS, Invitation, Invitations
from chirrup.ext.invitations.server import Inviting
from chirrup.ext.registration.server import TAKES_TOKENS, Registration
from chirrup.server.config import Config, module_settings
from chirrup.server.modules import chosen
from chirrup.store import Store


def invite(config: Config, address: str | None, inviter: str | None, days: float | None, *, code: bool) -> None:
    """Print the link. `address` is an account's, reserved for whoever comes, or a host's, where they choose."""
    invitation, host = _invitation(config, address, inviter)
    settings = module_settings(config, host, "invitations", Inviting.Settings)
    if days is not None and not 0 < days <= MOST_DAYS:
        raise ChirrupError(f"an invitation is good for {MOST_DAYS:,} days at most")
    now = time.time()
    expires = now + (settings.days if days is None else days) * 86_400

    async def work(store: Store) -> str:
        if inviter and not await store.accounts.exists(host, JID(inviter).local):
            raise ChirrupError(f"{inviter}: there is no such account")
        if invitation.username and await store.accounts.exists(host, invitation.username):
            raise ChirrupError(f"{invitation.username}@{host} exists already; chirrup user passwd sets its password")
        kept = Invitation(invitation.inviter, invitation.username, expires=expires)
        return await Invitations(store, host).create(kept, now=now)

    token = with_store(config, work)
    link = invitation.link(host, token)
    print(settings.landing_url.replace("{token}", token).replace("{uri}", link) or link)
    if code:
        segno.make(link, error="l").terminal(compact=True)
    until = datetime.fromtimestamp(expires).astimezone()
    print(f"It can be used once, until {until:%Y-%m-%d %H:%M %Z}.", file=sys.stderr)


def _invitation(config: Config, address: str | None, inviter: str | None) -> tuple[Invitation, str]:
    """What is to be kept, and the host that it is for. Raises ChirrupError."""
    jid = JID(address) if address else JID(JID(inviter).domain if inviter else next(iter(config.hosts)))
    if jid.local:
        jid = account_jid(config, jid.text)
    host = config.hosts.get(jid.domain)
    if host is None:
        raise ChirrupError(f"{jid}: {jid.domain} is not served here; the configuration has {', '.join(config.hosts)}")
    missing = {"invitations", "registration", "commands", "administration", "roster"} - set(
        chosen(host.modules_enabled, host.modules_disabled)
    )
    if host.authentication == "anonymous" or missing:
        raise ChirrupError(
            f"{jid.domain} takes no invitations" + (f" without {' and '.join(sorted(missing))}" if missing else "")
        )
    mode = module_settings(config, jid.domain, "registration", Registration.Settings).mode
    if mode not in TAKES_TOKENS:
        raise ChirrupError(f'nobody can register at {jid.domain}: modules.registration.mode is "{mode}"')
    who = account_jid(config, inviter).text if inviter else ""
    if who and JID(who).domain != jid.domain:
        raise ChirrupError(f"{who} can't invite to {jid.domain}, being elsewhere")
    return Invitation(who, jid.local), jid.domain
