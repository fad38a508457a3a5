"""What both vendors hold, in the words of the model of intent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from tests.soak.intent import ON, Person, Value
from tests.soak.setting import FIELDS, GENDERS, ListPair, Setting
from tests.soak.views import Row, View

# By record, what it holds of each matter; a list that is gone is no matter of its side.
Facts = dict[str, dict[str, Value]]


def node(side: str, number: str) -> str:
    """Return what a record is called: `crm:…` or `pf:…`."""
    return f"{side}:{number}"


def facts(view: View, setting: Setting) -> Facts:
    """Return what every record that is there holds."""
    found: Facts = {}
    members = set(view.members)
    for row in view.records:
        if not row["merged"]:
            own = [pair for pair in setting.lists if pair.entity == row["entity"]]
            held = _of_record(row)
            held |= _on(own, "crm", {pair[0] for pair in members if pair[1] == row["id"]})
            found[node("crm", row["id"])] = held
    for row in view.contacts:
        on = {
            list_id
            for (list_id, contact), status in view.memberships.items()
            if contact == row["id"] and status == "mailable"
        }
        held = {"email": row["key"] or None}
        held |= {name: _value(row["fields"].get(setting.columns[name])) for name, _, _ in FIELDS}
        own = [pair for pair in setting.lists if setting.may_hold(pair, row["id"])]
        found[node("pf", row["id"])] = held | _on(own, "marketing", on)
    return found


def persons(view: View, links: Collection[tuple[str, str]], setting: Setting) -> list[Person]:
    """Return whom links lead from the CRM to a contact that is there; of each audience one."""
    live = {row["id"] for row in view.records if not row["merged"]}
    records, contacts = defaultdict(list), defaultdict(set)
    for record, contact in links:
        if record in live:
            records[contact].append(node("crm", record))
            contacts[node("crm", record)].add(contact)
    found = []
    for own in (row["id"] for row in view.contacts if row["id"] in records):
        beside = sorted(set().union(*(contacts[record] for record in records[own])))
        others = [one for one in beside if setting.scope(one) != setting.scope(own)]
        everywhere = tuple(node("pf", other) for other in others)
        found.append(Person(tuple(sorted(records[own])), node("pf", own), everywhere))
    return found


def _of_record(row: Row) -> dict[str, Value]:
    held: dict[str, Value] = {"email": row["key"] or None}
    for name, column, _ in FIELDS:
        if name != "gender":
            held[name] = _value(row[column])
        elif row["entity"] == "contact":
            held[name] = GENDERS.get(row[column])
    return held


def _on(lists: Collection[ListPair], side: str, on: set[str]) -> dict[str, Value]:
    return {pair.matter: ON if pair.ids[side] in on else None for pair in lists if pair.ids[side]}


def _value(text: str | None) -> Value:
    return (text or "").strip() or None
