"""Filling the organisation: what every one has, and the CRM's share of the population."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

from sandbox.dynamics import storage
from sandbox.dynamics.definitions import LANGUAGE
from sandbox.dynamics.model import Table, default_status, stable_id
from sandbox.dynamics.rules import derive
from sandbox.dynamics.tables_marketing import LIST, LISTMEMBER
from sandbox.dynamics.tables_people import ACCOUNT, CONTACT, LEAD
from sandbox.dynamics.tables_system import (
    BUILT_IN,
    BUSINESSUNIT,
    CURRENCY,
    ORGANIZATION,
    PUBLISHER,
    SDKMESSAGE,
    SDKMESSAGEFILTER,
    SOLUTION,
    SYSTEMUSER,
)
from sandbox.dynamics.values import moment_text
from sandbox.dynamics.work import BUSINESS_UNIT_ID, CURRENCY_ID, ORGANIZATION_ID, USER_ID
from sandbox.population import Company, CrmSide, Person
from sandbox.vendor import VendorContext

APPLICATION_ID = "00000000-0000-0000-0000-00000000b0b0"
# UpsertMultiple is no event, so that no filter names it: it goes where these two go.
BULK_MESSAGES = ("CreateMultiple", "UpdateMultiple")
ROW_MESSAGES = ("Create", "Update", "Delete")
# The name of RemoveListMembers is not confirmed; it follows the others (assumed).
LIST_MESSAGES = ("AddListMembers", "AddMember", "RemoveListMembers", "RemoveMember")
# They are of no table, so that no filter names one (second fact sheet, section 1).
ASSOCIATION_MESSAGES = ("Associate", "Disassociate")

_LONDON = (
    '<fetch><entity name="contact"><attribute name="contactid" /><filter>'
    '<condition attribute="address1_city" operator="eq" value="London" /></filter></entity></fetch>'
)
# Name, createdfromcode, further columns.
_LISTS: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("Newsletter", 2, {}),
    ("Product updates", 4, {}),
    ("Partners", 1, {}),
    ("Everyone in London", 2, {"type": 1, "query": _LONDON}),
    ("Old locked list", 2, {"lockstatus": 1}),
)
_SOLUTIONS = (("Default", "Default Solution"), ("Active", "Active Solution"))
_RATINGS = {"Hot": 1, "Warm": 2, "Cold": 3}
_GENDERS = {"Male": 1, "Female": 2}
_LEAD_STATES = {"open": (0, 1), "qualified": (1, 3), "disqualified": (2, 6)}
_CONTACT_STATES = {"active": (0, 1), "inactive": (1, 2)}


def seed(context: VendorContext, batches: Iterator[list[Person]]) -> None:
    """Fill the empty tables.

    Args:
        context: The vendor's.
        batches: People; those whom the CRM does not know are passed over.
    """
    with context.database.write() as connection:
        _system_rows(connection, moment_text(context.clock.now()))
        writer = _PeopleWriter(connection)
        for batch in batches:
            writer.add(batch)
        writer.finish()


def list_id(name: str) -> str:
    """Return the id of a seeded marketing list."""
    return stable_id("list", name)


def _system_rows(connection: sqlite3.Connection, now: str) -> None:
    times = {"createdon": now, "modifiedon": now}
    unit = {"businessunitid": BUSINESS_UNIT_ID, "name": "contoso", **times}
    users = [
        {**_user(USER_ID, "#", "Sandbox"), "applicationid": APPLICATION_ID, **times},
        {
            **_user(stable_id("systemuser", "person"), "Robin", "Marlow"),
            "applicationid": None,
            **times,
        },
    ]
    organization = {
        "organizationid": ORGANIZATION_ID,
        "name": "contoso",
        "expirechangetrackingindays": 7,
        "expiresubscriptionsindays": 90,
        "languagecode": LANGUAGE,
        **times,
    }
    currency = {
        "transactioncurrencyid": CURRENCY_ID,
        "currencyname": "Pound Sterling",
        "isocurrencycode": "GBP",
        "currencysymbol": "£",
        "currencyprecision": 2,
        "statecode": 0,
        "statuscode": 1,
        **times,
    }
    publisher = {
        "publisherid": stable_id("publisher", "default"),
        "friendlyname": "Default Publisher for contoso",
        "uniquename": "DefaultPublishercontoso",
        "customizationprefix": "new",
        "customizationoptionvalueprefix": 10_000,
        **times,
    }
    solutions = [_solution(name, title, publisher, times) for name, title in _SOLUTIONS]
    for table, rows in (
        (BUSINESSUNIT, [unit]),
        (SYSTEMUSER, users),
        (ORGANIZATION, [organization]),
        (CURRENCY, [currency]),
        (PUBLISHER, [publisher]),
        (SOLUTION, solutions),
    ):
        _insert(connection, table, rows)
    _insert(
        connection,
        SDKMESSAGE,
        [
            {"sdkmessageid": stable_id("message", name), "name": name}
            for name in (*BULK_MESSAGES, *ROW_MESSAGES, *LIST_MESSAGES, *ASSOCIATION_MESSAGES)
        ],
    )
    for table in BUILT_IN:
        allow_messages(connection, table)
    _allow(connection, LIST, LIST_MESSAGES)
    for one in _LISTS:
        _insert(connection, LIST, [_list_row(now, *one)])


def _solution(
    name: str, title: str, publisher: dict[str, Any], times: dict[str, str]
) -> dict[str, Any]:
    return {
        "solutionid": stable_id("solution", name),
        "uniquename": name,
        "friendlyname": title,
        "version": "1.0.0.0",
        "ismanaged": 0,
        "publisherid": publisher["publisherid"],
        **times,
    }


def _user(user_id: str, first: str, last: str) -> dict[str, Any]:
    return {
        "systemuserid": user_id,
        "ownerid": user_id,
        "firstname": first,
        "lastname": last,
        "fullname": f"{first} {last}",
        "domainname": f"{last.lower()}@contoso.example",
        "azureactivedirectoryobjectid": stable_id("entra", user_id),
        "isdisabled": 0,
        "businessunitid": BUSINESS_UNIT_ID,
    }


def allow_messages(connection: sqlite3.Connection, table: Table) -> None:
    """Have `sdkmessagefilters` say which messages a table takes."""
    _allow(connection, table, (*ROW_MESSAGES, *(BULK_MESSAGES if table.bulk else ())))


def _allow(connection: sqlite3.Connection, table: Table, messages: Sequence[str]) -> None:
    rows = [
        {
            "sdkmessagefilterid": stable_id("filter", table.name, name),
            "primaryobjecttypecode": table.name,
            "sdkmessageid": stable_id("message", name),
        }
        for name in messages
    ]
    _insert(connection, SDKMESSAGEFILTER, rows)


def _list_row(now: str, name: str, code: int, more: dict[str, Any]) -> dict[str, Any]:
    return {
        **_standard(LIST, now, now),
        "listid": list_id(name),
        "listname": name,
        "createdfromcode": code,
        "membertype": code,
        "membercount": 0,
        "type": 0,
        **more,
    }


def _standard(table: Table, created: str, modified: str) -> dict[str, Any]:
    row = {
        column.name: int(column.default) if isinstance(column.default, bool) else column.default
        for column in table.columns
        if column.default is not None
    }
    row["statuscode"] = default_status(table.by_name["statuscode"], 0)
    return {
        **row,
        "createdon": created,
        "modifiedon": modified,
        "createdby": USER_ID,
        "modifiedby": USER_ID,
        "ownerid": USER_ID,
        "ownerid__type": "systemuser",
        "owningbusinessunit": BUSINESS_UNIT_ID,
    }


def _insert(connection: sqlite3.Connection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """Insert rows that all have the same columns, each with its own version."""
    filled = list(rows)
    if not filled:
        return
    version = storage.next_versions(connection, len(filled))
    names = [*filled[0], "versionnumber"]
    marks = ", ".join("?" * len(names))
    connection.executemany(
        f'INSERT INTO "{table.name}" ({", ".join(names)}) VALUES ({marks})',
        ((*row.values(), version + offset) for offset, row in enumerate(filled)),
    )


def _row_id(kind: int, number: int) -> str:
    """Return an id that rises with the number, so that a million rows load in order."""
    return f"{kind:02x}{number:06x}-5eed-4a00-8b00-{number * 2_654_435_761 % 2**48:012x}"


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _cut(value: str, length: int) -> str | None:
    return value[:length] or None


class _PeopleWriter:
    """Writes people as contacts, leads, accounts and list members."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._accounts: set[int] = set()
        self._members = 0

    def add(self, people: list[Person]) -> None:
        contacts: list[dict[str, Any]] = []
        leads: list[dict[str, Any]] = []
        members: list[tuple[str, str, str, datetime]] = []
        companies: dict[int, tuple[Company, datetime]] = {}
        for person in people:
            side = person.crm
            if side is None:
                continue
            if side.company is not None and side.company.number not in self._accounts:
                companies.setdefault(side.company.number, (side.company, side.created))
            kind = 1 if side.entity == "contact" else 2
            row_id = _row_id(kind, person.number)
            (contacts if kind == 1 else leads).append(_person_row(row_id, side))
            members += [(name, side.entity, row_id, side.modified) for name in side.lists]
        self._accounts |= set(companies)
        accounts = [_account_row(*one) for one in companies.values()]
        members += [
            ("Partners", "account", _row_id(3, company.number), created)
            for company, created in companies.values()
            if company.partner
        ]
        _insert(self._connection, ACCOUNT, accounts)
        _insert(self._connection, CONTACT, contacts)
        _insert(self._connection, LEAD, leads)
        _insert(self._connection, LISTMEMBER, [self._member(*one) for one in members])

    def _member(self, name: str, entity: str, row_id: str, since: datetime) -> dict[str, Any]:
        self._members += 1
        when = moment_text(since)
        return {
            "listmemberid": _row_id(4, self._members),
            "entityid": row_id,
            "entityid__type": entity,
            "listid": list_id(name),
            "entitytype": entity,
            "entityidtypecode": entity,
            "createdon": when,
            "modifiedon": when,
            "createdby": USER_ID,
            "modifiedby": USER_ID,
        }

    def finish(self) -> None:
        self._connection.execute(
            "UPDATE list SET membercount ="
            " (SELECT count(*) FROM listmember WHERE listmember.listid = list.listid)"
        )


