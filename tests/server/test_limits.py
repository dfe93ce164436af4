"""Buckets and counters: octets a second, connections an address, failed log-ins."""

from __future__ import annotations

import pytest

from chirrup.server.limits import Allowance, Connections, FailedLogins, network


def test_a_burst_is_free():
    allowance = Allowance(rate=100, burst=1000, now=0.0)
    assert [allowance.spend(500, now=0.0), allowance.spend(500, now=0.0)] == [0.0, 0.0]


def test_beyond_it_one_waits_until_the_rate_has_caught_up():
    allowance = Allowance(rate=100, burst=1000, now=0.0)
    assert allowance.spend(1500, now=0.0) == pytest.approx(5.0)
    assert allowance.spend(0, now=5.0) == 0.0
    assert allowance.spend(100, now=5.0) == pytest.approx(1.0)


def test_who_keeps_to_the_rate_never_waits():
    allowance = Allowance(rate=100, burst=100, now=0.0)
    assert [allowance.spend(100, now=float(second)) for second in range(1, 20)] == [0.0] * 19


def test_what_is_not_used_does_not_pile_up_beyond_the_burst():
    allowance = Allowance(rate=100, burst=1000, now=0.0)
    assert allowance.spend(1001, now=1_000_000.0) > 0


def test_connections_are_counted_by_address():
    connections = Connections(2)
    assert connections.admit("192.0.2.1") and connections.admit("192.0.2.1")
    assert not connections.admit("192.0.2.1")
    assert connections.admit("192.0.2.2")
    assert len(connections) == 3
    connections.leave("192.0.2.1")
    assert connections.admit("192.0.2.1")


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::2"),
    ],
)
def test_what_one_customer_has_is_one_address(address, same):
    assert network(address) == network(same)


@pytest.mark.parametrize("other", ["2001:db8:1:3::1", "192.0.2.2"])
def test_what_another_has_is_not(other):
    assert network(other) not in (network("2001:db8:1:2::1"), network("192.0.2.1"))


def test_failures_are_told_later_and_later_then_refused():
    failed = FailedLogins(slow_after=2, refuse_after=6, window=600.0)
    delays, refused = [], []
    for _ in range(6):
        failed.note("192.0.2.1", 0.0)
        delays.append(failed.delay("192.0.2.1", 0.0))
        refused.append(failed.refused("192.0.2.1", 0.0) > 0)
    assert delays == [0.0, 0.0, 1.0, 2.0, 4.0, 8.0]
    assert refused == [False] * 5 + [True]
    assert failed.delay("192.0.2.2", 0.0) == failed.refused("192.0.2.2", 0.0) == 0


def test_failures_are_forgotten_when_the_window_has_passed():
    failed = FailedLogins(slow_after=1, refuse_after=2, window=600.0)
    failed.note("192.0.2.1", 0.0)
    failed.note("192.0.2.1", 100.0)
    assert failed.refused("192.0.2.1", 100.0) == 600.0
    assert failed.refused("192.0.2.1", 699.0) == 1.0
    assert failed.refused("192.0.2.1", 701.0) == 0.0
    failed.note("192.0.2.1", 701.0)
    assert failed.refused("192.0.2.1", 701.0) == 0.0


def test_a_network_is_slowed_as_one():
    failed = FailedLogins(slow_after=1, refuse_after=2, window=600.0)
    failed.note("2001:db8::1", 0.0)
    failed.note("2001:db8::2", 0.0)
    assert failed.refused("2001:db8::3", 0.0)


def test_only_so_many_addresses_are_remembered():
    failed = FailedLogins(slow_after=1, refuse_after=1, window=600.0)
    for number in range(50_001):
        failed.note(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)
    assert not failed.refused("10.0.0.0", 0.0)
    assert failed.refused("10.0.0.1", 0.0)
