"""Merge fields and members' own: which there are, new ones, and values for them (facts 3)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import md5
from typing import Any, Final

import pandas as pd

from bothways.connectors.base import FieldInfo
from bothways.connectors.http.limits import parallel_map
from bothways.connectors.http.results import Verdict, records, results_frame
from bothways.connectors.mailchimp.client import MailchimpClient, Row
from bothways.connectors.mailchimp.queries import audiences, fields_of
from bothways.connectors.mailchimp.results import refused
from bothways.connectors.mailchimp.tables import MEMBER_FIELDS
from bothways.errors import Rejected
from bothways.vocabulary import FieldType

# Beyond that the vendor cuts, in bytes.
_TEXT_LENGTH = 255
_TYPES: Mapping[str, FieldType] = {"number": FieldType.NUMBER, "date": FieldType.DATE}
_CUT = frozenset({"text"})
ADDRESS: Final = "address"
_REQUIRED_PARTS: Final = ("addr1", "city", "state", "zip")
_PARTS: Final = ("addr1", "addr2", "city", "state", "zip", "country")
# A choice of two stands for yes and no, which the vendor has no type for.
_WORDS: Mapping[str, str] = {
    FieldType.STRING: "text",
    FieldType.INTEGER: "number",
    FieldType.NUMBER: "number",
    FieldType.OPTION: "number",
    FieldType.BOOLEAN: "radio",
    FieldType.DATE: "date",
    FieldType.DATETIME: "date",
}
_YES_NO: Final = ("true", "false")
_TAKEN = "name_taken"
_COPIED: Final = ("tag", "name", "type", "required", "public", "default_value", "options")
_TAG_LENGTH = 10


def fields(client: MailchimpClient) -> dict[str, FieldInfo]:
    """Return the fields by name: a member's own, and the merge fields of all audiences by tag.

    Where audiences have fields of one tag and different types, the first audience's counts.
    """
    own = {
        name: FieldInfo(name, kind, writable=writable)
        for name, (kind, writable) in MEMBER_FIELDS.items()
    }
    keys = [str(row["id"]) for row in audiences(client)]
    answers = parallel_map(lambda key: merge_fields(client, key), keys, client.parallel)
    there = {
        key: {info.name: info for row in rows for info in _infos(row)}
        for key, rows in zip(keys, answers, strict=True)
    }
    found: dict[str, FieldInfo] = {}
    for infos in there.values():
        found = infos | found
    return own | {
        name: replace(info, missing_in=frozenset(key for key in keys if name not in there[key]))
        for name, info in found.items()
    }


def merge_fields(client: MailchimpClient, audience: str) -> list[Row]:
    """Return the merge fields of an audience."""
    names = ("merge_id", "tag", "name", "type", "required", "public", "default_value", "options")
    query = {"fields": fields_of("merge_fields", names)}
    path = f"/lists/{audience}/merge-fields"
    return client.listing(path, "merge_fields", query, by="merge_id")


def _infos(row: Row) -> Iterator[FieldInfo]:
    kind, tag = str(row.get("type")), str(row.get("tag"))
    names = [f"{tag}.{part}" for part in _PARTS] if kind == ADDRESS else [tag]
    for name in names:
        yield FieldInfo(
            name,
            _TYPES.get(kind, FieldType.STRING),
            max_length=_TEXT_LENGTH if kind in _CUT else None,
            visibility="public" if row.get("public") else "private",
            default=row.get("default_value") or None,
            label=str(row.get("name") or ""),
        )


def create_fields(client: MailchimpClient, operations: pd.DataFrame) -> pd.DataFrame:
    """Create merge fields in every audience, or in those that lack them.

    A field is called as was asked for, and has the same tag in each audience, by which a repeat
    finds the first try's.
    """
    keys = [str(row["id"]) for row in audiences(client)]
    there = {key: merge_fields(client, key) for key in keys}
    return results_frame(
        _created(client, there, row).of(row["seq"])
        for row in records(operations, ("seq", "key", "values"))
    )


def _created(client: MailchimpClient, there: Mapping[str, list[Row]], row: Row) -> Verdict:
    wish = json.loads(row["values"])
    # What is no type of ours goes as it is, for the vendor to refuse in its own words.
    kind = _WORDS.get(wish["type"], str(wish["type"]))
    name = str(row["key"])
    tag = _tag(name)
    for audience, known in there.items():
        same = [item for item in known if item.get("tag") == tag]
        if same and same[0].get("type") != kind:
            message = (
                f"there is a merge field {tag} with the type {same[0].get('type')}, not {kind}; "
                "give one of them another name"
            )
            return Verdict("error", tag, _TAKEN, message)
        if not same:
            try:
                known.append(_made(client, audience, tag, kind, {**wish, "name": name}))
            except Rejected as error:
                return refused(error.code, error.message)
    return Verdict("written", tag)


def _tag(name: str) -> str:
    """Return the tag of a field: its name, or what is left of it, with something that tells it.

    The vendor takes ten capitals and digits (assumed: the specification does not say).
    """
    plain = re.sub(r"[^A-Z0-9_]", "", name.upper())
    if plain == name.upper() and len(plain) <= _TAG_LENGTH:
        return plain
    digest = md5(name.casefold().encode(), usedforsecurity=False).hexdigest()
    return f"{plain[: _TAG_LENGTH - 4]}{digest[:4].upper()}"


def _made(client: MailchimpClient, audience: str, tag: str, kind: str, wish: Row) -> Row:
    body: Row = {"tag": tag, "name": wish["name"], "type": kind}
    if wish.get("visibility"):
        body["public"] = str(wish["visibility"]).casefold() == "public"
    if wish.get("default") is not None:
        body["default_value"] = as_text(wish["default"])
    if wish["type"] == FieldType.BOOLEAN:
        body["options"] = {"choices": list(_YES_NO)}
    return _posted(client, audience, body)


def copy_fields(client: MailchimpClient, source: str, target: str) -> None:
    """Give an audience the merge fields of another one that it lacks, under the same tags.

    Raises:
        Rejected: The vendor refuses one.
    """
    there = {row.get("tag") for row in merge_fields(client, target)}
    for row in merge_fields(client, source):
        if row.get("tag") not in there:
            told = {name: row[name] for name in _COPIED if row.get(name) not in (None, "", {})}
            _posted(client, target, told)


def _posted(client: MailchimpClient, audience: str, body: Row) -> Row:
    """Make a merge field; one that a first try made, whose answer was lost, is found."""
    try:
        answer = client.request("POST", f"/lists/{audience}/merge-fields", retry="keyed", json=body)
    except Rejected:
        for row in merge_fields(client, audience):
            if (row.get("tag"), row.get("type")) == (body["tag"], body["type"]):
                return row
        raise
    made: Row = answer.json()
    return made


def as_text(value: Any) -> str:
    """Return a value as the vendor has it in a text; "" empties a field, and null is refused."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return _YES_NO[0] if value else _YES_NO[1]
    return str(value)


