"""Where the vendors' events arrive, outside of Airflow's sign-in: their signature lets them in."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from bothways.console import arriving
from bothways.console.gate import KEPT_QUERY
from bothways.console.service import store
from bothways.errors import BothwaysError
from bothways.orchestration.waking import AirflowRuns, Waker, start_due
from bothways.webhooks import Delivery

router = APIRouter(include_in_schema=False)

log = logging.getLogger(__name__)


@router.get("/events/{account}/{role}")
def validate(account: str, role: str) -> Response:
    """Answer a vendor that looks whether there is anybody: always the same, whatever the path.

    The vendor asks before it tells the secret that it will sign with.
    """
    del account, role
    return Response()


@router.post("/events/{account}/{role}")
async def take(request: Request, account: str, role: str) -> Response:
    """Check an event, keep whom it names, and answer; the runs start once it has been quiet."""
    body = await _body(request)
    if body is None:
        return Response(status_code=413)
    delivery = Delivery(body, dict(request.headers), _query(request))
    try:
        found = await run_in_threadpool(_taken, request, account, role, delivery)
    except arriving.Refused:
        return Response(status_code=403)
    except BothwaysError as error:
        log.warning("%s", error)
        return Response(status_code=503)  # the vendor sends it again
    if found:
        waker(request).wake()
    return Response()


def waker(request: Request) -> Waker:
    """Return what starts the runs, one for each process."""
    state = request.app.state
    if state.waker is None:
        opened, runs = store(request), AirflowRuns()
        state.waker = Waker(lambda: start_due(opened, runs, datetime.now(UTC)))
    found: Waker = state.waker
    return found


def _taken(request: Request, account: str, role: str, delivery: Delivery) -> bool:
    """Keep whom a delivery names; return whether it names anybody."""
    sender = arriving.sender(account, role)
    found = arriving.concerned(sender, delivery, datetime.now(UTC))
    if found:
        with store(request).begin() as conn:
            arriving.keep(conn, sender, found)
    return bool(found)


async def _body(request: Request) -> bytes | None:
    """Return the body; None if it is longer than anything that a vendor sends."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > arriving.LONGEST_BODY:
            return None
    return body


def _query(request: Request) -> Mapping[str, str]:
    kept: bytes = request.scope.get(KEPT_QUERY, request.scope["query_string"])
    return dict(parse_qsl(kept.decode("latin-1")))
