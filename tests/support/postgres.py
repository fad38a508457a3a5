"""An embedded PostgreSQL for the tests: one server per session, a new empty database per test.

A test asks for the fixture `postgres_url` (a URL of a database of its own) or for `postgres`
(the server, for more than one database); both are in `tests/conftest.py`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from demo.environment import free_port
from demo.postgres import ENV, Postgres, identity
from demo.reach import within_reach
from tests.support.scratch import scratch_folder

# Where the tests run at another time (`make test-dates`), so does the server.
_CLOCK = {name: value for name in ("LD_PRELOAD", "FAKETIME") if (value := os.environ.get(name))}


class TestPostgres:
    """A running server in a temporary folder."""

    __test__ = False

    def __init__(self) -> None:
        self.home = scratch_folder("postgres")
        self.home.chmod(0o711)
        data = within_reach(self.home / "data")
        self.server = Postgres(data, free_port(), durable=False)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> TestPostgres:
        self.server.initialise()
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.server.command,
                env=ENV | _CLOCK,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **identity(),
            )
        self.server.wait()
        self._execute('CREATE DATABASE "empty" TEMPLATE template0')
        return self

    def create_database(self, template: str = "empty") -> str:
        """The URL of a new database, empty or a copy of one that nobody is connected to."""
        name = f"t_{uuid.uuid4().hex[:12]}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return self.server.url(name)

    def drop_database(self, url: str) -> None:
        """Removes it, whoever is still connected."""
        self._execute(f'DROP DATABASE IF EXISTS "{url.rsplit("/", 1)[1]}" WITH (FORCE)')

    @contextmanager
    def fresh_database(self, template: str = "empty") -> Iterator[str]:
        """A database of one's own for the time of the block."""
        url = self.create_database(template)
        try:
            yield url
        finally:
            self.drop_database(url)

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGQUIT)  # at once: nothing in it is kept
            self.process.wait(30)
        for folder in (self.server.data, self.home):
            shutil.rmtree(folder, ignore_errors=True)

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            connection.execute(statement)
