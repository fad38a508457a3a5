"""Fixtures of the suite; it takes `bench` from whoever runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest

from bothways import discovery
from bothways.connectors.base import Connector, HasLists
from bothways.connectors.opening import make_connector
from bothways.connectors.preparing import prepare
from bothways.testing.conformance.bench import Bench, EmulatedVendor


@pytest.fixture
def vendor(bench: Bench) -> EmulatedVendor:
    """The emulated vendor."""
    return bench.vendor


@pytest.fixture
def connect(bench: Bench) -> Iterator[Callable[..., Connector]]:
    """Open connectors, with another password if one is given; they are closed at the end."""
    opened: list[Connector] = []

    def connector(password: str | None = None) -> Connector:
        opened.append(make_connector(bench.name, bench.settings(password)))
        return opened[-1]

    yield connector
    for made in opened:
        made.close()


@pytest.fixture
def connector(connect: Callable[..., Connector]) -> Any:
    """One connector, whose vendor is prepared."""
    made = connect()
    prepare(made)
    return made


@pytest.fixture
def needs(bench: Bench) -> Callable[..., None]:
    """Skip where the connector does not declare a capability."""

    def check(*capabilities: str) -> None:
        for capability in capabilities:
            if capability not in discovery.declaration(bench.name).capabilities:
                pytest.skip(f"{bench.name} has no {capability}")

    return check


@pytest.fixture
def operations(bench: Bench, connect: Callable[..., Connector]) -> Callable[..., pd.DataFrame]:
    """Make numbered operations of rows, in the scope of the bench's list."""

    def frame(*rows: dict[str, Any]) -> pd.DataFrame:
        shared = {"entity": bench.entity, "scope": scope()}
        return pd.DataFrame([{"seq": seq, **shared, **row} for seq, row in enumerate(rows)])

    def scope() -> str:
        lists = connect()
        known = lists.lists() if isinstance(lists, HasLists) else []
        return next((item.scope for item in known if item.name == bench.list_name), "")

    return frame
