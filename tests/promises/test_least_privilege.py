"""Runs get by on the rights that docs/least-privilege.md names, and on no others."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psycopg
import pytest
import requests
import sqlalchemy as sa
from typer.testing import CliRunner

from bothways.cli.app import app
from bothways.connectors.base import RemovesDefinitions
from bothways.discovery import record_kinds, sync_types
from bothways.engine.maintenance import keep_partitions, prune_audit
from bothways.errors import ConfigurationError, StoreError
from bothways.store.db import VERSION_TABLE, Store
from bothways.store.schema import metadata
from bothways.vocabulary import SIDES
from sandbox.dotdigital.app import endpoint as dotdigital
from sandbox.dynamics.app import endpoint as dynamics
from sandbox.mailchimp.app import endpoint as mailchimp
from tests.promises.conftest import every_platform
from tests.support.engine import World
from tests.support.erasing import Erasing
from tests.support.people import Crm
from tests.support.platforms import Platform
from tests.support.postgres import TestPostgres
from tests.support.sandbox import ROOT, SandboxServer
from tests.support.scenario import LISTS
from tests.support.scratch import scratch_folder
from tests.support.stores import erasure_keys

PAGE = (ROOT / "docs" / "least-privilege.md").read_text()
TABLES = [table.name for table in metadata.sorted_tables]
# Those that call what the others do not; the vendors' files hold the connectors to the rest.
SYNC_TYPES = {
    "dotdigital": (
        *("suppressions", "address_books", "marketing_lists", "forms", "web_behaviour"),
        *("crm_metadata", "data_labels"),
    ),
    "mailchimp": (
        *("suppressions", "marketing_lists", "tags", "member_tags", "campaigns"),
        *("contact_scoring", "opt_in", "data_labels"),
    ),
}
ENDPOINTS = {"dotdigital": dotdigital, "mailchimp": mailchimp}


class Roles(NamedTuple):
    """The addresses of one store for three roles."""

    owner: str
    runs: str
    reads: str


@contextmanager
def opened(url: str) -> Iterator[Store]:
    store = Store(url, erasure_keys)
    try:
        yield store
    finally:
        store.dispose()


def refused(store: Store, statement: str) -> None:
    with pytest.raises(StoreError, match="lacks a right"), store.begin() as conn:
        conn.execute(sa.text(statement))


@pytest.fixture(scope="module")
def roles(postgres: TestPostgres) -> Iterator[Roles]:
    """A store that one role owns, one works in and one reads."""
    url = postgres.create_database()
    database = url.rsplit("/", 1)[1]
    names = [f"{database}_{part}" for part in ("owner", "runs", "reads")]
    with psycopg.connect(url, autocommit=True) as conn:
        for name in names:
            conn.execute(f'CREATE ROLE "{name}" LOGIN')  # type: ignore[call-overload]
        conn.execute(f'ALTER DATABASE "{database}" OWNER TO "{names[0]}"')  # type: ignore[call-overload]
    made = Roles(*(url.replace("//postgres@", f"//{name}@") for name in names))
    with opened(made.owner) as store:
        store.migrate()
        store.grant(*names[1:])
    yield made
    postgres.drop_database(url)
    with psycopg.connect(postgres.server.url(), autocommit=True) as conn:
        for name in names:
            conn.execute(f'DROP ROLE "{name}"')  # type: ignore[call-overload]


@pytest.fixture
def calls(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Every call to a vendor, also those within a batch, by the sandbox's name for it."""
    made, send = set[str](), requests.Session.send
    of_platform = ENDPOINTS[platform.name]

    def sent(self: requests.Session, request: Any, **options: Any) -> requests.Response:
        path = urlsplit(request.url).path
        body = request.body if path.endswith(("$batch", "/batches")) else b""
        of_crm = path.startswith("/api/") or "/oauth2/" in path
        made.add((dynamics if of_crm else of_platform)(request.method, path))
        for line in re.findall(rb"^((?:GET|POST|PATCH|PUT|DELETE) \S+) HTTP", body, re.MULTILINE):
            method, target = line.decode().split()
            path = urlsplit(target).path
            made.add(dynamics(method, path if path.startswith("/") else f"/api/data/v9.2/{path}"))
        if path.endswith("/batches") and body:
            made.update(of_platform(each["method"], each["path"]) for each in operations(body))
        return send(self, request, **options)

    monkeypatch.setattr(requests.Session, "send", sent)
    return made


def operations(body: bytes) -> list[dict[str, Any]]:
    """The calls that a batch of Mailchimp hands in."""
    handed_in: list[dict[str, Any]] = json.loads(body)["operations"]
    return handed_in


