"""The access log: who looked at people, and who downloaded what."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from bothways.console.auth import GetUserDep, SeesAccessLog, SignedIn
from bothways.console.service import page, store
from bothways.console.views import PAGE_SIZE, AccessView
from bothways.store import access_log

router = APIRouter(dependencies=[SignedIn, SeesAccessLog], include_in_schema=False)


@router.get("/access")
def access(request: Request, user: GetUserDep) -> HTMLResponse:
    """Show who looked at whom and who downloaded what, newest first."""
    view = AccessView.read(request.query_params)
    with store(request).begin() as conn:
        found = access_log.find(
            conn,
            limit=PAGE_SIZE + 1,
            before=view.before,
            user=view.user or None,
            record_id=view.record or None,
        )
    return page(
        request,
        "access.html",
        user=user,
        view=view,
        entries=found[:PAGE_SIZE],
        more=len(found) > PAGE_SIZE,
    )
