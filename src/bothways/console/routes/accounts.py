"""Accounts as they are in force, read-only, with the files they come from and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from bothways.config.account import Account
from bothways.config.first import INITIAL_SYNC
from bothways.config.load import (
    Loaded,
    account_document,
    all_problems,
    load_accounts,
    mapping_documents,
)
from bothways.config.mapping import FieldMapping
from bothways.config.paths import mappings_folder, shown
from bothways.config.problems import Problem
from bothways.config.rules import KNOWN_DOMAINS, ROLE_ADDRESSES, rule_problems
from bothways.config.systems import systems_of
from bothways.config.ticks import in_words
from bothways.console import queries
from bothways.console.airflow_state import dag_states
from bothways.console.auth import (
    GetUserDep,
    Readable,
    SeesPeople,
    SignedIn,
    may_see_problems,
    tokens,
    triggerable,
)
from bothways.console.dags import campaigns_dag, dag_id, dag_path
from bothways.console.downloads import Download
from bothways.console.first import first_steps
from bothways.console.list_status import ListStatus, list_statuses, member_rows
from bothways.console.queries import ErrorFilter
from bothways.console.routes.errors import readable_errors
from bothways.console.service import page, store
from bothways.console.system_states import system_states
from bothways.discovery import sync_types
from bothways.store import access_log
from bothways.store.list_statuses import MEMBER_COLUMNS

THINGS: Final = 500
"""How many things of one kind a page shows."""

ABOUT: Final = ("table", "type", "status", "state", "visibility", "default", "category")
"""What a page says of a thing, of what is known of it."""

router = APIRouter(dependencies=[SignedIn], include_in_schema=False)


@router.get("/accounts")
def accounts(request: Request, user: GetUserDep, readable: Readable) -> HTMLResponse:
    """List the accounts whose DAGs the person may read, and what is wrong with any file."""
    loaded = load_accounts()
    all_shown = may_see_problems(user)
    names = {account.name for account in loaded.accounts if _may_read(account.name, readable)}
    broken = [name for name in loaded.broken if all_shown or _may_read(name, readable)]
    return page(
        request,
        "accounts.html",
        user=user,
        accounts=[
            (account, account_document(account.name).file)
            for account in loaded.accounts
            if account.name in names
        ],
        systems={name: systems_of(name) for name in names},
        broken=[(name, account_document(name).file) for name in broken],
        problems=all_problems() if all_shown else _problems_of(loaded, broken),
    )


@router.get("/accounts/{name}")
def account(request: Request, name: str, user: GetUserDep, readable: Readable) -> HTMLResponse:
    """Show one account: what is in force, or why nothing is."""
    loaded = load_accounts()
    found = next((item for item in loaded.accounts if item.name == name), None)
    may_see = _may_read(name, readable) or (name in loaded.broken and may_see_problems(user))
    if not may_see or (found is None and name not in loaded.broken):
        raise HTTPException(404, "No such account; the accounts page lists all.")
    if found is None:
        return page(
            request,
            "account.html",
            user=user,
            name=name,
            account=None,
            problems=_problems_of(loaded, [name]),
        )
    with store(request).begin() as conn:
        lists = list_statuses(conn, found)
        failed = readable_errors(conn, readable, [name])
        errors = queries.errors_by_list(conn, only=ErrorFilter(failed))
        states = system_states(conn, found, systems_of(name))
        things = queries.things(conn, account=name, at_most=THINGS)
        steps = first_steps(conn, found, readable)
    return page(
        request,
        "account.html",
        user=user,
        name=name,
        account=found,
        states=states,
        errors=errors,
        readable=readable,
        things=things,
        lists=lists,
        list_syncs=_list_syncs(name, lists, user),
        form_token=tokens().form_token(str(user.get_id())),
        about=ABOUT,
        steps=steps,
        initial_sync=dag_path(dag_id(name, INITIAL_SYNC)),
        problems=rule_problems(),
        has_campaigns=campaigns_dag(name) in readable,
        systems=systems_of(name),
        file=account_document(name).file,
        settings=_settings(found),
        schedules=[(sync, in_words(item)) for sync, item in sorted(found.schedules.items())],
        mappings=_mappings(found),
        rule_files=[shown(mappings_folder() / name) for name in (ROLE_ADDRESSES, KNOWN_DOMAINS)],
    )


@router.get("/accounts/{name}/lists/{key}/members.csv", dependencies=[SeesPeople])
def download_members(
    request: Request, name: str, key: str, user: GetUserDep, readable: Readable
) -> Response:
    """Give everybody on a list as CSV: who is in step, who in error and why, and who waits."""
    found = readable_account(name, readable)
    if key not in found.pairs:
        raise HTTPException(404, "No such list; the account's page has all of them.")
    with store(request).begin() as conn:
        access_log.keep(conn, user=str(user.get_name()), what="members.csv", account=name)
    rows = member_rows(store(request), found, key)
    filename = f"{name}-{key.replace(':', '-')}-members.csv"
    return Download(request, str(user.get_id()), MEMBER_COLUMNS, rows, filename)


def _list_syncs(name: str, lists: Sequence[ListStatus], user: Any) -> Mapping[str, str]:
    """Return the sync types that this person may start for a list, with their DAGs."""
    dags = {sync: dag_id(name, sync) for item in lists for sync in item.starts}
    known = triggerable(user, dag_states(dags.values()))
    return {sync: dag for sync, dag in dags.items() if dag in known}


def readable_account(name: str, readable: frozenset[str]) -> Account:
    """Return a sound account, some DAG of which the person may read.

    Raises:
        HTTPException: 404: there is none.
    """
    found = next((item for item in load_accounts().accounts if item.name == name), None)
    if found is None or not _may_read(name, readable):
        raise HTTPException(404, "No such account; the accounts page lists all.")
    return found


def _may_read(account_name: str, readable: frozenset[str]) -> bool:
    return any(dag_id(account_name, sync) in readable for sync in sync_types())


def _problems_of(loaded: Loaded, names: Sequence[str]) -> tuple[Problem, ...]:
    """Return the problems of some accounts' own files, of their mappings and of the rules."""
    files = {account_document(name).file for name in names}
    files |= {item.file for name in names for item in mapping_documents(name).values()}
    own = tuple(problem for problem in loaded.problems if problem.file in files)
    return (*own, *rule_problems())