def _account_row(company: Company, created: datetime) -> dict[str, Any]:
    when = moment_text(created)
    row = {
        **_standard(ACCOUNT, when, when),
        "accountid": _row_id(3, company.number),
        "name": _cut(company.name, 160),
        "websiteurl": _cut(company.website, 200),
        "address1_city": _cut(company.city, 80),
        "address1_country": _cut(company.country, 80),
    }
    derive(ACCOUNT, row, row)
    return row


def _person_row(row_id: str, side: CrmSide) -> dict[str, Any]:
    created, modified = moment_text(side.created), moment_text(side.modified)
    table = CONTACT if side.entity == "contact" else LEAD
    row = {
        **_STANDARD[side.entity],
        "createdon": created,
        "modifiedon": modified,
        table.primary_id: row_id,
        "firstname": _cut(side.first_name, 50),
        "lastname": _cut(side.last_name, 50),
        "emailaddress1": _cut(side.email, 100),
        "telephone1": _cut(side.phone, 50),
        "jobtitle": _cut(side.job_title, 100),
        "address1_city": _cut(side.city, 80),
        "address1_country": _cut(side.country, 80),
        "address1_postalcode": _cut(side.postcode, 20),
        "description": _cut(side.description, 2000),
        "donotbulkemail": int(side.do_not_bulk_email),
    }
    row.update(_contact_part(side) if table is CONTACT else _lead_part(side))
    derive(table, row, row)
    return row


def _contact_part(side: CrmSide) -> dict[str, Any]:
    state, status = _CONTACT_STATES[side.state]
    return {
        "birthdate": _day(side.birthdate),
        "gendercode": _GENDERS.get(side.gender),
        "parentcustomerid": None if side.company is None else _row_id(3, side.company.number),
        "parentcustomerid__type": None if side.company is None else "account",
        "statecode": state,
        "statuscode": status,
    }


def _lead_part(side: CrmSide) -> dict[str, Any]:
    state, status = _LEAD_STATES[side.state]
    company = "" if side.company is None else side.company.name
    return {
        "subject": _cut(f"Interested: {company or side.last_name}", 300),
        "companyname": _cut(company, 100),
        "leadqualitycode": _RATINGS.get(side.lead_rating, 2),
        "statecode": state,
        "statuscode": status,
    }


_STANDARD = {"contact": _standard(CONTACT, "", ""), "lead": _standard(LEAD, "", "")}
