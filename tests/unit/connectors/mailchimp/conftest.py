"""The connector against the sandbox, every request held to the vendor's own file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pandas as pd
import pytest

from bothways.connectors.base import ConnectionSettings
from bothways.connectors.http.retry import RetryPolicy
from bothways.connectors.mailchimp.connector import MailchimpConnector
from tests.support.openapi import MAILCHIMP_FILES, SPECS, Contract
from tests.support.sandbox import MAILCHIMP_KEY, SandboxServer
from tests.unit.connectors.patient_clock import PatientClock
from tests.unit.connectors.vendor_files import checked

NEWS, PRODUCT = "5a1c0e7b91", "c72d94f03e"


@pytest.fixture
def sandbox(sandbox_process: SandboxServer) -> SandboxServer:
    sandbox_process.reset()
    sandbox_process.settings({"mailchimp": {"batch_seconds": 0}})
    return sandbox_process


@pytest.fixture(scope="session")
def contract() -> Contract | None:
    return Contract(*MAILCHIMP_FILES) if SPECS.is_dir() else None


@pytest.fixture
def connect(
    sandbox: SandboxServer, contract: Contract | None
) -> Iterator[Callable[..., MailchimpConnector]]:
    """Open connectors, to the sandbox or to another address, and close them."""
    opened: list[MailchimpConnector] = []

    def connector(url: str = "") -> MailchimpConnector:
        settings = ConnectionSettings(url or sandbox.url, password=MAILCHIMP_KEY)
        policy = RetryPolicy(attempts=6, cap_s=0.1)
        made = MailchimpConnector(settings, policy=policy, clock=PatientClock())
        if not url:
            made._client._http.session.hooks["response"].append(checked(contract))
        opened.append(made)
        return made

    yield connector
    for made in opened:
        made.close()


@pytest.fixture
def mailchimp(connect: Callable[..., MailchimpConnector]) -> MailchimpConnector:
    return connect()


@pytest.fixture
def vendor(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    """The vendor's API, for what a test sets up and looks at."""
    with sandbox.mailchimp() as client:
        yield client


@pytest.fixture
def operations() -> Callable[..., pd.DataFrame]:
    def frame(*rows: dict[str, Any]) -> pd.DataFrame:
        shared = {"entity": "contact", "scope": NEWS}
        numbered = [
            {"seq": seq, **shared, **row, "values": json.dumps(row.get("values") or {})}
            for seq, row in enumerate(rows)
        ]
        return pd.DataFrame(numbered)

    return frame
