"""Every connector of this repository, one after the other, against an emulated vendor."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from bothways.connectors.http.clock import SystemClock
from bothways.testing.conformance.bench import Bench
from tests.conformance.benches import BENCHES
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
def bench(request: pytest.FixtureRequest, sandbox: SandboxServer) -> Bench:
    return BENCHES[request.param](sandbox)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SystemClock, "sleep", lambda _self, seconds: time.sleep(min(seconds, 0.01)))
