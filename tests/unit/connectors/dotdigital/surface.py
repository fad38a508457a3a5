"""All that the connector can read and write, once each: against a sandbox with people in it."""

from __future__ import annotations

import json
from typing import Any

from bothways.vocabulary import FieldType

LONG_AGO = "2001-01-01T00:00:00.000Z"


def read_everything(connector: Any, since: str | None) -> dict[str, str]:
    """Read all that can be read; return an id of each kind of thing."""

    def ids(pages: Any, column: str = "id") -> list[str]:
        return [found for page in pages for found in page.rows[column].to_pylist()]

    connector.check()
    fields = dict.fromkeys(connector.fields("contact"), FieldType.STRING)
    people = ids(connector.read_contacts("contact", fields, since=since, lists=["1"]))
    ids(connector.read_contacts("contact", fields, since=since, everybody=True))
    ids(connector.find_contacts("contact", fields, ids=people[:2], emails=["x@mail.example"]))
    ids(connector.read_suppressions(since=since))
    ids(connector.read_list_suppressions("1", since=since))
    ids(connector.read_opt_ins(since=since), "member_id")
    ids(connector.read_scores(since=since), "member_id")
    connector.lists()
    found = {"campaign": ids(connector.read_campaigns(since=since)), "people": people}
    for event_set in connector.event_sets:
        ids(connector.read_events(event_set, found["campaign"][0], since=since), "key")
    found["form"] = ids(connector.read_forms(since=since))
    for form in found["form"]:
        ids(connector.read_form_responses(form, since=since), "key")
    ids(connector.read_visits(since=since), "key")
    found["preference"] = ids(connector.read_preferences())
    for preference in found["preference"]:
        ids(connector.read_preference_opt_ins(preference, since=since), "member_id")
    found["program"] = ids(connector.read_programs())
    return {name: some[0] for name, some in found.items()}


def write_everything(connector: Any, operations: Any, ids: dict[str, str]) -> None:
    """Write all that can be written."""

    def written(method: str, *rows: dict[str, Any]) -> None:
        results = getattr(connector, method)(operations(*rows))
        assert set(results["outcome"]) == {"written"}, method

    email, member = "new@mail.example", {"record_id": ids["people"]}
    values = json.dumps({"FIRSTNAME": "New"})
    written("write_contacts", {"kind": "create", "email": email, "values": values})
    written("write_contacts", {"kind": "suppress", "email": email})
    for kind in ("join", "leave"):
        written("write_list_members", {"kind": kind, "list_id": "2", **member})
    connector.create_list("Made by a test", None)
    field = {"type": "number", "visibility": "public", "default": 5}
    written("create_fields", {"kind": "create", "key": "SHOES", "values": json.dumps(field)})
    choice = json.dumps({ids["preference"]: True})
    written("write_preferences", {"kind": "update", **member, "values": choice})
    for named in ({}, {"list_id": "2"}):
        wish = {"program_id": ids["program"], "asked_at": LONG_AGO, **named}
        row = {"kind": "enrol", "values": json.dumps(wish), **({} if named else member)}
        assert len(connector.enrol(operations(row))) == 1
    connector.erase_contacts("contact", [ids["people"], "999999999"])
