"""What every route needs: the store, and pages made from templates."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bothways.console import labels, zones
from bothways.console.auth import may_see_access_log, may_see_people
from bothways.labels import COUNTS, RESULTS, kind, reason, system, title
from bothways.store.db import Store
from bothways.vocabulary import CAMPAIGN, WRITTEN

_FOLDER: Final = Path(__file__).parent
STATIC: Final = _FOLDER / "static"


def store(request: Request) -> Store:
    """Return the store, opened once per process.

    Raises:
        ConfigurationError: Airflow has no connection to it.
    """
    state = request.app.state
    if state.store is None:
        # A page that waits for a connection is better told so; a transaction that a fault leaves
        # open gives its connection back.
        state.store = Store(state.store_url(), pool_wait_s=10, idle_in_transaction_s=60)
    found: Store = state.store
    return found


def url(request: Request, name: str, query: str = "", /, **path: object) -> str:
    """Return the path of one of our routes, below wherever Airflow is mounted."""
    made = request.scope.get("root_path", "") + request.app.url_path_for(name, **path)
    return f"{made}?{query}" if query else made


def airflow_url(request: Request, path: str) -> str:
    """Return the path of a page of Airflow's own, ``path`` beginning with a slash."""
    root: str = request.scope.get("root_path", "")
    return root.removesuffix(str(request.app.state.prefix)) + path


def page(
    request: Request, template: str, *, status: int = 200, user: Any = None, **values: Any
) -> HTMLResponse:
    """Return a page made from a template, for the person who is signed in."""
    made = _templates.get_template(template).render(
        request=request,
        user=user,
        sees_people=user is not None and may_see_people(user),
        sees_access_log=user is not None and may_see_access_log(user),
        url=partial(url, request),
        airflow_url=partial(airflow_url, request),
        prefix=request.app.state.prefix,
        **values,
    )
    return HTMLResponse(made, status_code=status)


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in (
        "colour", "verdict", "verdict_colour", "sentence", "moment", "minute", "short_day",
        "duration", "distance", "number", "numbers", "people", "marks", "choices", "changes",
        "standing", "direction", "conflict", "membership", "happened", "about_somebody",
        "is_person", "is_id",
        "told", "titles",
    ):  # fmt: skip
        made.filters[name] = getattr(labels, name)
    made.filters |= {"system": system, "kind": kind, "reason": reason, "title": title}
    made.filters["pairs"] = lambda values: [(value, value) for value in values]
    made.filters["titled_pairs"] = lambda values: [(value, title(value)) for value in values]
    made.filters["list_pairs"] = lambda rows: [(row.list_key, row.name) for row in rows]
    made.globals["RESULT_LABELS"] = RESULTS
    made.globals["zone"] = lambda: zones.current().key
    made.globals["COUNTS"] = COUNTS
    made.globals["WRITTEN"] = WRITTEN
    made.globals["CAMPAIGN"] = CAMPAIGN
    return made


_templates = _environment()
