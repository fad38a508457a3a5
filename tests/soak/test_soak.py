"""Very many random histories; only on request (`make soak`)."""

from __future__ import annotations

import os

import pytest

from tests.promises.conftest import MakeWorld
from tests.soak.histories import live, taking_turns
from tests.soak.setting import Terms
from tests.support.sandbox import SandboxServer

_HISTORIES = int(os.environ.get("BOTHWAYS_HISTORIES", "10000"))
_SHARDS = 100


@pytest.mark.soak
# Ten times what it takes; a failing history is made small for five minutes more.
@pytest.mark.timeout(1_200 + 10 * _HISTORIES // _SHARDS)
@taking_turns(_SHARDS)
def test_many_random_histories_come_to_rest(
    shard: int, terms: Terms, make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    histories = max(1, _HISTORIES // _SHARDS)
    live(make_world, sandbox, terms, histories=histories, number=1000 + shard)
