"""How the vendor's database compares text: without regard to case and to accents.

The organisation's collation is Latin1_General_CI_AI (D). Letters that are no base letter with an
accent, such as ø, stand for themselves, and what is neither letter nor digit sorts by its code
point (both assumed).
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from functools import lru_cache

NAME = "DATAVERSE"

_LIKE = re.compile(r"\[(?P<none>\^?)(?P<of>.+?)\]|(?P<any>%)|(?P<one>_)|(?P<self>.)", re.DOTALL)
_NOTHING = re.compile(r"(?!)")


def register(connection: sqlite3.Connection) -> None:
    """Teach a connection the collation, and LIKE with the vendor's wildcards."""
    connection.create_collation(NAME, compare)
    # SQLite passes the pattern first.
    connection.create_function("like", 2, _sql_like, deterministic=True)


def fold(text: str) -> str:
    """Return what is compared of a text."""
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFD", text)
    return "".join(one for one in parts if not unicodedata.combining(one)).casefold()


def compare(left: str, right: str) -> int:
    """Return -1, 0 or 1."""
    one, other = fold(left), fold(right)
    return (one > other) - (one < other)


def matches(text: str, pattern: str) -> bool:
    """Whether a text fits a pattern with `%`, `_`, `[CK]`, `[A-F]` and `[^K]`."""
    return _compiled(fold(pattern)).fullmatch(fold(text)) is not None


def _sql_like(pattern: str | None, text: object) -> bool | None:
    return None if pattern is None or text is None else matches(str(text), pattern)


@lru_cache(maxsize=1_000)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(_LIKE.sub(_regular, pattern), re.DOTALL)
    except re.error:  # a range that runs backwards
        return _NOTHING


def _regular(part: re.Match[str]) -> str:
    if part["of"]:
        # A hyphen stays one: it makes a range.
        return f"[{part['none']}{re.escape(part['of']).replace(chr(92) + '-', '-')}]"
    if part["any"]:
        return ".*"
    return "." if part["one"] else re.escape(part["self"])
