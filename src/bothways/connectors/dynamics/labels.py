"""Labels of the definitions that are made, in the environment's base language.

Each label has to have one in that language (learn: customize-labels-support-multiple-languages).
One in a language that is not switched on is refused with a column ("The language code 1033 is not a
valid language for this organization": microsoft/Dataverse-skills#113), and taken for one in the
base language with a table (microsoft/power-platform-skills#456).
"""

from __future__ import annotations

from typing import Any, Final

from bothways.connectors.dynamics.client import Dataverse, rows_of
from bothways.connectors.dynamics.names import NAMESPACE
from bothways.connectors.dynamics.queries import query

Body = dict[str, Any]

_ENGLISH: Final = 1033


def label_of(text: str) -> Body:
    """Return a label; `in_language` says in which language it is."""
    return {
        "@odata.type": f"{NAMESPACE}.Label",
        "LocalizedLabels": [
            {
                "@odata.type": f"{NAMESPACE}.LocalizedLabel",
                "Label": text,
                "LanguageCode": _ENGLISH,
            }
        ],
    }


def base_language(client: Dataverse) -> int:
    """Return the code of the language that every label has to be in."""
    rows = rows_of(client.get(query("organizations", select=("languagecode",))))
    return int(next((row["languagecode"] for row in rows if row.get("languagecode")), _ENGLISH))


def in_language(body: Any, code: int) -> Any:
    """Return a definition whose labels are all in one language."""
    if isinstance(body, list):
        return [in_language(one, code) for one in body]
    if not isinstance(body, dict):
        return body
    return {
        name: code if name == "LanguageCode" else in_language(value, code)
        for name, value in body.items()
    }
