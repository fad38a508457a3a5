"""People at both vendors for the benchmarks, made and changed through the vendors' own APIs."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from bothways.connectors.dotdigital.connector import DotdigitalConnector
from bothways.connectors.dynamics.connector import DynamicsConnector
from sandbox.dynamics.seed import list_id
from tests.support.engine import World

LIST = "Newsletter"
CITIES = np.array(["London", "Leeds", "Berlin", "Paris", "Madrid", "Rome", "Athens", "Oslo"])
_CHUNK = 10_000


def fill(world: World, people: int) -> None:
    """Put people on the list: eight tenths on both sides, one tenth on either side only.

    One in twenty has another city on the platform.
    """
    numbers = np.arange(people)
    _fill_crm(world, numbers[numbers % 10 != 1])
    _fill_platform(world, numbers[numbers % 10 != 0])


def edit(world: World, people: int, edits: int) -> None:
    """Change the job titles of people whom both sides have, of different ones on each side."""
    both = [number for number in range(min(people, 50 * edits)) if number % 10 > 2]
    ours, theirs = both[:edits], both[edits : 2 * edits]
    with_keys = {row["emailaddress1"]: row["contactid"] for row in _rows(world, "dynamics")}
    with_ids = {row["email"]: str(row["id"]) for row in _rows(world, "dotdigital")}
    _crm(world).write_contacts(
        _operations(
            kind="update",
            record_id=[with_keys[address(number)] for number in ours],
            values=[json.dumps({"jobtitle": f"Director {number}"}) for number in ours],
        )
    )
    _platform(world).write_contacts(
        _operations(
            kind="update",
            record_id=[with_ids[address(number)] for number in theirs],
            values=[json.dumps({"JOBTITLE": f"Director {number}"}) for number in theirs],
            email=None,
            list_ids=None,
        )
    )


def fill_crm(world: World, people: int, first: int = 0) -> None:
    """Put people on the CRM's list, whom the platform does not have."""
    _fill_crm(world, np.arange(first, first + people))


def _fill_crm(world: World, numbers: np.ndarray) -> None:
    crm = _crm(world)
    for part in _parts(numbers):
        people = _operations(
            kind="create",
            key=[f"bench-{number}" for number in part],
            email=[address(number) for number in part],
            values=[values(number, CITIES[number % 8], "crm") for number in part],
            record_id=None,
        )
        made = crm.write_contacts(people)
        joins = _operations(kind="join", record_id=made["record_id"], list_id=list_id(LIST))
        _assert_written(made, crm.write_list_members(joins))


def _fill_platform(world: World, numbers: np.ndarray) -> None:
    platform = _platform(world)
    found = next(item.id for item in platform.lists() if item.name == LIST)
    for part in _parts(numbers):
        people = _operations(
            kind="create",
            email=[address(number) for number in part],
            values=[
                values(number, CITIES[(number + (number % 20 == 2)) % 8], "marketing")
                for number in part
            ],
            record_id=None,
            list_ids=[[found]] * len(part),
        )
        _assert_written(platform.write_contacts(people))


def values(number: int, city: str, side: str) -> str:
    crm, marketing = (
        ("firstname", "lastname", "jobtitle", "telephone1", "address1_city", "address1_country"),
        ("FIRSTNAME", "LASTNAME", "JOBTITLE", "PHONE", "CITY", "COUNTRY"),
    )
    words = ("Anna", f"Muster {number}", "Buyer", f"+44{7_000_000_000 + number}", city, "Germany")
    return json.dumps(dict(zip(crm if side == "crm" else marketing, words, strict=True)))


def address(number: int) -> str:
    return f"anna.muster{number}@company{number % 997}.example"


def _operations(**columns: object) -> pd.DataFrame:
    frame = pd.DataFrame({"entity": "contact", **columns})
    return frame.assign(seq=range(len(frame)))


def _parts(numbers: np.ndarray) -> list[np.ndarray]:
    return [numbers[start : start + _CHUNK] for start in range(0, len(numbers), _CHUNK)]


def _assert_written(*results: pd.DataFrame) -> None:
    for result in results:
        if not (result["outcome"] == "written").all():
            raise RuntimeError("The sandbox could not be filled; run its tests.")


def _rows(world: World, vendor: str) -> list[dict[str, object]]:
    return world.sandbox.table(vendor, "contact" if vendor == "dynamics" else "contacts")


def _crm(world: World) -> DynamicsConnector:
    connector = world.connector("crm")
    assert isinstance(connector, DynamicsConnector)
    return connector


def _platform(world: World) -> DotdigitalConnector:
    connector = world.connector("marketing")
    assert isinstance(connector, DotdigitalConnector)
    return connector
