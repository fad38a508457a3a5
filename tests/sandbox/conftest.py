"""One sandbox process per session, empty and well-behaved before each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.support.openapi import DOTDIGITAL_FILES, MAILCHIMP_FILES, SPECS, Contract
from tests.support.sandbox import SandboxServer


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def sandbox(sandbox_process: SandboxServer) -> SandboxServer:
    sandbox_process.reset()
    sandbox_process.settings(
        {"dotdigital": {"import_seconds": 0}, "mailchimp": {"batch_seconds": 0}}
    )
    return sandbox_process


@pytest.fixture(scope="session")
def dotdigital_contract() -> Contract | None:
    return Contract(*DOTDIGITAL_FILES) if SPECS.is_dir() else None


@pytest.fixture
def dotdigital(
    sandbox: SandboxServer, dotdigital_contract: Contract | None
) -> Iterator[httpx.Client]:
    """A client whose every request and answer is held to the vendor's own files, if at hand."""

    with sandbox.dotdigital(event_hooks=_checked(dotdigital_contract)) as client:
        yield client


@pytest.fixture(scope="session")
def mailchimp_contract() -> Contract | None:
    return Contract(*MAILCHIMP_FILES) if SPECS.is_dir() else None


@pytest.fixture
def mailchimp(
    sandbox: SandboxServer, mailchimp_contract: Contract | None
) -> Iterator[httpx.Client]:
    """A client whose every request and answer is held to the vendor's own file, if at hand."""
    with sandbox.mailchimp(event_hooks=_checked(mailchimp_contract)) as client:
        yield client


def _checked(contract: Contract | None) -> dict[str, list[Callable[[httpx.Response], None]]]:
    def check(answer: httpx.Response) -> None:
        answer.read()
        if contract is not None and answer.status_code != 501:
            contract.check(answer)

    return {"response": [check]}
