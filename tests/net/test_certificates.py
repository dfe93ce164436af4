from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from chirrup.core.errors import ConfigError
from chirrup.net import certificates
from chirrup.net.certificates import KeyPair

NOW = 1_800_000_000.0
DAY = 86400
Issue = Callable[..., KeyPair]


def test_tells_names_and_validity(issue: Issue) -> None:
    certificate = certificates.read(issue("Example.org", "*.example.org", start=NOW, days=90))
    assert certificate.names == ("example.org", "*.example.org")
    assert certificate.not_before == NOW
    assert certificate.days_left(NOW + DAY) == 89
    assert certificate.self_signed
    assert not certificate.self_made


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("example.org", True),
        ("EXAMPLE.org.", True),
        ("rooms.example.org", True),
        ("a.rooms.example.org", False),
        ("example.com", False),
        ("bücher.example", True),
        ("org", False),
    ],
)
def test_covers_its_names(issue: Issue, host: str, covered: bool) -> None:
    certificate = certificates.read(issue("example.org", "*.example.org", "xn--bcher-kva.example", start=NOW))
    assert certificate.covers(host) is covered


def test_remarks_name_what_clients_would_refuse(issue: Issue) -> None:
    certificate = certificates.read(issue("example.org", start=NOW, days=90))
    (self_signed,) = certificate.remarks(["example.org"], NOW + DAY)
    assert "self-signed" in self_signed
    assert "is not for example.com, but for example.org" in certificate.remarks(["example.com"], NOW + DAY)
    assert "expires on 2027-04-15" in certificate.remarks(["example.org"], NOW + 61 * DAY)
    assert "expired on 2027-04-15" in certificate.remarks(["example.org"], NOW + 90 * DAY)
    assert "is valid only from 2027-01-15" in certificate.remarks(["example.org"], NOW - DAY)


def test_a_pair_may_be_one_file(issue: Issue, tmp_path: Path) -> None:
    pair = issue("example.org", start=NOW)
    both = tmp_path / "both.pem"
    both.write_bytes(pair.key.read_bytes() + pair.certificate.read_bytes())
    assert certificates.read(KeyPair(both, both)) == certificates.read(pair)


def _problem(pair: KeyPair) -> tuple[str, str]:
    with pytest.raises(ConfigError) as raised:
        certificates.read(pair)
    assert "\n" not in str(raised.value)
    return raised.value.key, raised.value.problem


def test_missing_files(issue: Issue, tmp_path: Path) -> None:
    pair = issue("example.org", start=NOW)
    nowhere = tmp_path / "nowhere"
    assert _problem(KeyPair(nowhere, pair.key)) == ("certificate", f"can't read {nowhere}: No such file or directory")
    assert _problem(KeyPair(pair.certificate, nowhere)) == ("key", f"can't read {nowhere}: No such file or directory")


def test_files_swapped(issue: Issue) -> None:
    pair = issue("example.org", start=NOW)
    assert _problem(KeyPair(pair.key, pair.certificate)) == (
        "certificate",
        f"{pair.key} has no certificate in PEM form in it",
    )
    assert _problem(KeyPair(pair.certificate, pair.certificate))[0] == "key"


def test_key_of_another_certificate(issue: Issue) -> None:
    one, other = issue("example.org", start=NOW), issue("example.com", start=NOW)
    key, problem = _problem(KeyPair(one.certificate, other.key))
    assert key == "key"
    assert problem == f"{other.key} is not the key of the certificate in {one.certificate}"


def test_chain_in_the_wrong_order(issue: Issue) -> None:
    leaf, above = issue("example.org", start=NOW), issue("authority.example", start=NOW)
    leaf.certificate.write_bytes(above.certificate.read_bytes() + leaf.certificate.read_bytes())
    assert _problem(leaf) == ("certificate", f"{leaf.certificate} must begin with the server's own certificate")


def test_encrypted_key(issue: Issue) -> None:
    key, problem = _problem(issue("example.org", start=NOW, password=b"secret"))
    assert key == "key"
    assert "is encrypted" in problem


def test_warns_of_a_key_that_others_may_read(issue: Issue) -> None:
    pair = issue("example.org", start=NOW)
    assert certificates.warnings(pair) == []
    pair.key.chmod(0o640)
    (line,) = certificates.warnings(pair)
    assert str(pair.key) in line


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_may_hand_a_key_to_the_group_of_the_server(issue: Issue) -> None:
    pair = issue("example.org", start=NOW)
    os.chown(pair.key, 0, 12345)
    pair.key.chmod(0o640)
    assert certificates.warnings(pair) == []
    pair.key.chmod(0o644)
    (line,) = certificates.warnings(pair)
    assert line.endswith("chmod 640 it")


def test_makes_a_pair_that_only_its_owner_can_use(tmp_path: Path) -> None:
    folder = tmp_path / "certificates"
    pair = certificates.make("localhost", folder, NOW)
    certificate = certificates.read(pair)
    assert certificate.self_made
    assert certificate.names == ("localhost", "127.0.0.1", "::1")
    assert certificate.days_left(NOW) == certificates.SELF_MADE_DAYS - 1
    assert stat.S_IMODE(pair.key.stat().st_mode) == 0o600
    assert sorted(folder.iterdir()) == sorted([pair.certificate, pair.key])


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("chat.example.org", "chat.example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:db8::7]", "2001:db8::7"),
        (f"{'a' * 60}.{'b' * 60}.example", f"{'a' * 60}.{'b' * 60}.example"),
    ],
)
def test_makes_pairs_for_every_kind_of_host(tmp_path: Path, host: str, name: str) -> None:
    certificate = certificates.read(certificates.make(host, tmp_path, NOW))
    assert certificate.names == (name,)
    assert certificate.covers(host)


def test_a_self_made_pair_stays_until_it_ends_soon(tmp_path: Path) -> None:
    first = certificates.read(certificates.make("localhost", tmp_path, NOW))
    assert certificates.read(certificates.make("localhost", tmp_path, NOW + 700 * DAY)) == first
    renewed = certificates.read(certificates.make("localhost", tmp_path, NOW + 800 * DAY))
    assert renewed.not_after > first.not_after


def test_half_a_self_made_pair_is_made_again(tmp_path: Path) -> None:
    pair = certificates.make("localhost", tmp_path, NOW)
    pair.key.unlink()
    assert certificates.read(certificates.make("localhost", tmp_path, NOW)).self_made


def test_files_of_the_operators_are_never_overwritten(issue: Issue, tmp_path: Path) -> None:
    theirs = issue("example.org", start=NOW, days=2)
    own = KeyPair(tmp_path / "example.org.crt", theirs.key)
    own.certificate.write_bytes(theirs.certificate.read_bytes())
    assert certificates.make("example.org", tmp_path, NOW + DAY) == own
    assert certificates.read(own) == certificates.read(theirs)

    own.certificate.unlink()
    key = own.key.read_bytes()
    with pytest.raises(ConfigError, match=r"example\.org\.crt: No such file"):
        certificates.make("example.org", tmp_path, NOW + DAY)
    assert own.key.read_bytes() == key


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="can't write a certificate for localhost"):
        certificates.make("localhost", tmp_path / "file" / "certificates", NOW)
