"""`chirrup user add --from FILE`: many accounts at once."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chirrup.cli.accounts import account_jid, open_store
from chirrup.cli.passwords import usable
from chirrup.core.errors import ChirrupError
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.core.sasl import ScramKeys
from chirrup.server.auth import make_keys
from chirrup.server.config import Config
from chirrup.store import Store

BATCH: Final = 200
"""Accounts a transaction; what is stored when the work is cut off stays stored."""
_MOST_COMPLAINTS: Final = 20


@record
class Row:
    line: int
    jid: JID
    password: str


def add_from(config: Config, source: Path) -> int:
    """Add the accounts of a file. Lines that can't be used are told and left out, accounts that exist stay as they are.

    The exit status: 0 when all of them exist now, else 1. Raises ChirrupError when no line is usable."""
    rows, complaints = read(config, _lines(source))
    _complain(source, complaints)
    if not rows:
        raise ChirrupError(f"{source}: no account could be read from it" if complaints else f"{source}: it is empty")
    existed = asyncio.run(_add(config, rows))
    print(f"{len(rows) - existed} added, {existed} existed already, {len(complaints)} lines left out")
    return 1 if complaints else 0


def read(config: Config, lines: Iterable[str]) -> tuple[list[Row], list[tuple[int, str]]]:
    """The usable rows, and what is wrong with the others, by line."""
    rows: list[Row] = []
    complaints: list[tuple[int, str]] = []
    seen: dict[JID, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or (number == 1 and line.strip().lower() == "jid,password"):
            continue
        try:
            text, password = _parse(line)
            jid = account_jid(config, text)
            if jid in seen:
                raise ChirrupError(f"{jid} is in line {seen[jid]} already")
            rows.append(Row(number, jid, usable(password)))
            seen[jid] = number
        except ChirrupError as error:
            complaints.append((number, str(error)))
    return rows, complaints


def _parse(line: str) -> tuple[str, str]:
    if line.lstrip().startswith("{"):
        try:
            fields = json.loads(line)
            jid, password = fields["jid"], fields["password"]
        except (ValueError, KeyError):
            raise ChirrupError('should be a JSON object with "jid" and "password"') from None
    else:
        try:
            jid, password = next(csv.reader([line], strict=True))
        except (ValueError, csv.Error):
            raise ChirrupError(
                "should be jid,password; a password with a comma or quotes in it stands in quotes"
            ) from None
    if not isinstance(jid, str) or not isinstance(password, str):
        raise ChirrupError('"jid" and "password" should be texts')
    return jid.strip(), password


def _lines(source: Path) -> list[str]:
    try:
        text = sys.stdin.buffer.read() if str(source) == "-" else source.read_bytes()
        return text.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except OSError as error:
        raise ChirrupError(f"{source}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise ChirrupError(f"{source}:{line}: is not in UTF-8") from None


def _complain(source: Path, complaints: list[tuple[int, str]]) -> None:
    for line, complaint in complaints[:_MOST_COMPLAINTS]:
        print(f"chirrup: {source}:{line}: {complaint}", file=sys.stderr)
    if len(complaints) > _MOST_COMPLAINTS:
        print(f"chirrup: and {len(complaints) - _MOST_COMPLAINTS} more lines like these", file=sys.stderr)


async def _add(config: Config, rows: list[Row]) -> int:
    """How many existed already. Keys are made on all cores, as PBKDF2 leaves Python's lock."""
    existed = 0
    console = Console(stderr=True)
    columns = TextColumn("Adding accounts"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with (
        ThreadPoolExecutor(os.cpu_count()) as threads,
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("", total=len(rows))
        async with open_store(config) as store:
            for batch in _batches(rows):
                existed += await _add_batch(store, batch, threads)
                progress.advance(task, len(batch))
    return existed


async def _add_batch(store: Store, batch: list[Row], threads: ThreadPoolExecutor) -> int:
    loop = asyncio.get_running_loop()
    work = [loop.run_in_executor(threads, make_keys, row.password) for row in batch]
    by_host: dict[str, list[tuple[str, tuple[ScramKeys, ...]]]] = defaultdict(list)
    for row, keys in zip(batch, await asyncio.gather(*work), strict=True):
        by_host[row.jid.domain].append((row.jid.local, keys))
    existed = 0
    for host, accounts in by_host.items():
        existed += len(await store.accounts.create_many(host, accounts, created=time.time()))
    return existed


def _batches(rows: list[Row]) -> Iterator[list[Row]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]
