from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from bothways.connectors.base import ConnectionSettings
from bothways.connectors.dynamics.client import Dataverse
from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.connectors.http.retry import RetryPolicy
from bothways.connectors.preparing import prepare
from tests.support.sandbox import (
    DYNAMICS_CLIENT_ID,
    DYNAMICS_CLIENT_SECRET,
    DYNAMICS_TENANT,
    SandboxServer,
)


class QuickClock:
    """Waiting moves the clock instead of taking time."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    def monotonic(self) -> float:
        return time.monotonic() + sum(self.waited)

    def time(self) -> float:
        return time.time() + sum(self.waited)

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)


@pytest.fixture
def sandbox(sandbox_process: SandboxServer) -> SandboxServer:
    """The sandbox, empty of people, with the demo's lists, where keys need no time."""
    sandbox_process.reset(people=0)
    sandbox_process.settings({"dynamics": {"key_index_seconds": 0}})
    return sandbox_process


@pytest.fixture
def settings(sandbox: SandboxServer) -> ConnectionSettings:
    extra = {"tenant": DYNAMICS_TENANT, "authority": sandbox.url}
    return ConnectionSettings(sandbox.url, DYNAMICS_CLIENT_ID, DYNAMICS_CLIENT_SECRET, extra)


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
def bare(settings: ConnectionSettings, clock: QuickClock) -> Iterator[DynamicsConnector]:
    """A connector to an environment that nobody has prepared."""
    connector = DynamicsConnector(settings, policy=RetryPolicy(attempts=8), clock=clock)
    yield connector
    connector.close()


@pytest.fixture
def connector(bare: DynamicsConnector, sandbox: SandboxServer) -> DynamicsConnector:
    """A connector to a prepared environment, whose calls are counted from here."""
    prepare(bare)
    sandbox.calls(forget=True)
    return bare


@pytest.fixture
def person(settings: ConnectionSettings, clock: QuickClock) -> Iterator[Dataverse]:
    """Somebody at work in the CRM."""
    client = Dataverse(settings, parallel=1, clock=clock)
    yield client
    client.close()
