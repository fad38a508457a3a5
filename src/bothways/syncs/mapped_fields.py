"""Whether the fields that an account maps fit what a system says of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

import pandas as pd
from rapidfuzz.fuzz import ratio
from rapidfuzz.process import extractOne
from rapidfuzz.utils import default_process

from bothways.config.mapping import FieldMapping
from bothways.connectors.base import FieldInfo
from bothways.vocabulary import FieldType, RoleName, other

Known = Mapping[str, FieldInfo]
"""What a system says of the fields of one entity, by name."""

# Which of a vendor's types hold a field of a mapping's type, beside the same. What a platform keeps
# in text is read as the mapping says.
_HOLDS: Final = {
    FieldType.INTEGER: {FieldType.NUMBER},
    FieldType.NUMBER: {FieldType.INTEGER},
    FieldType.DATE: {FieldType.DATETIME},
    FieldType.DATETIME: {FieldType.DATE},
}
# Beneath this likeness (0 to 100) a name is another word rather than a slip.
_ALIKE: Final = 65


def fields_by_table(columns: pd.DataFrame) -> dict[str, dict[str, FieldInfo]]:
    """Return the fields of each table, from DEFINITIONS of columns or data fields."""
    found: dict[str, dict[str, FieldInfo]] = {}
    # Objects for people's questions, a few hundred: no frame would help.
    for name, text in zip(columns["name"], columns["details"], strict=True):
        told = json.loads(text)
        options = json.loads(told["options"] or "{}")
        found.setdefault(told["table"], {})[name] = FieldInfo(
            name=name,
            type=FieldType(told["type"]),
            writable=told["writable"],
            max_length=told["max_length"],
            options={int(value): label for value, label in options.items()},
            label=told["label"] or "",
        )
    return found


def complaint(
    title: str, role: RoleName, item: FieldMapping, known: Known
) -> tuple[str, str] | None:
    """Return what is wrong with a mapped field in a system and what to do, None where it is fit.

    Args:
        title: What people call the system.
        role: Its role.
        item: The field.
        known: The fields that it has.
    """
    name = item.name(role)
    if name is None:
        return None
    if name not in known:
        remedy = near(name, known) + "create it there, or remove it here"
        return f"{title} has no field `{name}`", remedy
    info, written = known[name], item.travels_to(role)
    if written and not info.writable:
        return f"`{name}` is read-only in {title}", f"write `direction: to_{other(role)}`"
    if not _holds(info, item, role):
        message = f"`{name}` is of type {info.type} in {title}, and not {item.type}"
        return message, "write `type:` as the vendor has it, or map another field"
    if written and info.max_length and (item.max_length or 0) > info.max_length:
        message = f"`{name}` takes {info.max_length} characters in {title}"
        return message, f"write `max_length: {info.max_length}`"
    return _about_options(title, name, item, info)


def complaints(
    title: str, role: RoleName, fields: Mapping[str, FieldMapping], known: Known
) -> Iterator[tuple[str, str, str]]:
    """Yield the names of fields that are not fit, with what is wrong and what to do."""
    for name, item in fields.items():
        found = complaint(title, role, item, known)
        if found:
            yield name, *found


def unfit(
    title: str, entity: str, name: str, wanted: FieldType, known: Known
) -> tuple[str, str] | None:
    """Return what is wrong with a field that settings name and what to do, None where it is fit."""
    info = known.get(name)
    if info is None:
        message = f"{title} has no field `{name}` in the table {entity}"
        return message, near(name, known) + "create it there, or remove it here"
    if info.type is not wanted and info.type not in _HOLDS.get(wanted, set()):
        message = f"`{name}` of {entity} is of type {info.type} in {title}"
        return message, f"name a field of type {wanted}"
    return None


def near(name: str, offered: Known) -> str:
    """Return the beginning of a remedy: the field that was probably meant; "" if none is near.

    A field is known by its name, and by the label that people see.
    """
    words = {one: one for one in offered} | {
        f"{one} {info.label}": info.label for one, info in offered.items() if info.label
    }
    found = extractOne(name, words, scorer=ratio, processor=default_process, score_cutoff=_ALIKE)
    return f"did you mean `{found[2].partition(' ')[0]}`? Otherwise " if found else ""


def _about_options(
    title: str, name: str, item: FieldMapping, info: FieldInfo
) -> tuple[str, str] | None:
    unknown = sorted(set(item.options) - set(info.options)) if info.options else []
    if not unknown:
        return None
    offered = ", ".join(f"{value}: {label}" for value, label in sorted(info.options.items()))
    return f"`{name}` has no option {unknown[0]} in {title}", f"write options among {offered}"


def _holds(info: FieldInfo, item: FieldMapping, role: RoleName) -> bool:
    if role == "marketing" and info.type is FieldType.STRING:
        return True
    wanted = item.kept_type(role)
    return info.type is wanted or info.type in _HOLDS.get(wanted, set())
