from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bothways.store.db import Store
from tests.support.engine import World
from tests.support.people import Crm, Platform
from tests.support.postgres import TestPostgres
from tests.support.sandbox import SandboxServer

MakeWorld = Callable[..., World]


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


@pytest.fixture(scope="session")
def migrated_store(postgres: TestPostgres) -> Iterator[str]:
    """The name of a migrated database to copy from."""
    with postgres.fresh_database() as url:
        store = Store(url)
        store.migrate()
        store.dispose()
        yield url.rsplit("/", 1)[1]


@pytest.fixture
def make_world(
    postgres: TestPostgres,
    migrated_store: str,
    sandbox: SandboxServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[MakeWorld]:
    """Make an account between the vendors; a second one fills the vendors anew."""
    monkeypatch.setenv("BOTHWAYS_INCLUDE", "")
    made: list[World] = []

    def make(people: int = 0, seed: int = 1, **account: Any) -> World:
        sandbox.reset(people, seed)
        folder = Path(tempfile.mkdtemp(prefix="bothways-world-"))
        made.append(World(sandbox, postgres.create_database(migrated_store), folder, **account))
        return made[-1]

    yield make
    for world in made:
        world.close()
        postgres.drop_database(world.store_url)
        shutil.rmtree(world.folder)


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """An account between two vendors that know nobody."""
    return make_world()


@pytest.fixture
def crm(world: World, sandbox: SandboxServer) -> Crm:
    return Crm(sandbox)


@pytest.fixture
def platform(world: World, sandbox: SandboxServer) -> Platform:
    return Platform(sandbox)
