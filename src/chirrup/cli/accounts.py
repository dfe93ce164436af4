"""What the `chirrup user` commands do with one account, or list of all."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, TypeVar

from chirrup.cli.passwords import new_password
from chirrup.core.errors import ChirrupError
from chirrup.core.jid import JID
from chirrup.server.admin import tell
from chirrup.server.auth import make_keys
from chirrup.server.config import Config
from chirrup.store import Store

T = TypeVar("T")

_REMOVAL: Final = 3600.0
"""Seconds that a server may take to remove an account: one with a million messages takes it most of a minute."""


def account_jid(config: Config, text: str) -> JID:
    """The address of an account that may exist under this configuration. Raises ChirrupError."""
    jid = JID(text)
    if not jid.local or jid.resource:
        raise ChirrupError(f"{text}: an account's address is like alice@{next(iter(config.hosts))}")
    host = config.hosts.get(jid.domain)
    if host is None:
        raise ChirrupError(f"{text}: {jid.domain} is not served here; the configuration has {', '.join(config.hosts)}")
    if host.authentication == "anonymous":
        raise ChirrupError(f"{text}: {jid.domain} has no accounts; everybody is an anonymous guest there")
    return jid


@asynccontextmanager
async def open_store(config: Config) -> AsyncIterator[Store]:
    """The store, beside a server that may run, as the user whom the data folder belongs to.

    A data folder that isn't there yet is made, and told of: it may be that another one was meant."""
    if not config.data.is_dir():
        print(f"making the data folder {config.data}", file=sys.stderr)
        config.data.mkdir(mode=0o700, parents=True)
    _become_owner(config)
    store = await Store.open(config.store_url)
    try:
        yield store
    finally:
        await store.close()


def with_store(config: Config, work: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
    """Run something with the store open."""

    async def run() -> T:
        async with open_store(config) as store:
            return await work(store)

    return asyncio.run(run())


def add(config: Config, text: str, password: str | None) -> None:
    jid = account_jid(config, text)
    if _exists(config, jid):
        raise ChirrupError(f"{jid} exists already; chirrup user passwd sets its password")
    keys = make_keys(new_password(password, str(jid)))

    async def work(store: Store) -> None:
        await store.accounts.create(jid.domain, jid.local, keys, created=time.time())

    with_store(config, work)
    print(f"{jid} is added")


def set_password(config: Config, text: str, password: str | None) -> None:
    jid = account_jid(config, text)
    if not _exists(config, jid):
        raise _unknown(jid)
    keys = make_keys(new_password(password, str(jid)))

    async def work(store: Store) -> bool:
        return await store.accounts.set_keys(jid.domain, jid.local, keys)

    if not with_store(config, work):
        raise _unknown(jid)
    tell(config.admin_socket, "password_changed", jid=str(jid))
    print(f"{jid} has a new password")


def remove(config: Config, text: str, *, ask_first: bool) -> None:
    """A running server does it itself, as it ends the account's sessions and tells its contacts."""
    jid = account_jid(config, text)
    if ask_first and not _agreed(f"Remove {jid}, with its contacts and messages?"):
        raise ChirrupError(f"{jid} stays")
    runs, removed = tell(config.admin_socket, "remove_account", timeout=_REMOVAL, jid=str(jid))
    if not runs:

        async def work(store: Store) -> bool:
            await store.messages.clear(jid.text)
            return await store.accounts.remove(jid.domain, jid.local)

        removed = with_store(config, work)
    if not removed:
        raise _unknown(jid)
    print(f"{jid} is removed")


def list_all(config: Config, host: str | None) -> None:
    if host is not None and JID(host).text not in config.hosts:
        raise ChirrupError(f"{host} is not served here; the configuration has {', '.join(config.hosts)}")
    hosts = list(config.hosts) if host is None else [JID(host).text]

    async def work(store: Store) -> None:
        for name in hosts:
            last = ""
            while page := await store.accounts.names(name, after=last):
                sys.stdout.writelines(f"{local}@{name}\n" for local in page)
                last = page[-1]

    with_store(config, work)


def show(config: Config, text: str) -> None:
    jid = account_jid(config, text)

    async def work(store: Store) -> None:
        info = await store.accounts.info(jid.domain, jid.local)
        keys = await store.accounts.keys(jid.domain, jid.local)
        if info is None or keys is None:
            raise _unknown(jid)
        print(f"account      {jid}{' (disabled)' if info.disabled else ''}")
        print(f"added        {_moment(info.created)}")
        print(f"last log-in  {_moment(info.last_login)}")
        print(f"last seen    {_moment(info.last_logout)}")
        print(f"keys for     {', '.join(f'SCRAM-{name}' for name in keys) or 'none, so it can not log in'}")

    with_store(config, work)


def _exists(config: Config, jid: JID) -> bool:
    """Asked before a password is, and not while: the prompt has to be out of the loop for Ctrl-C to work."""

    async def work(store: Store) -> bool:
        return await store.accounts.exists(jid.domain, jid.local)

    return with_store(config, work)


def _unknown(jid: JID) -> ChirrupError:
    return ChirrupError(f"there is no account {jid}")


def _moment(seconds: float | None) -> str:
    return "never" if seconds is None else datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise ChirrupError("there is no terminal to ask at; --yes goes without asking")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _become_owner(config: Config) -> None:
    """Root gives up its rights for those of the folder's owner: files that root made there the server can't open."""
    owner = config.data.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
