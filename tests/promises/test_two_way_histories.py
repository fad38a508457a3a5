"""Random histories on both sides, with syncs, bad lines and deaths: both come to rest and agree."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, seed, settings

from tests.promises.conftest import MakeWorld
from tests.soak.histories import HISTORIES
from tests.soak.life import ACCOUNT, Life, Step
from tests.support.sandbox import SandboxServer

# Shards are independent, so that they may run side by side.
_SHARDS = 10
_HISTORIES = int(os.environ.get("BOTHWAYS_HISTORIES", "200"))


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(_SHARDS))
def test_random_histories_come_to_rest(
    shard: int, make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    @seed(shard)
    @settings(
        max_examples=max(1, _HISTORIES // _SHARDS),
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(HISTORIES)
    def live(steps: list[Step]) -> None:
        world = make_world(**ACCOUNT)
        try:
            life = Life(world, sandbox)
            life.play(steps)
            life.settle()
        finally:
            world.close()

    live()
