"""Who asks, and what Airflow's auth manager lets them do. The console decides nothing by itself."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import (
    AccessView,
    DagAccessEntity,
    DagDetails,
)
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.tokens import get_signing_key
from airflow.api_fastapi.core_api.security import GetUserDep, get_user, requires_access_dag
from airflow.models.dag import DagModel
from fastapi import Depends, Form, Header, HTTPException, Request

from bothways.console.tokens import Tokens

__all__ = [
    "GetUserDep",
    "MayRead",
    "MayTrigger",
    "OwnCall",
    "OwnForm",
    "Readable",
    "SeesAccessLog",
    "SeesPeople",
    "SignedIn",
]

# The rights of one's own, as resources of the auth manager: `can_read` on them.
PEOPLE: Final = "Bothways People"
ACCESS_LOG: Final = "Bothways Access Log"

SignedIn = Depends(get_user)
MayRead = Depends(requires_access_dag(method="GET"))
MayTrigger = Depends(requires_access_dag(method="POST", access_entity=DagAccessEntity.RUN))


def _readable(user: GetUserDep) -> frozenset[str]:
    return frozenset(get_auth_manager().get_authorized_dag_ids(user=user, method="GET"))


Readable = Annotated[frozenset[str], Depends(_readable)]


def triggerable(user: Any, dag_ids: Iterable[str]) -> frozenset[str]:
    """Return those of the DAGs whose runs this user may start, so that a page offers no more."""
    ids = list(dag_ids)
    teams = DagModel.get_dag_id_to_team_name_mapping(ids)
    manager = get_auth_manager()
    return frozenset(
        dag_id
        for dag_id in ids
        if manager.is_authorized_dag(
            method="POST",
            access_entity=DagAccessEntity.RUN,
            details=DagDetails(id=dag_id, team_name=teams.get(dag_id)),
            user=user,
        )
    )


def may_see_problems(user: Any) -> bool:
    """Return whether Airflow would show this user the errors of any DAG file."""
    return get_auth_manager().is_authorized_view(access_view=AccessView.IMPORT_ERRORS, user=user)


def may_see_people(user: Any) -> bool:
    """Return whether this user may see addresses and field values, and download them."""
    return _has_right(user, PEOPLE)


def may_see_access_log(user: Any) -> bool:
    """Return whether this user may see who looked at people."""
    return _has_right(user, ACCESS_LOG)


def _has_right(user: Any, resource: str) -> bool:
    """Ask for the right to a view of ours, as Airflow asks for those of its plugins.

    The simple auth manager would give it to every role. There it goes with the right to see
    connections, the way to the vendors' people, which the roles Op and Admin have.
    """
    manager = get_auth_manager()
    if isinstance(manager, SimpleAuthManager):
        return bool(manager.is_authorized_connection(method="GET", user=user))
    return bool(manager.is_authorized_custom_view(method="GET", resource_name=resource, user=user))


def _sees_people(user: GetUserDep) -> None:
    if not may_see_people(user):
        raise HTTPException(
            403,
            "Your role in Airflow does not let you see people; "
            f"ask an administrator for the right to read “{PEOPLE}”.",
        )


def _sees_access_log(user: GetUserDep) -> None:
    if not may_see_access_log(user):
        raise HTTPException(
            403,
            "Your role in Airflow does not let you see the access log; "
            f"ask an administrator for the right to read “{ACCESS_LOG}”.",
        )


SeesPeople = Depends(_sees_people)
SeesAccessLog = Depends(_sees_access_log)


@lru_cache(maxsize=1)
def tokens() -> Tokens:
    """Return the tokens of this deployment; their secret is that of Airflow's API servers."""
    return Tokens(get_signing_key("api", "secret_key"))


def own_form(request: Request, user: GetUserDep, form_token: Annotated[str, Form()] = "") -> None:
    """Let an action through that the signed-in person took on a page of ours.

    Raises:
        HTTPException: 403: another site sent it, or the page is too old.
    """
    _check_origin(request, user, form_token)


def own_call(
    request: Request, user: GetUserDep, x_form_token: Annotated[str, Header()] = ""
) -> None:
    """Let a call through that carries a bearer token, or comes from a page of ours.

    Raises:
        HTTPException: 403: another site sent it, or the page is too old.
    """
    _check_origin(request, user, x_form_token)


OwnForm = Depends(own_form)
OwnCall = Depends(own_call)


def _check_origin(request: Request, user: Any, token: str) -> None:
    # No browser adds a bearer token to a request by itself, as it does a cookie.
    if request.headers.get("authorization", "").lower().startswith("bearer "):
        return
    if _from_elsewhere(request):
        raise HTTPException(
            403, "This request came from another site; use the console's own button."
        )
    if not tokens().is_form_token(token, str(user.get_id())):
        raise HTTPException(403, "Your session expired; reload the page and try again.")


def _from_elsewhere(request: Request) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site != "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")
