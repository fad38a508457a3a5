"""`GET set?sql=SELECT …`: the subset of T-SQL that the vendor's SDK for Python describes.

A statement of known words and names is one that SQLite understands too, but for `TOP` and
`OFFSET … FETCH`. Under which names lookups come back is not documented (assumed: as they are
written).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from typing import Any

from sandbox.dynamics.errors import query_error
from sandbox.dynamics.messages import Reply, json_reply
from sandbox.dynamics.model import Table
from sandbox.dynamics.options import query_pairs
from sandbox.dynamics.paging import (
    MAXIMUM_PAGE,
    next_link,
    read_cookie,
    tracking_cookie,
    tracking_state,
)
from sandbox.dynamics.work import Work

_TOKENS = re.compile(
    r"""\s*(?:
      (?P<string>N?'(?:[^']|'')*')
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<name>[A-Za-z_]\w*|\[\w+\])
    | (?P<mark><=|>=|<>|!=|[=<>(),.*])
    )""",
    re.VERBOSE,
)
_WORDS = (
    "SELECT DISTINCT TOP FROM INNER LEFT OUTER JOIN ON WHERE AND OR NOT IN LIKE IS NULL BETWEEN"
    " GROUP ORDER BY ASC DESC OFFSET ROW ROWS FETCH NEXT ONLY AS COUNT SUM AVG MIN MAX"
)
_KEYWORDS = frozenset(_WORDS.split())
_LIMIT = re.compile(r" OFFSET (\d+) ROWS? FETCH NEXT (\d+) ROWS? ONLY$")


def answer(work: Work, table: Table) -> Reply:
    """Answer a page of a statement.

    Raises:
        VendorError: It is not of the subset, or about another table.
    """
    pairs = query_pairs(work.call.query)
    statement = _Statement(work, pairs["sql"])
    if statement.first is not table:
        raise query_error(f"The statement is not about '{table.entity_set}'.")
    token = pairs.get("$skiptoken")
    skipped = int(tracking_state(read_cookie(token).inner).get("skipped", 0)) if token else 0
    limit = statement.bounded or f" LIMIT {MAXIMUM_PAGE + 1} OFFSET {skipped}"
    try:
        cursor = work.connection.execute(statement.sql + limit)
    except sqlite3.OperationalError:
        raise query_error("Incorrect syntax of the SQL.") from None
    names = [item[0] for item in cursor.description]
    rows = cursor.fetchall()
    body: dict[str, Any] = {
        "@odata.context": f"{work.call.root}/$metadata#{table.entity_set}",
        "value": [statement.shown(names, row) for row in rows[:MAXIMUM_PAGE]],
    }
    if len(rows) > MAXIMUM_PAGE:
        page = skipped // MAXIMUM_PAGE + 1
        cookie = tracking_cookie(page, {"skipped": skipped + MAXIMUM_PAGE})
        body["@odata.nextLink"] = next_link(work.context, work.call, cookie)
    return json_reply(body)


class _Statement:
    """A checked statement in SQLite's words.

    Attributes:
        first: The table after FROM.
        sql: The statement without its limit.
        bounded: Its limit; "" where it has none and is paged.

    Args:
        work: The request's surroundings.
        text: The statement.
    """

    def __init__(self, work: Work, text: str) -> None:
        self._tokens = list(_scan(text))
        self._tables = dict(self._named_tables(work))
        self.first = next(iter(self._tables.values()), None)
        self._check()
        self.sql = self._translated()
        self._booleans = {
            column.name
            for table in self._tables.values()
            for column in table.columns
            if column.type == "Boolean"
        }

    def shown(self, names: list[str], row: tuple[Any, ...]) -> dict[str, Any]:
        """Return a row as JSON."""
        return {
            name: bool(value) if name in self._booleans and value is not None else value
            for name, value in zip(names, row, strict=True)
        }

    def _named_tables(self, work: Work) -> Iterator[tuple[str, Table]]:
        """Yield the tables by the names that the statement has for them."""
        for index, token in enumerate(self._tokens):
            if token not in {"FROM", "JOIN"}:
                continue
            name, *rest = [*self._tokens[index + 1 : index + 4], "", "", ""][:4]
            table = work.catalogue.tables.get(name.lower())
            if table is None:
                raise query_error(f"Invalid table name '{name}'.")
            alias = rest[1] if rest[0] == "AS" else rest[0]
            yield (name if alias in _KEYWORDS or not re.match(r"\w", alias) else alias), table

    def _check(self) -> None:
        whole = " ".join(self._tokens)
        counts = {self._tokens.count(word) for word in ("SELECT", "FROM")}
        wildcard = "*" in whole.replace("COUNT ( * )", "")
        if not whole.startswith("SELECT ") or counts != {1} or wildcard:
            raise query_error("Only one SELECT of named columns from tables is supported.")
        names = {name.lower() for name in self._tables}
        names |= {table.name for table in self._tables.values()}
        names |= {column.name for table in self._tables.values() for column in table.columns}
        names |= {
            alias.lower()
            for word, alias in zip(self._tokens, self._tokens[1:], strict=False)
            if word == "AS"
        }
        for token in self._tokens:
            word = re.match(r"[A-Za-z_]", token) and token not in _KEYWORDS
            if word and token.lower() not in names:
                raise query_error(f"Invalid column name or keyword '{token}'.")

    def _translated(self) -> str:
        tokens, self.bounded = list(self._tokens), ""
        if "TOP" in tokens:
            at = tokens.index("TOP")
            number = tokens[at + 1]
            if not number.isdigit() or int(number) > MAXIMUM_PAGE:
                raise query_error(f"TOP takes a number up to {MAXIMUM_PAGE}.")
            del tokens[at : at + 2]
            self.bounded = f" LIMIT {number}"
        sql = " ".join(tokens).replace(" . ", ".")
        match = _LIMIT.search(sql)
        if match is not None:
            sql, self.bounded = sql[: match.start()], f" LIMIT {match[2]} OFFSET {match[1]}"
        return sql


def _scan(text: str) -> Iterator[str]:
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKENS.match(text, position)
        if match is None:
            raise query_error(f"Incorrect syntax at position {position} of the SQL.")
        position = match.end()
        token = str(match[str(match.lastgroup)])
        if match.lastgroup == "name":
            word = token.strip("[]")
            yield word.upper() if word.upper() in _KEYWORDS else word
        else:
            yield token.removeprefix("N") if match.lastgroup == "string" else token