def _settings(account: Account) -> list[tuple[str, list[tuple[str, Any]]]]:
    """Return what is in force by heading, defaults included, under the keys of the file."""
    guard = account.guard.model_dump(exclude={"sync_types"})
    of_syncs = {name: account.settings_of(sync) for name, sync in sync_types().items()}
    groups = [
        *((role, system.model_dump()) for role, system in account.systems.items()),
        ("settings", account.settings.model_dump()),
        ("ignore", account.ignore.model_dump()),
        ("guard", guard),
    ]
    groups += [
        (f"guard.sync_types.{sync}", limits.model_dump())
        for sync, limits in sorted(account.guard.sync_types.items())
    ]
    groups += [
        (f"syncs.{name}", values.model_dump(exclude_none=True))
        for name, values in of_syncs.items()
        if values is not None and name in account.syncs
    ]
    if account.events.sync_types:
        told = ", ".join(account.events.sync_types)
        groups.append(("events", account.events.model_dump() | {"sync_types": told}))
    return [(heading, list(values.items())) for heading, values in groups]


def _mappings(account: Account) -> list[tuple[str, str, list[tuple[str, FieldMapping]]]]:
    """Return the mapped fields by entity, with the file that they come from."""
    files = mapping_documents(account.name)
    return [
        (entity, files[entity].file if entity in files else "", sorted(mapping.fields.items()))
        for entity, mapping in sorted(account.mappings.items())
    ]
