"""A private PostgreSQL for tests: the fixtures `postgres` (a cluster for the whole run) and `postgres_url` (a new
database in it)."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.plugins.needs import unavailable

PASSWORD = "not a secret"
USER = "chirrup"


class Cluster:
    """A PostgreSQL server of our own that listens on a Unix socket in its folder, and wants a password.

    PostgreSQL refuses to run as root; root runs it as `postgres`."""

    def __init__(self, programs: Path, folder: Path, user: str | None) -> None:
        self.folder = folder
        self._programs = programs
        self._user = user
        self._numbers = count(1)

    def create(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if self._user:
            account = pwd.getpwnam(self._user)
            for path in self.folder, secret:
                os.chown(path, account.pw_uid, account.pw_gid)
        options = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C"]
        self._run("initdb", "-D", str(self.folder / "data"), "--no-sync", *options)

    def start(self) -> None:
        # Durability against loss of power isn't what tests can see; without it they are much faster.
        settings = (
            f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=off -c deadlock_timeout=50"
        )
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-l", log, "-w", "-o", settings, "start")

    def stop(self, how: str = "immediate") -> None:
        """`fast` tells clients before it goes, `immediate` doesn't."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", how, "-w", "stop")

    def url(self, database: str = "postgres", *, password: str = PASSWORD) -> str:
        return f"postgresql://{USER}:{password.replace(' ', '%20')}@/{database}?host={self.folder}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What a statement prints."""
        return self._run("psql", "-h", str(self.folder), "-U", USER, "-d", database, "-qAt", "-c", statement).strip()

    def new_database(self, options: str = "") -> str:
        """Its URL."""
        name = f"test{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [self._programs / program, *arguments],
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
            cwd=self.folder,
            env={**os.environ, "PGPASSWORD": PASSWORD},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout or (self.folder / 'log').read_text()}")
        return done.stdout or ""


def _programs() -> Path | None:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if installed:
        return installed[-1]
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def cluster() -> Iterator[Cluster]:
    """One that runs, and is gone afterwards."""
    programs = _programs()
    if programs is None:
        unavailable("PostgreSQL (Debian: postgresql)")
    user = "postgres" if os.geteuid() == 0 else None
    # Not pytest's own folder: the path of a Unix socket is short, and other users have to get at it.
    folder = Path(tempfile.mkdtemp(prefix="chirrup-pg-"))
    made = Cluster(programs, folder, user)
    try:
        made.create()
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A running cluster. A test that stops it starts it again."""
    with cluster() as made:
        yield made


@pytest.fixture
def postgres_url(postgres: Cluster) -> str:
    """The URL of a new, empty database."""
    return postgres.new_database()
