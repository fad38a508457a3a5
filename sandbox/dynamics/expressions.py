"""The language of `$filter`: text → tree. It knows no table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.dynamics.errors import query_error

FUNCTION_NAMESPACE = "Microsoft.Dynamics.CRM."


@dataclass(frozen=True)
class Literal:
    """A value. `kind`: string, number, boolean, null, guid, date, datetime, enum or list."""

    kind: str
    value: Any


@dataclass(frozen=True)
class Path:
    """A column, or a column behind navigation properties."""

    parts: tuple[str, ...]


@dataclass(frozen=True)
class Compare:
    """`left op right`, with op one of eq, ne, gt, ge, lt, le."""

    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Logic:
    """`and` or `or` of two."""

    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Not:
    """The opposite of an expression."""

    inner: Expression


@dataclass(frozen=True)
class TextFunction:
    """`contains`, `startswith` or `endswith`."""

    name: str
    path: Expression
    value: Expression


@dataclass(frozen=True)
class QueryFunction:
    """`Microsoft.Dynamics.CRM.Name(…)` with its named arguments."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Lambda:
    """`collection/any(x:…)` or `collection/all(x:…)`."""

    collection: Path
    every: bool
    variable: str
    inner: Expression | None


Expression = Literal | Path | Compare | Logic | Not | TextFunction | QueryFunction | Lambda

_TOKENS = re.compile(
    r"""\s*(?:
      (?P<enum>Microsoft\.Dynamics\.CRM\.\w+'[^']*')
    | (?P<string>'(?:[^']|'')*')
    | (?P<guid>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})
    | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))
    | (?P<date>\d{4}-\d\d-\d\d(?!\w))
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<list>\[(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\[\]"'])*\])
    | (?P<alias>@\w+)
    | (?P<name>[A-Za-z_$][\w.]*(?:/[A-Za-z_$][\w.]*)*)
    | (?P<mark>[(),:=])
    )""",
    re.VERBOSE,
)
_COMPARISONS = ("eq", "ne", "gt", "ge", "lt", "le")
_TEXT_FUNCTIONS = ("contains", "startswith", "endswith")


def parse_filter(text: str, aliases: Mapping[str, str] | None = None) -> Expression:
    """Return the tree of a `$filter`.

    Args:
        text: The filter, decoded.
        aliases: Values of parameter aliases (`@p1`) from the query string.

    Raises:
        VendorError: It is no valid filter.
    """
    parser = _Parser(text, aliases or {})
    expression = parser.disjunction()
    parser.finish()
    return expression


