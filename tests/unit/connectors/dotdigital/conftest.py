"""The connector against the sandbox, every request held to the vendor's own files."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest

from bothways.connectors.base import ConnectionSettings
from bothways.connectors.dotdigital.connector import DotdigitalConnector
from bothways.connectors.http.retry import RetryPolicy
from tests.support.openapi import DOTDIGITAL_FILES, SPECS, Contract
from tests.support.sandbox import DOTDIGITAL_PASSWORD, DOTDIGITAL_USER, SandboxServer
from tests.unit.connectors.patient_clock import PatientClock
from tests.unit.connectors.vendor_files import checked


@pytest.fixture
def sandbox(sandbox_process: SandboxServer) -> SandboxServer:
    sandbox_process.reset()
    sandbox_process.settings({"dotdigital": {"import_seconds": 0}})
    return sandbox_process


@pytest.fixture(scope="session")
def contract() -> Contract | None:
    return Contract(*DOTDIGITAL_FILES) if SPECS.is_dir() else None


@pytest.fixture
def clock() -> PatientClock:
    return PatientClock()


@pytest.fixture
def connect(
    sandbox: SandboxServer, clock: PatientClock, contract: Contract | None
) -> Iterator[Callable[..., DotdigitalConnector]]:
    opened: list[DotdigitalConnector] = []

    def connector(login: str = DOTDIGITAL_USER, **options: Any) -> DotdigitalConnector:
        settings = ConnectionSettings(sandbox.url, login, DOTDIGITAL_PASSWORD)
        options = {"policy": RetryPolicy(attempts=60, cap_s=5), "clock": clock, **options}
        made = DotdigitalConnector(settings, **options)
        made._client._configured.session.hooks["response"].append(checked(contract))
        opened.append(made)
        return made

    yield connector
    for made in opened:
        made.close()


@pytest.fixture
def dotdigital(connect: Callable[..., DotdigitalConnector]) -> DotdigitalConnector:
    return connect()


@pytest.fixture
def operations() -> Callable[..., pd.DataFrame]:
    def frame(*rows: dict[str, Any]) -> pd.DataFrame:
        numbered = [{"seq": seq, "entity": "contact", **row} for seq, row in enumerate(rows)]
        return pd.DataFrame(numbered)

    return frame


@pytest.fixture
def capture() -> Iterator[logging.Handler]:
    """Everything that anything logs, at any level."""
    handler = logging.StreamHandler(io.StringIO())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)
