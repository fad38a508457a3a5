"""The console's FastAPI application: pages, JSON API, and what is said when something is wrong."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException

from bothways.console import zones
from bothways.console.downloads import Places
from bothways.console.routes import (
    access,
    accounts,
    actions,
    api,
    audit,
    campaigns,
    errors,
    events,
    overview,
    person,
    run,
)
from bothways.console.service import STATIC, airflow_url, page
from bothways.console.slash import PREFIX
from bothways.console.views import BadView
from bothways.errors import ConfigurationError, StoreError

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
_STATUS_WORDS: Final = {
    400: "Invalid request",
    401: "Not signed in",
    403: "No permission",
    404: "Not found",
    405: "Not possible",
    409: "Not possible any more",
    422: "Invalid request",
    429: "Too many downloads",
    500: "Internal error",
    502: "Airflow failed",
    503: "Database unavailable",
}

log = logging.getLogger(__name__)


def create_app(
    *,
    store_url: Callable[[], str] | None = None,
    airflow: Callable[[], Any] | None = None,
) -> FastAPI:
    """Return the application that the plugin mounts below PREFIX.

    Args:
        store_url: Finds the store; by default Airflow's connection to it.
        airflow: Gives the ASGI application whose public API actions go through; by default the
            one of this API server.
    """
    app = FastAPI(
        title="Bothways",
        version="1",
        description="What the syncs did, and how to start, approve and undo them.",
        # Served by routes of our own, which ask who is there.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.store = None
    app.state.store_url = store_url or _airflow_store_url
    app.state.airflow = airflow or _airflow_app
    app.state.waker = None
    app.state.prefix = PREFIX
    app.state.downloads = Places()
    pages = (overview, audit, errors, run, person, access, accounts, campaigns)
    for part in (*pages, actions, api, events):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.middleware("http")(_guarded)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(BadView, _bad_view)
    app.add_exception_handler(StoreError, _store_down)
    app.add_exception_handler(ConfigurationError, _store_down)
    app.add_exception_handler(Exception, _fault)
    return app


async def _guarded(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Refuse what no text of PostgreSQL can hold, and add what keeps a browser out of harm."""
    zones.follow(request)
    texts = [request.url.path, *request.query_params.values(), *request.query_params.keys()]
    if any("\x00" in text for text in texts):
        answer = _problem(request, 400, "The address contains an invalid character.")
    else:
        answer = await call_next(request)
    answer.headers.update(_HEADERS)
    if not request.url.path.removeprefix(request.scope.get("root_path", "")).startswith("/static/"):
        answer.headers["Cache-Control"] = "no-store"  # personal data
    return answer


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, StarletteHTTPException):
        raise error
    sentence = str(error.detail)
    if error.status_code == 401:
        sentence = "Sign in to Airflow to see this page."
    elif error.status_code == 403 and sentence == "Forbidden":
        sentence = "You do not have permission for this; ask an Airflow administrator."
    elif error.status_code == 404 and sentence == "Not Found":
        sentence = "No such page; follow the links above."
    elif error.status_code == 405:
        sentence = "This address takes another kind of request; use the console's own buttons."
    return _problem(request, error.status_code, sentence, headers=error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    # Without what was given: it may be an address, or no text at all.
    places = sorted({".".join(str(part) for part in item["loc"]) for item in error.errors()})
    if all(place.startswith("path.") for place in places):
        return _problem(request, 404, "No such run; the audit lists all runs.")
    told = ", ".join(place.encode("ascii", "replace").decode() for place in places)
    return _problem(request, 422, f"Invalid: {told}; the API page says what is allowed.")


async def _bad_view(request: Request, error: Exception) -> Response:
    return _problem(request, 400, str(error))


async def _store_down(request: Request, error: Exception) -> Response:
    log.warning("%s", error)
    return _problem(request, 503, str(error))


async def _fault(request: Request, _error: Exception) -> Response:
    """Return the page for an error of the console itself; Starlette logs it with its traceback."""
    sentence = "The console failed; see the API server's log, and report it."
    answer = _problem(request, 500, sentence)
    answer.headers.update({**_HEADERS, "Cache-Control": "no-store"})  # nothing else adds them
    return answer


def _problem(request: Request, status: int, sentence: str, headers: Any = None) -> Response:
    if request.url.path.removeprefix(request.scope.get("root_path", "")).startswith("/api/"):
        return JSONResponse({"detail": sentence}, status_code=status, headers=headers)
    answer = page(
        request,
        "problem.html",
        status=status,
        heading=_STATUS_WORDS.get(status, "Failed"),
        sentence=sentence,
        sign_in=_sign_in(request) if status == 401 else None,
    )
    answer.headers.update(headers or {})
    return answer


def _sign_in(request: Request) -> str:
    """Return Airflow's login page, which leads back here."""
    here = str(request.url) if request.method == "GET" else str(request.base_url)
    return f"{airflow_url(request, '/api/v2/auth/login')}?next={quote(here, safe='')}"


def _airflow_store_url() -> str:
    from bothways.orchestration.connections import store_url

    return store_url()


def _airflow_app() -> Any:
    from airflow.api_fastapi.main import app

    return app


__all__ = ["PREFIX", "HTTPException", "create_app"]
