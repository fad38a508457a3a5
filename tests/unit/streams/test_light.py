"""A sync type may name what it reads without loading the database."""

from __future__ import annotations

import subprocess
import sys

_NAMED = """
import sys
from bothways.streams import consent, members, people
people.People(entity="contact"), members.Members(), consent.Suppressions()
print(*sorted(sys.modules.keys() & {"sqlalchemy", "psycopg", "airflow"}))
"""


def test_streams_are_named_without_a_database() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _NAMED], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == ""
