"""Dataverse Web API v9.2, as the fact sheet on Dynamics 365 describes it."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.dynamics.app import PATHS, create, endpoint, organization, refuse
from sandbox.dynamics.auth import CLIENT_SECRET, TENANT
from sandbox.dynamics.catalogue import SCHEMA
from sandbox.dynamics.collation import register
from sandbox.dynamics.seed import APPLICATION_ID
from sandbox.dynamics.seed import seed as fill
from sandbox.population import Person
from sandbox.vendor import Vendor, VendorContext


def _seed(context: VendorContext, batches: Iterator[list[Person]]) -> None:
    organization(context).protection.forget()
    fill(context, batches)


def _settle(context: VendorContext) -> None:
    organization(context).settle()


VENDOR = Vendor(
    name="dynamics",
    title="Dynamics 365: Dataverse Web API v9.2",
    paths=PATHS,
    schema=SCHEMA,
    create=create,
    seed=_seed,
    refuse=refuse,
    endpoint=endpoint,
    settings={
        "request_limit": 6_000,  # requests in the window
        "execution_limit_s": 1_200,  # their time together
        "concurrency_limit": 52,
        "limit_window_s": 300,
        "dop_hint": 8,
        "metadata_changes_expire_tokens": False,  # as some have seen it happen to delta tokens
        "batch_limit": 1_000,
        "token_seconds": 3_599,
        "key_index_seconds": 1,  # from Pending to Active
        "application_user": True,  # False: tokens are given, the API answers 403
        "webhooks_to_any_port": False,  # to 80 and 443 only
        "assigns": True,  # False: the application user may not make records for another owner
    },
    notes=(
        f"Token: POST /{TENANT}/oauth2/v2.0/token with client_id {APPLICATION_ID}, client_secret"
        f" {CLIENT_SECRET} and this address + /.default as scope.",
        "API: /api/data/v9.2/ with contacts, leads, accounts, lists, listmembers, campaigns and"
        " what is made through EntityDefinitions.",
        "Two users: the application user, and Robin Marlow, in whose name it may act.",
        "Not emulated: $apply, aggregates of FetchXML, hierarchical and fiscal query functions,"
        " saved queries, file columns, global option sets, changes of options, custom activity"
        " tables, security roles, images of steps, sign-in by certificate.",
    ),
    settle=_settle,
    register=register,
)
