"""Nothing is lost, nothing comes twice, and the order is the archive's, on a network that does what networks do.

Twenty people with two devices each chat through a proxy that cuts, delays, repeats and truncates their connections at
random. Their clients resume where they can, and else begin a new session and fetch what they missed from the archive,
as chat programs do. CHIRRUP_FAULT_CUTS sets how many connections are cut, CHIRRUP_FAULT_SEED repeats what chance chose.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterable

import pytest
from tests.plugins.devices import Device, Town
from tests.plugins.programs import ServerProcess
from tests.plugins.proxy import Proxy

CUTS = int(os.environ.get("CHIRRUP_FAULT_CUTS", "40"))
"""A connection that is lost once a minute: 40 devices lose 2,400 in an hour."""
PEOPLE = 20
PAUSE = 1.0
"""Seconds between messages of a device."""
RESUMPTION = 2
SETTINGS = f"""
limits.resumption_seconds = {RESUMPTION}
limits.acknowledgement_seconds = 5
limits.bytes_per_second = 1_000_000_000
limits.burst_bytes = 1_000_000_000
limits.connections_per_address = 10_000
limits.failed_logins = 1_000_000
limits.failed_logins_refuse = 1_000_000
"""
"""Log-ins whose octets come a second time fail, and all come from the same address."""


@pytest.mark.timeout(120 + CUTS)
async def test_every_device_has_what_the_archive_has(
    server_process: Callable[..., ServerProcess], choose: random.Random
) -> None:
    server = server_process(plaintext=True, extra=SETTINGS)
    server.start()
    names = [f"person{number}" for number in range(PEOPLE)]
    server.add_accounts(*names)
    async with Proxy(lambda: server.port, choose, outage=2 * RESUMPTION) as proxy:
        town = Town(proxy, choose, names)
        await town.come()
        try:
            town.chat(PAUSE)
            await proxy.storm(CUTS)
            town.fall_silent()
            assert not town.offline
            await town.settle()
            print(town.summary(), dict(proxy.faults))
            check(town, await town.archives())
        finally:
            await town.leave()
    replayed = "not the nonce that was sent"  # a log-in whose octets came a second time
    assert [line for line in server.complaints if replayed not in line] == []


def repeated(texts: Iterable[str]) -> list[str]:
    return [text for text, count in Counter(texts).items() if count > 1]


def check(town: Town, archives: dict[str, list[str]]) -> None:
    assert not town.missing(archives)
    assert not {name: twice for name, texts in archives.items() if (twice := repeated(texts))}
    for device in town.devices:
        assert device.own(archives[device.account]) == [f"{device.name} {number}" for number in range(device.sent)]
    amiss = {device.name: found for device in town.devices if (found := difference(device, archives[device.account]))}
    assert not amiss
    for device in town.devices:
        assert not device.history.nameless
        assert not device.history.errors


def difference(device: Device, archive: list[str]) -> list[str]:
    """Where what a device shows begins to differ from what the archive has for it, and what stands around that."""
    shown, wanted = device.heard(device.history.shown.values()), device.heard(archive)
    if shown == wanted:
        return []
    first = next(
        (place for place, pair in enumerate(zip(shown, wanted, strict=False)) if pair[0] != pair[1]), len(shown)
    )
    around = slice(max(0, first - 3), first + 4)
    return [f"at {first}: shows {shown[around]} of {len(shown)}, should show {wanted[around]} of {len(wanted)}"]