class _Parser:
    def __init__(self, text: str, aliases: Mapping[str, str]) -> None:
        self._text = text
        self._aliases = aliases
        self._tokens = list(self._scan(text))
        self._next = 0

    def _scan(self, text: str) -> list[tuple[str, str, int]]:
        tokens, position, end = [], 0, len(text.rstrip())
        while position < end:
            match = _TOKENS.match(text, position)
            if match is None:
                raise self._wrong(position)
            kind = str(match.lastgroup)
            tokens.append((kind, match.group(kind), match.start(kind)))
            position = match.end()
        return tokens

    def _wrong(self, position: int) -> Exception:
        return query_error(f"Syntax error at position {position} in '{self._text}'.")

    def _peek(self) -> tuple[str, str]:
        if self._next >= len(self._tokens):
            return ("end", "")
        kind, text, _ = self._tokens[self._next]
        return kind, text

    def _take(self) -> tuple[str, str]:
        token = self._peek()
        if token[0] == "end":
            raise self._wrong(len(self._text))
        self._next += 1
        return token

    def _accept(self, kind: str, *texts: str) -> str | None:
        found, text = self._peek()
        if found != kind or text not in texts:
            return None
        self._next += 1
        return text

    def _expect(self, mark: str) -> None:
        if self._accept("mark", mark) is None:
            raise self._wrong_here()

    def _wrong_here(self) -> Exception:
        at = self._tokens[self._next][2] if self._next < len(self._tokens) else len(self._text)
        return self._wrong(at)

    def finish(self) -> None:
        if self._next != len(self._tokens):
            raise self._wrong_here()

    def disjunction(self) -> Expression:
        left = self._conjunction()
        while self._accept("name", "or"):
            left = Logic("or", left, self._conjunction())
        return left

    def _conjunction(self) -> Expression:
        left = self._negation()
        while self._accept("name", "and"):
            left = Logic("and", left, self._negation())
        return left

    def _negation(self) -> Expression:
        if self._accept("name", "not"):
            return Not(self._negation())
        return self._comparison()

    def _comparison(self) -> Expression:
        left = self._operand()
        op = self._accept("name", *_COMPARISONS)
        if op is None:
            if isinstance(left, Literal) and left.kind != "boolean":
                raise self._wrong_here()
            return left
        return Compare(op, left, self._operand())

    def _operand(self) -> Expression:
        if self._accept("mark", "("):
            inner = self.disjunction()
            self._expect(")")
            return inner
        kind, text = self._take()
        if kind == "name":
            return self._name(text)
        if kind == "mark":
            self._next -= 1
            raise self._wrong_here()
        return self._literal(kind, text)

    def _name(self, text: str) -> Expression:
        if text in _WORDS:
            return _WORDS[text]
        if self._accept("mark", "(") is None:
            return Path(tuple(text.split("/")))
        if text.startswith(FUNCTION_NAMESPACE):
            return self._query_function(text.removeprefix(FUNCTION_NAMESPACE))
        if text in _TEXT_FUNCTIONS:
            return self._text_function(text)
        collection, _, quantifier = text.rpartition("/")
        if quantifier in {"any", "all"} and collection:
            return self._lambda(Path(tuple(collection.split("/"))), quantifier == "all")
        raise query_error(
            f"An unknown function with name '{text}' was found. This may also be a function"
            " import or a key lookup on a navigation property, which is not allowed."
        )

    def _text_function(self, name: str) -> Expression:
        path = self._operand()
        self._expect(",")
        value = self._operand()
        self._expect(")")
        return TextFunction(name, path, value)

    def _query_function(self, name: str) -> Expression:
        arguments: dict[str, Any] = {}
        while self._accept("mark", ")") is None:
            _, argument = self._take()
            self._expect("=")
            literal = self._operand()
            if not isinstance(literal, Literal):
                raise self._wrong_here()
            arguments[argument] = literal.value
            self._accept("mark", ",")
        return QueryFunction(name, arguments)

    def _lambda(self, collection: Path, every: bool) -> Expression:
        if self._accept("mark", ")"):
            return Lambda(collection, every, "", None)
        _, variable = self._take()
        self._expect(":")
        inner = self.disjunction()
        self._expect(")")
        return Lambda(collection, every, variable, inner)

    def _literal(self, kind: str, text: str) -> Literal:
        if kind == "alias":
            if text not in self._aliases:
                raise query_error(f"The parameter alias '{text}' has no value.")
            parser = _Parser(self._aliases[text], {})
            return parser._literal(*parser._take())
        if kind == "name" and text in _WORDS:
            return _WORDS[text]
        read = _READERS.get(kind)
        return Literal(kind, read(text) if read else text)


_WORDS = {
    "true": Literal("boolean", True),
    "false": Literal("boolean", False),
    "null": Literal("null", None),
}


def _list(text: str) -> list[Any]:
    try:
        return list(json.loads(text))
    except json.JSONDecodeError:
        items = re.findall(r"'((?:[^']|'')*)'", text)
        if not items:
            raise query_error(f"'{text}' is not a valid list of values.") from None
        return [item.replace("''", "'") for item in items]


_READERS: dict[str, Callable[[str], Any]] = {
    "string": lambda text: text[1:-1].replace("''", "'"),
    "number": lambda text: float(text) if re.search(r"[.eE]", text) else int(text),
    "list": _list,
    "enum": lambda text: text.split("'")[1],
    "guid": str.lower,
}