class Writer:
    """Puts values into the form in which one audience takes them."""

    def __init__(self, known: Sequence[Row]) -> None:
        self._kinds = {str(row.get("tag")): str(row.get("type")) for row in known}

    def body(self, values: Mapping[str, Any]) -> Row:
        """Return values as a member's body has them; parts of addresses stand beside each other.

        Raises:
            ValueError: A value is not one that the field can have.
        """
        body: Row = {}
        for name, value in values.items():
            if name in MEMBER_FIELDS:
                kind, _ = MEMBER_FIELDS[name]
                body[name] = bool(value) if kind is FieldType.BOOLEAN else as_text(value)
                continue
            tag, _, part = name.partition(".")
            if tag not in self._kinds:
                if value is None:
                    continue
                # The vendor takes the value and forgets it; the next read would find it cleared.
                raise ValueError(
                    f"{tag}: the audience has no such merge field; add it there, or take it out of "
                    "the mapping"
                )
            merged = body.setdefault("merge_fields", {})
            if part:
                merged.setdefault(tag, {})[part] = as_text(value)
            else:
                form: Callable[[Any], Any] = _FORMS.get(self._kinds[tag], as_text)
                merged[tag] = form(value)
        return body


def whole_address(tag: str, given: Mapping[str, str], known: Any) -> Row | str:
    """Return an address with these parts and, beside them, those that the member has.

    The vendor takes a whole address only, or "", which empties the field; parts are not made up.

    Args:
        tag: The merge field.
        given: The parts to be written.
        known: What the member has: parts, or "" where there is none.

    Raises:
        ValueError: A part that the vendor requires is missing; the message names field and part.
    """
    before = known if isinstance(known, dict) else {}
    address = {
        part: text for part in _PARTS if (text := as_text(given.get(part, before.get(part))))
    }
    # A country alone is what the vendor fills in by itself (assumed).
    if not address.keys() - {"country"}:
        return ""
    missing = [part for part in _REQUIRED_PARTS if part not in address]
    if missing:
        raise ValueError(
            f"{tag} takes a whole address only, and {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing; complete the address"
        )
    return address


def _number(value: Any) -> Any:
    return "" if value is None else value


def _day(value: Any) -> str:
    return as_text(value)[:10]


_FORMS: Mapping[str, Callable[[Any], Any]] = {"number": _number, "date": _day}
