"""One sandbox process per session, empty and well-behaved before each test."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support.openapi import SPECS, Contract
from tests.support.sandbox import SandboxServer

DOTDIGITAL_FILES = (
    "dotdigital-contacts-service.json",
    "dotdigital-insight-data-service.json",
    "dotdigital-v2-api-swagger.json",
)


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
def dotdigital_contract() -> Contract | None:
    return Contract(*DOTDIGITAL_FILES) if SPECS.is_dir() else None


@pytest.fixture
def dotdigital(
    sandbox: SandboxServer, dotdigital_contract: Contract | None
) -> Iterator[httpx.Client]:
    """A client whose every request and answer is held to the vendor's own files, if at hand."""

    def check(answer: httpx.Response) -> None:
        answer.read()
        if dotdigital_contract is not None and answer.status_code != 501:
            dotdigital_contract.check(answer)

    with sandbox.dotdigital(event_hooks={"response": [check]}) as client:
        yield client
