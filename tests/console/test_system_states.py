"""Whether each system of an account is connected, and if not, why."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI

from bothways.config.load import load_account
from bothways.config.systems import systems_of
from bothways.console.system_states import system_states
from bothways.store.db import Store
from bothways.store.known_systems import recognise
from bothways.store.schema import runs
from bothways.vocabulary import RunStatus
from tests.console.conftest import PREFIX, Client
from tests.console.filled import Filled, ended
from tests.console.reading import soup, table

NORTH = f"{PREFIX}/accounts/north"


def test_a_system_that_no_run_has_reached_says_how_it_is_tried(client: Client) -> None:
    found = table(soup(client("viewer").get(NORTH)), "Systems")
    assert [(row["System"], row["Airflow connection"]) for row in found] == [
        ("Dynamics 365", "crm_connection"), ("Dotdigital", "platform_connection"),
    ]  # fmt: skip
    assert {row["State"] for row in found} == {"Not yet reached bothways check --live tests it."}


def test_a_system_is_connected_once_a_run_has_called_it_and_in_error_once_one_failed_because_of_it(
    filled_store: tuple[str, Filled], console: FastAPI
) -> None:
    store, told = Store(filled_store[0]), []
    with store.begin() as conn:
        whole = conn.begin_nested()

        def states() -> list[str]:
            found = system_states(conn, load_account("north"), systems_of("north"))
            return [f"{state.status} {state.vendor_account}".strip() for state in found]

        run(conn, "reached", calls={"crm": {"calls": 3}, "marketing": {"calls": 2}})
        recognise(conn, account="north", side="crm", connector="dynamics", vendor_id="org-1")
        told.append(states())
        run(conn, "refused", message="Dotdigital: the password is wrong (401)")
        told.append(states())
        run(conn, "lost", message="Airflow has no connection `crm_connection`; create it.")
        told.append(states())
        run(conn, "stopped", message="Stopped by the safety limits", calls={"crm": {"calls": 1}})
        told.append(states())
        whole.rollback()
    store.dispose()
    assert told == [
        ["Connected org-1", "Connected"],
        ["Connected org-1", "Error"],
        ["Error org-1", "Error"],
        ["Connected org-1", "Error"],
    ]


def run(conn: sa.Connection, name: str, message: str = "", **values: Any) -> None:
    status = RunStatus.FAILED if message else RunStatus.COMPLETED
    run_id = ended(conn, name, status, message=message, rows=[])
    if values:
        conn.execute(runs.update().where(runs.c.run_id == run_id).values(**values))
