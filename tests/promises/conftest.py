from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.engine import World
from tests.support.people import Crm
from tests.support.platforms import PLATFORMS, Dotdigital, Platform
from tests.support.postgres import TestPostgres
from tests.support.sandbox import SandboxServer
from tests.support.scratch import scratch_folder
from tests.support.stores import Stores

MakeWorld = Callable[..., World]
every_platform = pytest.mark.parametrize("platform", list(PLATFORMS), indirect=True)
"""A test of each platform."""
every_word = pytest.mark.parametrize(
    ("platform", "act"),
    [(name, act) for name, platform in PLATFORMS.items() for act in platform.words],
    indirect=["platform"],
)
"""A test of each platform, and of each act after which it may not mail an address at all."""


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> SandboxServer:
    """The sandbox, empty of people, with the lists that every sandbox has."""
    sandbox_server.faults()
    sandbox_server.reset(people=0)
    return sandbox_server


@pytest.fixture
def platform(request: pytest.FixtureRequest, sandbox: SandboxServer) -> Platform:
    """The platform that a test is about: Dotdigital, unless the test is parametrised."""
    return PLATFORMS[getattr(request, "param", Dotdigital.name)](sandbox)


@pytest.fixture(scope="session")
def stores(postgres: TestPostgres) -> Iterator[Stores]:
    """Migrated stores, to be borrowed."""
    made = Stores(postgres)
    yield made
    made.close()


@pytest.fixture
def make_world(
    stores: Stores, sandbox: SandboxServer, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MakeWorld]:
    """Make an account between the vendors; a second one fills the vendors anew."""
    monkeypatch.setenv("BOTHWAYS_INCLUDE", "")
    made: list[World] = []

    def make(people: int = 0, seed: int = 1, **account: Any) -> World:
        for world in [world for world in made if world.closed]:
            end(world)
        folder = scratch_folder("world")
        url, store = stores.borrow()
        world = World(
            sandbox,
            url,
            folder,
            platform=platform,
            people=people,
            seed=seed,
            store=store,
            **account,
        )
        made.append(world)
        return world

    def end(world: World) -> None:
        made.remove(world)
        world.close()
        stores.give_back(world.store_url, world.store)
        shutil.rmtree(world.folder)

    yield make
    for world in list(made):
        end(world)


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """An account between two vendors that know nobody."""
    return make_world()


@pytest.fixture
def crm(world: World, sandbox: SandboxServer) -> Crm:
    return Crm(sandbox)
