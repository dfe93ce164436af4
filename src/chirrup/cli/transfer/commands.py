"""`chirrup export` and `chirrup import`: straight in the store, whether a server runs or not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Final

from chirrup.cli.accounts import account_jid, open_store
from chirrup.cli.transfer.documents import Documents
from chirrup.cli.transfer.events import Event
from chirrup.cli.transfer.exporting import Export
from chirrup.cli.transfer.importing import Existing, Import, Options
from chirrup.cli.transfer.progress import counted, shown
from chirrup.cli.transfer.prosody import DataFolder, is_data_folder
from chirrup.cli.transfer.report import Report
from chirrup.core.errors import ChirrupError
from chirrup.core.jid import JID
from chirrup.server.admin import tell
from chirrup.server.config import Config
from chirrup.server.modules import chosen, find
from chirrup.server.transfer import Name, Part, part_of

FORMATS: Final = ("auto", "xep0227", "prosody")
_HEAD: Final = 4096
"""Octets of a file in which its first element has to begin for it to be found in a folder."""


def parts_of(config: Config) -> dict[str, list[type[Part]]]:
    """What is kept of accounts, for each host that has accounts."""
    parts = {}
    for name, host in config.hosts.items():
        if host.authentication != "anonymous":
            modules = (find(one, config.modules_folder) for one in chosen(host.modules_enabled, host.modules_disabled))
            parts[name] = [part for module in modules if (part := part_of(module)) is not None]
    return parts


# -- export


def export_accounts(config: Config, file: Path, hosts: list[str] | None, user: str | None, *, archive: bool) -> None:
    """Raises ChirrupError."""
    parts = parts_of(config)
    only = None if user is None else account_jid(config, user)
    names = [only.domain] if only else [JID(name).text for name in hosts or ()] or list(parts)
    for name in names:
        if name not in parts:
            raise ChirrupError(f"{name} is not served here, or has no accounts; there are {', '.join(parts)}")
    with _created(file) as out:
        count = asyncio.run(_export(config, parts, out, names, only, archive=archive))
    where = "standard output" if str(file) == "-" else f"{file}, which nobody else can read"
    print(f"chirrup: {count} account{'' if count == 1 else 's'} in {where}", file=sys.stderr)
    print(
        "chirrup: it has what their owners can log in with: keep it like passwords, and delete it soon", file=sys.stderr
    )


async def _export(
    config: Config,
    parts: dict[str, list[type[Part]]],
    out: IO[str],
    hosts: list[str],
    only: JID | None,
    *,
    archive: bool,
) -> int:
    async with open_store(config) as store:
        if only is not None and not await store.accounts.exists(only.domain, only.local):
            raise ChirrupError(f"there is no account {only}")
        with shown("Exporting") as tell:
            export = Export(store, {**parts}, out, archive=archive, tell=tell)
            await export.run(hosts, only)
        return export.count


@contextmanager
def _created(file: Path) -> Iterator[IO[str]]:
    """A new file that only its owner can read; it goes again if it isn't completed."""
    if str(file) == "-":
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
        yield sys.stdout
        sys.stdout.flush()
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise ChirrupError(f"{file} exists already, and stays as it is") from None
    except OSError as error:
        raise ChirrupError(f"{file}: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
    except BaseException as error:
        with contextlib.suppress(OSError):
            file.unlink()
        if isinstance(error, OSError):
            raise ChirrupError(f"{file}: {error.strerror}") from None
        raise


# -- import


def import_accounts(
    config: Config, source: Path, format_: str, *, existing: Existing, dry_run: bool, stop_on_error: bool
) -> int:
    """The exit status: 1 where there were problems. Raises ChirrupError where nothing could be done at all."""
    if format_ not in FORMATS:
        raise ChirrupError(f"{format_!r} is no format: {', '.join(FORMATS)}")
    report = Report(dry_run=dry_run)
    try:
        asyncio.run(_import(config, source, format_, Options(existing, dry_run, stop_on_error), report))
        report.completed = True
    finally:
        for line in report.lines():
            print(line)
    return 1 if report.problems else 0


async def _import(config: Config, source: Path, format_: str, options: Options, report: Report) -> None:
    parts = parts_of(config)
    opens = {name for own in parts.values() for part in own for name in part.opens}
    async with open_store(config) as store:  # which may give up root's rights: what is read later is read without

        def changed(jid: JID) -> None:
            tell(config.admin_socket, "account_changed", jid=jid.text)

        with shown("Importing") as tell_count:
            events = counted(_events(source, format_, opens), tell_count)
            await Import(store, {**parts}, options, report, changed).run(events)


def _events(source: Path, format_: str, opens: set[Name]) -> Iterable[Event]:
    """What a source tells. Raises ChirrupError where it isn't clear what it is."""
    try:
        if not source.is_dir():
            if format_ == "prosody":
                raise ChirrupError(f"{source} should be Prosody's data folder, such as /var/lib/prosody")
            return Documents(source, opens)
        if format_ == "prosody" or (format_ == "auto" and is_data_folder(source)):
            return DataFolder(source)
        found = [file for file in sorted(source.glob("*.xml")) if b"<server-data" in _head(file)]
    except OSError as error:
        raise ChirrupError(f"{error.filename or source}: {error.strerror}") from None
    if found and all("@" in file.name for file in found):  # one for each account, as Prosody stores them
        return chain.from_iterable(Documents(file, opens) for file in found)
    if len(found) != 1:
        several = f"several of them: name one of {', '.join(map(str, found))}" if found else "no such thing"
        raise ChirrupError(
            f"{source} should be Prosody's data folder, or have one XML file with <server-data>; there is {several}"
        )
    return Documents(found[0], opens)


def _head(file: Path) -> bytes:
    with file.open("rb") as source:
        return source.read(_HEAD)
