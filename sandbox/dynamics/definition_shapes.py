"""The shapes of what a definition holds; a body that breaks one is refused before it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from sandbox.dynamics.errors import VendorError, payload_error
from sandbox.dynamics.work import Work

_OBJECTS = {
    *("DisplayName", "DisplayCollectionName", "Description", "Lookup"),
    "CascadeConfiguration",
    *("OptionSet", "TrueOption", "FalseOption", "DateTimeBehavior"),
}
_LISTS: Mapping[str, type] = {
    **dict.fromkeys(("LocalizedLabels", "Attributes", "Options", "Entities"), dict),
    "KeyAttributes": str,
}
_TEXTS = {
    *("SchemaName", "LogicalName", "OwnershipType", "EntitySetName", "@odata.type"),
    *("ReferencedEntity", "ReferencingEntity", "ReferencingEntityNavigationPropertyName"),
    *("Entity1LogicalName", "Entity2LogicalName", "IntersectEntityName"),
    *("Entity1NavigationPropertyName", "Entity2NavigationPropertyName"),
    *("EntityLogicalName", "EntityKeyLogicalName", "AutoNumberFormat", "OptionSetName"),
}
_NUMBERS = {"MinValue", "MaxValue", "LanguageCode", "Precision"}
_FLAGS = {"IsPrimaryName", "ChangeTrackingEnabled", "IsActivity"}


def definition(work: Work) -> dict[str, Any]:
    """Return the body of a request that writes a definition.

    Raises:
        VendorError: Something in it is of another shape than its name demands, or it is to become
            part of a solution that there is not.
    """
    body = work.call.json()
    _check_solution(work)
    _check(body)
    return body


def label_of(body: Mapping[str, Any], name: str) -> str:
    """Return a label of a definition in its first language; "" where it has none."""
    label = body.get(name)
    labels = label.get("LocalizedLabels") if isinstance(label, dict) else None
    return str(labels[0].get("Label") or "") if labels else ""


def check_language(work: Work, body: Mapping[str, Any]) -> None:
    """Check that no label is in a language that the organisation does not have.

    A column with one is refused; a table or an option set is made with it as if it were in the base
    language (microsoft/Dataverse-skills#113, power-platform-skills#456; the code assumed).

    Raises:
        VendorError: One is.
    """
    (base,) = work.connection.execute("SELECT languagecode FROM organization").fetchone()
    for code in _languages(body):
        if code != base:
            told = f"The language code {code} is not a valid language for this organization."
            raise VendorError(400, "0x80040203", told)


def _languages(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from chain.from_iterable(map(_languages, value))
    elif isinstance(value, dict):
        yield from [value["LanguageCode"]] if "LanguageCode" in value else []
        yield from chain.from_iterable(map(_languages, value.values()))


def _check_solution(work: Work) -> None:
    name = work.call.header("mscrm.solutionuniquename")
    if name is None:
        return
    found = work.connection.execute("SELECT 1 FROM solution WHERE uniquename = ?", (name,))
    if found.fetchone() is None:  # status, code and text assumed
        raise VendorError(404, "0x80040217", f"solution With uniquename = {name} Does Not Exist")


def _check(body: Mapping[str, Any]) -> None:
    for name, value in body.items():
        if value is not None and not _fits(name, value):
            raise payload_error("", f"The value of the property '{name}' is of the wrong type.")
        for inner in value if isinstance(value, list) else (value,):
            if isinstance(inner, dict):
                _check(inner)


def _fits(name: str, value: Any) -> bool:
    if name in _OBJECTS:
        return isinstance(value, dict)
    if name in _LISTS:
        kind = _LISTS[name]
        return isinstance(value, list) and all(isinstance(one, kind) for one in value)
    if name in _TEXTS:
        return _is_text(value)
    if name in _NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if name in _FLAGS:
        return isinstance(value, bool)
    return _is_text(value) or not isinstance(value, str)


def _is_text(value: Any) -> bool:
    """Whether a value is text; half a character is none."""
    return isinstance(value, str) and not any("\ud800" <= one <= "\udfff" for one in value)
