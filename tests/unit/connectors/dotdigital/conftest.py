"""The connector against the sandbox, every request held to the vendor's own files."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pandas as pd
import pytest
import requests

from bothways.connectors.base import ConnectionSettings
from bothways.connectors.dotdigital.connector import DotdigitalConnector
from bothways.connectors.http.clock import SystemClock
from bothways.connectors.http.retry import RetryPolicy
from tests.support.openapi import SPECS, Contract
from tests.support.sandbox import DOTDIGITAL_PASSWORD, DOTDIGITAL_USER, SandboxServer

SPEC_FILES = (
    "dotdigital-contacts-service.json",
    "dotdigital-insight-data-service.json",
    "dotdigital-v2-api-swagger.json",
)


class PatientClock(SystemClock):
    """Real time, in which waiting takes a hundredth."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        super().sleep(min(seconds, 1.0) / 100)


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def sandbox(sandbox_process: SandboxServer) -> SandboxServer:
    sandbox_process.reset()
    sandbox_process.settings({"dotdigital": {"import_seconds": 0}})
    return sandbox_process


@pytest.fixture(scope="session")
def contract() -> Contract | None:
    return Contract(*SPEC_FILES) if SPECS.is_dir() else None


@pytest.fixture
def clock() -> PatientClock:
    return PatientClock()


@pytest.fixture
def connect(
    sandbox: SandboxServer, clock: PatientClock, contract: Contract | None
) -> Iterator[Callable[..., DotdigitalConnector]]:
    opened: list[DotdigitalConnector] = []

    def check(answer: requests.Response, **_options: Any) -> None:
        """Hold what was accepted, and what came back, to the vendor's files."""
        sent = answer.request
        struck = "text/html" in answer.headers.get("Content-Type", "")
        if contract is None or struck or answer.status_code >= 400:
            return
        try:
            content = answer.content
        except requests.RequestException:
            return  # cut on purpose
        request = httpx.Request(
            sent.method or "", sent.url or "", headers=dict(sent.headers), content=sent.body or b""
        )
        contract.check(
            httpx.Response(
                answer.status_code,
                headers={"Content-Type": answer.headers.get("Content-Type", "")},
                content=content,
                request=request,
            )
        )

    def connector(login: str = DOTDIGITAL_USER, **options: Any) -> DotdigitalConnector:
        settings = ConnectionSettings(sandbox.url, login, DOTDIGITAL_PASSWORD)
        options = {"policy": RetryPolicy(attempts=60, cap_s=5), "clock": clock, **options}
        made = DotdigitalConnector(settings, **options)
        made._client._configured.session.hooks["response"].append(check)
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
