from __future__ import annotations

from chirrup.store.uids import Uids

NUMBERS = [1_700_000_000_000_000 + number for number in range(100)]


def test_they_tell_nothing_and_cannot_be_made_up() -> None:
    uids, others = Uids(b"k" * 16), Uids(b"l" * 16)
    told = [uids.uid(number) for number in NUMBERS]
    assert len(set(told)) == 100
    assert len({uid[:3] for uid in told}) > 90
    assert [uids.id_of(uid) for uid in told] == NUMBERS
    assert all(others.id_of(uid) is None for uid in told)
    for nonsense in ("", "x", "a" * 22, "ä" * 22, told[0] + "=", told[0][:-1], "!" * 22):
        assert uids.id_of(nonsense) is None


def test_one_text_for_each() -> None:
    uids = Uids(b"k" * 16)
    uid = uids.uid(1)
    alike = [uid[:-1] + last for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
    assert [other for other in alike if uids.id_of(other) is not None] == [uid]
