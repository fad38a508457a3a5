"""Selections of people: addresses are kept in the store, and Airflow gets a token."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fastapi import HTTPException, Request

from bothways.console.labels import is_id
from bothways.console.people import address_key
from bothways.console.service import store
from bothways.store.selections import file_selection

MOST = 1_000
LONGEST = 320


def typed(text: str) -> list[str]:
    """Return the records that a person typed, one a line or with commas between.

    Raises:
        HTTPException: 422: they are too many, or one is too long.
    """
    found = list(dict.fromkeys(re.split(r"[\s,;]+", text.replace("\x00", "").strip())))
    named = [item for item in found if item]
    if len(named) > MOST or any(len(item) > LONGEST for item in named):
        raise HTTPException(422, f"Give {MOST} records at most, each an address or an id.")
    return named


def filed(request: Request, dag_id: str, chosen: Sequence[str], user: str) -> list[str]:
    """Return what a DAG run may be given of the chosen records: as they are, or as one selection.

    Args:
        request: The request.
        dag_id: The DAG that is to run.
        chosen: Addresses, ids of records and tokens of selections.
        user: Who asks.
    """
    people = [item for item in chosen if not is_id(item)]
    others = [item for item in chosen if is_id(item)]
    if not people:
        return others
    account = dag_id.rpartition("__")[0]
    keys = {person: address_key(person) for person in people}
    with store(request).begin() as conn:
        token = file_selection(conn, account=account, people=keys, filed_by=user)
    return [*others, token]
