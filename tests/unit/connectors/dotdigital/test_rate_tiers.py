"""Few calls a minute slow everything down, and fail nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bothways.connectors.http.retry import RetryPolicy
from tests.support.engine import MovingClock
from tests.unit.connectors.dotdigital.surface import read_everything, write_everything

LOW = 35  # calls a minute in the low tier of the package Basic
PEOPLE = 120


@pytest.fixture
def waiting(sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> MovingClock:
    """An account of the package Basic, and a clock that it goes by too."""
    monkeypatch.setattr("bothways.connectors.dotdigital.client.V3_PAGE", 10)
    monkeypatch.setattr("bothways.connectors.dotdigital.client.V2_PAGE", 10)
    sandbox.reset(people=PEOPLE)
    sandbox.settings({"dotdigital": {"package": "Basic", "import_seconds": 0}})
    return MovingClock(sandbox)


def _refused(connector: Any) -> list[int]:
    """The answers "too many" that a connector gets from here on."""
    refused: list[int] = []

    def count(answer: Any, **_options: Any) -> None:
        if answer.status_code == 429:
            refused.append(answer.status_code)

    connector._client._configured.session.hooks["response"].append(count)
    return refused


def test_all_that_syncs_do_finishes_with_few_calls_a_minute(
    sandbox: Any, connect: Any, waiting: MovingClock, operations: Any
) -> None:
    connector = connect(clock=waiting, policy=RetryPolicy())
    refused = _refused(connector)
    sandbox.calls(forget=True)
    ids = read_everything(connector, None)
    write_everything(connector, operations, ids)
    calls = sum(sandbox.calls()["dotdigital"].values())
    minutes = sum(waiting.slept) / 60
    assert calls > 3 * LOW
    assert calls / LOW / 2 < minutes + 1 < calls / LOW * 2, "as fast as it may, and no faster"
    assert len(refused) < calls / 20, "calls are held back, and not made in vain"


def test_two_processes_share_the_calls_of_an_account(
    sandbox: Any, connect: Any, waiting: MovingClock
) -> None:
    both = [connect(clock=waiting, policy=RetryPolicy()) for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda connector: read_everything(connector, None), both)
    assert first == second
    assert sum(waiting.slept) > 60
