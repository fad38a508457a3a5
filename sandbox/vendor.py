"""What a vendor package gives to the sandbox, and what it gets from it.

A package below `sandbox` that exposes `VENDOR` is a vendor: nothing else needs to be changed.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from sandbox.calls import Calls
from sandbox.clock import Clock
from sandbox.database import Database
from sandbox.faults import Faults
from sandbox.population import Person


@dataclass(frozen=True)
class VendorContext:
    """What a vendor's app works with.

    Attributes:
        database: The vendor's tables.
        clock: Use it for every time that the vendor shows or measures.
        faults: `rows_refused(n)`, `import_faults(n)` and `repeat_page` are the vendor's to carry
            out; faults of whole requests are the sandbox's.
        calls: Requests are counted by the sandbox; rows written by the vendor: `calls.wrote(n)`.
        settings: The vendor's limits: its defaults, changed over HTTP. Read them at each use.
    """

    database: Database
    clock: Clock
    faults: Faults
    calls: Calls
    settings: dict[str, Any]

    def rows_refused(self, rows: int) -> frozenset[int]:
        """Return which of the `rows` of a batch (0-based) must be refused."""
        return self.faults.rows_refused(rows)


class ActRefused(ValueError):
    """An act that cannot be done; its text says what, and what to do."""


def _no_acts(_context: VendorContext, _act: Mapping[str, Any]) -> dict[str, Any]:
    raise ActRefused("This vendor has no acts; use its own API.")


def _nothing_due(_context: VendorContext) -> None:
    return None


def _nothing_of_its_own(_connection: sqlite3.Connection) -> None:
    return None


@dataclass(frozen=True)
class Vendor:
    """One emulated vendor.

    Attributes:
        name: The connector's name, for example "dynamics".
        title: What is emulated, for the page.
        paths: Matches (from the start) the request paths that belong to the vendor.
        schema: SQL script that makes its tables, `CREATE … IF NOT EXISTS` throughout.
        settings: The limits that can be set over HTTP, with their defaults.
        create: Makes its ASGI app.
        seed: Fills its empty tables from the population, batch by batch. Called with no people at
            all too: what every new account at the vendor has (fields, lists) is made here.
        refuse: The vendor's own answer to an injected "429", "500" or "502".
        endpoint: The normalised name of a request for the counters, from method and path.
        notes: Plain sentences for the page: credentials, examples.
        act: Does what only a person at the vendor can do; returns what was done.
            Raises `ActRefused`.
        settle: Finishes background work that is due; called before a look inside.
        register: Teaches each connection to its database what SQLite lacks: collations, functions.
    """

    name: str
    title: str
    paths: re.Pattern[str]
    schema: str
    create: Callable[[VendorContext], ASGIApp]
    seed: Callable[[VendorContext, Iterator[list[Person]]], None]
    refuse: Callable[[str, Request], Response]
    endpoint: Callable[[str, str], str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    act: Callable[[VendorContext, Mapping[str, Any]], dict[str, Any]] = _no_acts
    settle: Callable[[VendorContext], None] = _nothing_due
    register: Callable[[sqlite3.Connection], None] = _nothing_of_its_own