@pytest.fixture
def world(
    roles: Roles,
    sandbox: SandboxServer,
    platform: Platform,
    calls: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """An account whose runs use the running role."""
    monkeypatch.setenv("BOTHWAYS_INCLUDE", "")
    for name, value in platform.small_writes.items():
        monkeypatch.setattr(name, value)
    folder = scratch_folder("world")
    lists: dict[str, Any] = dict(LISTS)
    for name in ("Spring", "Autumn"):
        lists[name.lower()] = {"crm": name, "marketing": name, "create_missing": True}
    with opened(roles.runs) as store:
        store.check()
        syncs = {"campaigns": {"level": "detailed"}}
        world = World(
            sandbox,
            roles.runs,
            folder,
            platform=platform,
            name=platform.name,  # the store is that of all of these tests
            store=store,
            lists=lists,
            syncs=syncs,
        )
        world.prepare_for(*sync_types())
        yield world
    shutil.rmtree(folder)


@every_platform
def test_everything_that_runs_do_needs_no_more_than_rows(
    world: World, calls: set[str], sandbox: SandboxServer, platform: Platform
) -> None:
    prepared = set(calls)
    crm = Crm(sandbox)
    crm.list("Autumn")
    for entity, email in (("contact", "ann@mail.example"), ("lead", "bob@mail.example")):
        getattr(crm, entity)(email)
        platform.suppressed(email)
    for email in ("cid@mail.example", "eda@mail.example", "fay@mail.example"):
        crm.join("Autumn", crm.contact(email))
    platform.list("Spring")
    platform.contact("dan@mail.example", "Spring")
    platform.send("Hello")
    crm.suppression("eve@mail.example")
    crm.event(bw_email="ann@mail.example")
    platform.contact("eve@mail.example")
    calls.clear()
    runs = {name: world.run(name) for name in SYNC_TYPES[platform.name]}
    assert {run.status for run in runs.values()} == {"Completed"}
    undo = runs["marketing_lists"].run_id
    assert world.run("marketing_lists", undo_run=undo).status == "Completed"
    assert world.run("verify").status == "Completed"
    erasing = Erasing(world)
    for email in ("ann@mail.example", "bob@mail.example"):
        request = erasing.file(email)
        assert erasing.run(request, confirm=request).status == "Completed"
    keep_partitions(world.store, keep_days={world.name: 1}, now=datetime.now(UTC))
    prune_audit(world.store, account=world.name, keep_days=1, now=datetime.now(UTC))
    for side in SIDES:
        connector = world.connector(side)
        connector.check()
        for entity in connector.entities:
            connector.fields(entity)  # type: ignore[attr-defined]
        connector.close()
    assert sorted(call for call in calls | prepared if f"`{call}`" not in PAGE) == []


def test_taking_away_what_was_made_needs_no_more_than_the_page_says(
    world: World, calls: set[str]
) -> None:
    calls.clear()
    crm = world.connector("crm")
    assert isinstance(crm, RemovesDefinitions)
    crm.remove(crm.removable(list(record_kinds().values())))
    crm.close()
    # The rows of each table of ours are counted, which the page says for all of them.
    used = {call for call in calls if not call.startswith("GET bw_")}
    assert "DELETE EntityDefinitions" in used
    assert sorted(call for call in used if f"`{call}`" not in PAGE) == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "ALTER TABLE jobs ADD COLUMN mine int",
        "DROP TABLE jobs",
        "TRUNCATE jobs",
        "CREATE INDEX mine ON jobs (run_id)",
        f"DELETE FROM {VERSION_TABLE}",
        "CREATE ROLE mine",
    ],
)
@pytest.mark.parametrize("role", ["runs", "reads"])
def test_neither_role_changes_tables(role: str, statement: str, roles: Roles) -> None:
    with opened(getattr(roles, role)) as store:
        refused(store, statement)


def test_the_running_role_makes_and_drops_old_partitions_and_nothing_else(roles: Roles) -> None:
    with opened(roles.runs) as store:
        with store.begin() as conn:
            conn.execute(sa.text("SELECT add_partition('jobs', '2020-01-15')"))
            conn.execute(sa.text("SELECT drop_partition('jobs', '2020-01-13')"))
        for statement, told in (
            ("add_partition('runs', '2020-01-15')", "does not partition runs"),
            ("drop_partition('runs', '2020-01-13')", "has no partition"),
            ("drop_partition('jobs', date_trunc('week', now())::date)", "is in use"),
        ):
            with store.engine.begin() as conn, pytest.raises(sa.exc.DBAPIError, match=told):
                conn.execute(sa.text(f"SELECT {statement}"))
    with opened(roles.reads) as store:
        refused(store, "SELECT add_partition('jobs', '2020-01-15')")
        refused(store, "SELECT drop_partition('jobs', '2020-01-13')")


@pytest.mark.parametrize("table", [*TABLES, VERSION_TABLE])
def test_the_reading_role_reads_all_but_the_keys_and_writes_nothing(
    table: str, roles: Roles
) -> None:
    with opened(roles.reads) as store:
        if table == "secrets":
            refused(store, f"SELECT 1 FROM {table}")
        else:
            with store.begin() as conn:
                conn.execute(sa.text(f"SELECT 1 FROM {table}"))
        refused(store, f"DELETE FROM {table}")
        refused(store, f"INSERT INTO {table} DEFAULT VALUES")


def test_rights_can_be_granted_again_and_are_taken_back(roles: Roles) -> None:
    runs, reads = (re.findall(r"//(\w+)@", url)[0] for url in roles[1:])
    with opened(roles.owner) as store:
        with store.begin() as conn:
            conn.execute(sa.text(f'GRANT TRUNCATE ON jobs TO "{runs}"'))
        store.grant(runs, reads)
        with store.begin() as conn:
            may = sa.text("SELECT has_table_privilege(:role, 'jobs', 'TRUNCATE')")
            assert conn.execute(may, {"role": runs}).scalar_one() is False
        for wrong, told in (("nobody", "has no role `nobody`"), ("postgres", "may do whatever")):
            with pytest.raises(ConfigurationError, match=told):
                store.grant(wrong)


def test_a_server_that_shows_no_certificate_is_refused_where_one_is_asked_for(roles: Roles) -> None:
    url = f"{roles.runs}?sslmode=verify-full&sslrootcert=system"
    with (
        opened(url) as store,
        pytest.raises(StoreError, match="cannot be reached"),
        store.begin(),
    ):
        pass


def test_a_role_to_read_is_named_beside_the_one_that_runs() -> None:
    done = CliRunner().invoke(app, ["migrate", "--reads-as", "bothways_read"])
    assert done.exit_code == 2
    assert "--runs-as" in done.output
