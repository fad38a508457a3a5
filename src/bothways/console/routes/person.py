"""One person: where they are, since when and why they may not be mailed, and what runs did."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from bothways.config.load import load_accounts
from bothways.config.systems import systems_of
from bothways.console.auth import GetUserDep, Readable, SeesPeople, SignedIn, tokens
from bothways.console.dags import dag_id
from bothways.console.people import JobPlace, Person, address_key, find_person
from bothways.console.retention import audit_days
from bothways.console.sentences import why_ignored, why_not_mailed
from bothways.console.service import page, store, url
from bothways.console.views import BadView, PersonView
from bothways.discovery import sync_types
from bothways.store import access_log
from bothways.vocabulary import Systems

router = APIRouter(dependencies=[SignedIn, SeesPeople], include_in_schema=False)


@router.get("/person")
def ask(request: Request, user: GetUserDep) -> HTMLResponse:
    """Show the form for an address."""
    return page(request, "person.html", user=user, address="", found=None, view=PersonView())


@router.post("/person")
def look_up(request: Request, address: Annotated[str, Form()] = "") -> Response:
    """Lead to the page of an address; sealed, so that no log shows it."""
    text = address.strip()[:320].replace("\x00", "")
    if not text:
        raise BadView("Enter an email address.")
    return RedirectResponse(url(request, "show_person", sealed=tokens().seal(text)), 303)


@router.get("/person/{sealed}")
def show_person(
    request: Request, sealed: str, user: GetUserDep, readable: Readable
) -> HTMLResponse:
    """Show what every account that the person may read has of an address."""
    address = tokens().unseal(sealed)
    if address is None:
        raise HTTPException(404, "This link has expired; search for the address again.")
    view = PersonView.read(request.query_params)
    with store(request).begin() as conn:
        found = find_everywhere(conn, address, readable, account=view.account, after=view.after)
        trace(conn, found, user)
    if view.after and not any(person.jobs for person in found):
        raise HTTPException(404, "This person has no older jobs.")
    return page(
        request,
        "person.html",
        status=200 if found else 404,
        user=user,
        address=address,
        view=view,
        found=[_told(person) for person in found],
    )


def _told(person: Person) -> tuple[Person, str, str, Systems]:
    systems = systems_of(person.account)
    skipped = why_ignored(person, systems, audit_days(person.account))
    return person, skipped, why_not_mailed(person, systems), systems


def trace(conn: sa.Connection, found: list[Person], user: Any) -> None:
    """Record a lookup in each account that knows the person, or once if none does."""
    name = str(user.get_name())
    for person in found:
        access_log.keep(
            conn, user=name, what="person", account=person.account, record_ids=person.record_ids
        )
    if not found:
        access_log.keep(conn, user=name, what="person")


def find_everywhere(
    conn: sa.Connection,
    address: str,
    readable: frozenset[str],
    *,
    account: str = "",
    after: JobPlace | None = None,
) -> list[Person]:
    """Return what each account has of an address, for those whose DAGs may be read.

    Args:
        conn: An open transaction.
        address: However it is spelled.
        readable: The DAGs that may be read.
        account: Only this account.
        after: Only jobs that are older than this one.
    """
    key = address_key(address)
    if key is None:
        return []
    people = [
        find_person(
            conn,
            account=name,
            email_key=key,
            roles=tuple(systems_of(name)),
            dag_ids=ids,
            after=after,
        )
        for name, ids in _readable_accounts(readable).items()
        if name == (account or name)
    ]
    return [person for person in people if person.known]


def _readable_accounts(readable: frozenset[str]) -> dict[str, list[str]]:
    """Return the DAGs that may be read by account, for accounts with any; broken ones too."""
    loaded = load_accounts()
    names: list[Any] = [*(account.name for account in loaded.accounts), *loaded.broken]
    wanted = {
        name: [found for sync in sync_types() if (found := dag_id(name, sync)) in readable]
        for name in sorted(names)
    }
    return {name: ids for name, ids in wanted.items() if ids}
