"""Random histories of both sides, with syncs, network faults and kills, come to rest and agree."""

from __future__ import annotations

import os

import pytest

from tests.promises.conftest import MakeWorld
from tests.soak.histories import live, taking_turns
from tests.soak.setting import TERMS, Terms
from tests.support.sandbox import SandboxServer

# Shards are independent, so that they may run side by side. The first history of each is the
# shortest that there is; another takes half a minute of a core or so. Two of each kind of account
# are what `make test` has time for, and `make soak` lives thousands.
_SHARDS = len(TERMS)
_HISTORIES = int(os.environ.get("BOTHWAYS_HISTORIES", str(2 * _SHARDS)))


@pytest.mark.slow
# Ten times what it takes; a failing history is made small for five minutes more.
@pytest.mark.timeout(1_200 + 60 * _HISTORIES // _SHARDS)
@taking_turns(_SHARDS)
def test_random_histories_come_to_rest(
    shard: int, terms: Terms, make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    histories = max(1, _HISTORIES // _SHARDS)
    live(make_world, sandbox, terms, histories=histories, number=shard)
