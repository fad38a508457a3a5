"""One sandbox process for the tests of all connectors; each empties it before it begins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.sandbox import SandboxServer


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server
