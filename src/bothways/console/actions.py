"""Acts through Airflow's public API, as the person who asked, inside the API server's process.

The request goes to the routes that everybody uses, with the person's own credentials: Airflow
checks what they may do, and its audit log names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import quote

import httpx
from fastapi import HTTPException, Request

Answer = Literal["Approve", "Reject"]

# The task of every sync DAG that waits for a person, and its form (orchestration/review.py).
REVIEW_TASK: Final = "review"
LONGEST_NOTE: Final = 1_000
_CARRIED: Final = ("authorization", "cookie", "referer", "user-agent")


async def trigger(request: Request, dag_id: str, conf: Mapping[str, Any]) -> str:
    """Start a run of a DAG; return its id.

    Raises:
        HTTPException: What Airflow refused it with.
    """
    body = {"conf": dict(conf), "logical_date": None}
    answer = await _call(request, "POST", f"dags/{quote(dag_id, safe='')}/dagRuns", body)
    return str(answer["dag_run_id"])


async def respond(
    request: Request, dag_id: str, dag_run_id: str, answer: Answer, note: str
) -> None:
    """Answer the review of a run that awaits approval.

    Raises:
        HTTPException: What Airflow refused it with; 409 where somebody answered before.
    """
    run = f"dags/{quote(dag_id, safe='')}/dagRuns/{quote(dag_run_id, safe='')}"
    body = {"chosen_options": [answer], "params_input": {"note": note}}
    await _call(request, "PATCH", f"{run}/taskInstances/{REVIEW_TASK}/-1/hitlDetails", body)


async def _call(request: Request, method: str, path: str, body: Mapping[str, Any]) -> Any:
    headers = {name: request.headers[name] for name in _CARRIED if name in request.headers}
    transport = httpx.ASGITransport(request.app.state.airflow(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as client:
        answer = await client.request(method, f"/api/v2/{path}", json=body, headers=headers)
    if answer.is_success:
        return answer.json()
    if answer.status_code >= 500:
        raise HTTPException(502, "Airflow failed; see its API server's log.")
    raise HTTPException(answer.status_code, f"Airflow rejected the request: {_reason(answer)}")


def _reason(answer: httpx.Response) -> str:
    try:
        detail = answer.json().get("detail")
    except (ValueError, AttributeError):
        detail = None
    if isinstance(detail, dict):
        detail = detail.get("reason")
    return detail if isinstance(detail, str) else f"status {answer.status_code}"
