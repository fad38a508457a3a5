"""The Dotdigital app: routes behind authorisation and call limits, and answers to faults."""

from __future__ import annotations

import re

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp

from sandbox.dotdigital import (
    v2_account,
    v2_activity,
    v2_audience,
    v2_campaigns,
    v2_consent,
    v2_contacts,
    v2_imports,
    v2_lists,
    v2_preferences,
    v2_programs,
    v2_surveys,
    v3_contacts,
    v3_insight,
    v3_jobs,
)
from sandbox.dotdigital.errors import ApiError, too_many_calls
from sandbox.dotdigital.limits import Gate
from sandbox.vendor import VendorContext

_NUMBER = re.compile(r"/\d+(?=/|$)")
_GUID = re.compile(r"/[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}")
_DATE = re.compile(r"-(since|date)/[^/]+")
_SINGLE = re.compile(r"^/contacts/v3/(?!import|delete)([^/]+)/.+")
_INSIGHT = re.compile(r"^(/insightData/v3/contacts/(?:contactId|email|mobileNumber))/[^/]+")
_ADDRESS = re.compile(r"/[^/]*@[^/]*")


def create(context: VendorContext) -> ASGIApp:
    """Return the vendor's app."""
    app = Starlette(
        routes=[
            *v3_jobs.routes(context),
            *v3_contacts.routes(context),
            *v2_account.routes(context),
            *v2_preferences.routes(context),
            *v2_audience.routes(context),
            *v2_lists.routes(context),
            *v2_imports.routes(context),
            *v2_consent.routes(context),
            *v2_campaigns.routes(context),
            *v2_activity.routes(context),
            *v2_surveys.routes(context),
            *v2_programs.routes(context),
            *v3_insight.routes(context),
            *v2_contacts.routes(context),
        ],
        exception_handlers={ApiError: _refused, 404: _not_emulated, 405: _wrong_verb},
    )
    app.router.redirect_slashes = False
    return Gate(context, app)


def endpoint(method: str, path: str) -> str:
    """Return a request's name for the counters: ids, dates and addresses are left out of it."""
    path = _SINGLE.sub(r"/contacts/v3/\1/{value}", path)
    path = _INSIGHT.sub(r"\1/{value}", path)
    for pattern, name in ((_GUID, "/{id}"), (_DATE, r"-\1/{date}"), (_NUMBER, "/{id}")):
        path = pattern.sub(name, path)
    return f"{method} {_ADDRESS.sub('/{email}', path)}"


def refuse(kind: str, request: Request) -> Response:
    """Return the vendor's answer to a fault; its words are assumed where the facts have none."""
    is_v2 = request.url.path.startswith("/v2")
    if kind == "429":
        # assumed: no Retry-After, for none is documented; a reset that is near
        headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Scope": "lowCallRate"}
        problem = too_many_calls(request.url.path)
        return JSONResponse(problem.body, problem.status, headers)
    if kind == "502":
        return HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", 502)
    if is_v2:
        return JSONResponse({"message": "Error: ERROR_UNKNOWN"}, 500)
    code = f"{request.url.path.split('/')[1]}:unknown"
    return JSONResponse({"errorCode": code, "description": "Unknown error"}, 500)


def _refused(_request: Request, problem: Exception) -> Response:
    if not isinstance(problem, ApiError):
        raise problem
    return JSONResponse(problem.body, problem.status)


def _not_emulated(request: Request, _problem: Exception) -> Response:
    text = f"{request.method} {endpoint('', request.url.path).strip()} is not emulated"
    return JSONResponse({"message": f"{text} by this sandbox; the page at / says what is."}, 501)


def _wrong_verb(request: Request, problem: Exception) -> Response:
    if request.url.path.startswith("/v2/campaigns"):  # the vendor's can be written too
        return _not_emulated(request, problem)
    text = f"The requested resource does not support http method '{request.method}'."
    return JSONResponse({"message": text}, 405)
