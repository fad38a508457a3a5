"""Every connector of this repository, one after the other, against an emulated vendor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest

from bothways import discovery
from bothways.connectors.base import Connector, Prepares
from bothways.connectors.http.clock import SystemClock
from bothways.connectors.opening import make_connector
from tests.conformance.benches import BENCHES, Bench
from tests.support.sandbox import SandboxServer


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def sandbox(sandbox_process: SandboxServer) -> SandboxServer:
    sandbox_process.reset()
    sandbox_process.settings({"dynamics": {"key_index_seconds": 0}})
    return sandbox_process


@pytest.fixture(params=BENCHES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bench(name: str) -> Bench:
    return BENCHES[name]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SystemClock, "sleep", lambda _self, seconds: time.sleep(min(seconds, 0.01)))


@pytest.fixture
def connect(name: str, bench: Bench, sandbox: SandboxServer) -> Iterator[Callable[..., Connector]]:
    opened: list[Connector] = []

    def connector(password: str | None = None) -> Connector:
        opened.append(make_connector(name, bench.settings(sandbox, password)))
        return opened[-1]

    yield connector
    for made in opened:
        made.close()


@pytest.fixture
def connector(connect: Callable[..., Connector]) -> Any:
    made = connect()
    if isinstance(made, Prepares):
        made.prepare()
    return made


@pytest.fixture
def needs(name: str) -> Callable[..., None]:
    """Skip where a connector does not declare a capability."""

    def check(*capabilities: str) -> None:
        for capability in capabilities:
            if capability not in discovery.declaration(name).capabilities:
                pytest.skip(f"{name} has no {capability}")

    return check


@pytest.fixture
def operations(bench: Bench) -> Callable[..., pd.DataFrame]:
    def frame(*rows: dict[str, Any]) -> pd.DataFrame:
        return pd.DataFrame(
            [{"seq": seq, "entity": bench.entity, **row} for seq, row in enumerate(rows)]
        )

    return frame
