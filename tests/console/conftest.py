"""The console inside Airflow's own API application, with its auth manager and a filled store.

Everything but the scheduler is real: the routes, Airflow's login tokens and permissions, its public
API, its metadata tables (SQLite) and the store (PostgreSQL). Nobody starts a server.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from bothways.config.paths import INCLUDE_VARIABLE
from bothways.store.db import Store
from demo.environment import free_port
from demo.waiting import wait_for
from tests.console.filled import DAGS, Filled, fill
from tests.support.configuration import SHIPPED
from tests.support.postgres import TestPostgres

with warnings.catch_warnings():
    # Airflow imports Starlette's test client, which recommends a package that is not released.
    warnings.simplefilter("ignore")
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

Client = Callable[..., TestClient]

PREFIX = "/bothways"
ACCOUNT = """\
title: {title}
timezone: Europe/London
crm: {{connector: dynamics, connection: crm_connection}}
marketing: {{connector: dotdigital, connection: platform_connection}}
lists:
  newsletter: {{crm: Newsletter, marketing: Newsletter}}
  webinar_guests: {{crm: Webinar guests, marketing: Webinar guests, create_missing: true}}
mappings:
  contact: dynamics_dotdigital/contact.yaml
schedules:
  suppressions: {{interval: 1h}}
  address_books:
    interval: 4h
    window: {{days: Monday to Friday, from: "18:00", to: "08:00"}}
"""
_USERS = {
    "admin": "ADMIN",
    "user": "USER",
    "viewer": "VIEWER",
    "nobody": None,
    "north": "OP",
    "operator": "OP",
}


@pytest.fixture(scope="session")
def airflow_app(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[FastAPI, FastAPI, dict[str, str]]]:
    """Airflow's API application, the console that is mounted in it, and a token per user."""
    home = tmp_path_factory.mktemp("airflow")
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        _own_database(home, patch)
        from airflow.api_fastapi import app as airflow_api
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

        from bothways.console.app import create_app
        from bothways.console.gate import NoAddresses, NoKeys
        from bothways.console.slash import AddSlash
        from tests.console.manager import Manager

        patch.setattr(airflow_api, "get_auth_manager_cls", lambda: Manager)
        patch.setattr(airflow_api, "init_plugins", lambda app: None)
        outer = airflow_api.create_app(apps="core")
        outer.add_middleware(NoAddresses)
        outer.add_middleware(NoKeys)
        console = create_app(store_url=lambda: "", airflow=lambda: outer)
        outer.router.routes.insert(0, _mount(console))
        outer.add_middleware(AddSlash)
        manager = airflow_api.get_auth_manager()
        tokens = {
            name: manager.generate_jwt(SimpleAuthManagerUser(username=name, role=role))
            for name, role in _USERS.items()
        }
        yield outer, console, tokens


def _mount(console: FastAPI) -> Any:
    from starlette.routing import Mount

    return Mount(PREFIX, app=console, name="bothways")


def _own_database(home: Path, patch: pytest.MonkeyPatch) -> None:
    from airflow.configuration import conf
    from airflow.models import import_all_models
    from airflow.models.base import Base

    from airflow import settings

    url = f"sqlite:///{home}/airflow.db"
    patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", url)
    patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "admin:admin")
    passwords = str(home / "passwords.json")
    patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", passwords)
    patch.setenv("AIRFLOW__API__SECRET_KEY", "a secret of the tests, " * 4)
    patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "another secret of the tests, " * 4)
    patch.setenv("AIRFLOW__API__BASE_URL", "http://testserver/")
    conf.invalidate_cache() if hasattr(conf, "invalidate_cache") else None
    settings.SQL_ALCHEMY_CONN = url
    settings.configure_orm()
    import_all_models()
    Base.metadata.create_all(settings.engine)
    _add_dags()


def _add_dags() -> None:
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(DagBundleModel(name="tests"))
        session.flush()
        for dag_id in DAGS:
            session.add(
                DagModel(dag_id=dag_id, bundle_name="tests", is_stale=False, is_paused=False)
            )


@pytest.fixture(scope="session")
def filled_store(postgres: TestPostgres) -> Iterator[tuple[str, Filled]]:
    """The URL of a store with runs of every kind, and where what is in it."""
    with postgres.fresh_database() as url:
        store = Store(url)
        store.migrate()
        with store.begin() as conn:
            filled = fill(conn)
        store.dispose()
        yield url, filled


@pytest.fixture
def filled(filled_store: tuple[str, Filled]) -> Filled:
    """What is in the store."""
    return filled_store[1]


@pytest.fixture
def console(
    airflow_app: tuple[FastAPI, FastAPI, dict[str, str]],
    filled_store: tuple[str, Filled],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[FastAPI]:
    """The console over the filled store, with two accounts of its own."""
    accounts = tmp_path / "accounts"
    accounts.mkdir()
    (tmp_path / "mappings").symlink_to(SHIPPED / "mappings")
    for name in ("north", "south"):
        text = ACCOUNT.format(title=name.title())
        (accounts / f"{name}.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv(INCLUDE_VARIABLE, str(tmp_path))
    app = airflow_app[1]
    app.state.store_url = lambda: filled_store[0]
    app.state.store = None
    yield app
    if app.state.store is not None:
        app.state.store.dispose()
        app.state.store = None


@pytest.fixture
def client(
    airflow_app: tuple[FastAPI, FastAPI, dict[str, str]], console: FastAPI
) -> Iterator[Client]:
    """Gives a browser of a user, or of a stranger; `bearer` sends the token as scripts do."""
    opened: list[TestClient] = []

    def make(user: str | None = "admin", *, bearer: bool = False) -> TestClient:
        found = TestClient(airflow_app[0], raise_server_exceptions=False, follow_redirects=False)
        opened.append(found)
        if user is not None and bearer:
            found.headers["Authorization"] = f"Bearer {airflow_app[2][user]}"
        elif user is not None:
            found.cookies.set("_token", airflow_app[2][user])
        return found

    yield make
    for found in opened:
        found.close()


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow is at work on every DAG run that the audit has at work."""
    from bothways.console import list_status

    monkeypatch.setattr(list_status, "dag_run_state", lambda *_: "running")


@pytest.fixture
def served(airflow_app: tuple[FastAPI, FastAPI, dict[str, str]], console: FastAPI) -> Iterator[str]:
    """The address of the API application with the console in it."""
    port = free_port()
    config = uvicorn.Config(
        airflow_app[0], host="127.0.0.1", port=port, log_config=None, lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for("the console's server to start", lambda: server.started, seconds=60, every=0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    server.force_exit = True
    thread.join(20)


def include_folder() -> Path:
    """The folder of the accounts of this test."""
    return Path(os.environ[INCLUDE_VARIABLE])


@contextmanager
def campaigns_of_north() -> Iterator[None]:
    """A DAG for the campaigns of north, for as long as the block lasts."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    dag_id = "north__campaigns"
    with create_session() as session:
        session.add(DagModel(dag_id=dag_id, bundle_name="tests", is_stale=False, is_paused=False))
    try:
        yield
    finally:
        with create_session() as session:
            session.delete(session.get(DagModel, dag_id))
