"""How a path becomes a plain function, from a `Call` to JSON; used by requests and by batches."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from sandbox import bodies
from sandbox.mailchimp import audience as audiences
from sandbox.mailchimp import errors, shapes, values
from sandbox.mailchimp.audience import Audience
from sandbox.mailchimp.errors import Problem
from sandbox.mailchimp.shapes import Shape, faults
from sandbox.mailchimp.storage import Where
from sandbox.vendor import VendorContext

ROOT = "/3.0"
MAX_COUNT = 1_000


@dataclass(frozen=True)
class Call:
    """One request, or one operation of a batch.

    Attributes:
        url: The path below /3.0.
        raw: The body, as it was sent.
        origin: The sandbox's own scheme, host and port, as the client sees them.
        ip: Where the client calls from.
        path: Parameters of the path, as text.
    """

    context: VendorContext
    method: str
    url: str
    query: Mapping[str, str]
    raw: bytes
    origin: str
    ip: str
    path: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def db(self) -> sqlite3.Connection:
        """The transaction, one that writes unless the method is GET."""
        return self.context.database.connection()

    @cached_property
    def now(self) -> str:
        """The account's time, as it is stored and shown."""
        return values.stamp(self.context.clock.now())

    @property
    def tags_show(self) -> str:
        """Whose time a change of tags is: "segment", "member", "both", or nobody's."""
        return str(self.context.settings["tag_changes_show"])

    @cached_property
    def audience(self) -> Audience:
        """The audience that the path names.

        Raises:
            Problem: There is none: 404.
        """
        return audiences.find(self.db, self.path["list_id"])

    @cached_property
    def member(self) -> sqlite3.Row:
        """The member that the path names.

        Raises:
            Problem: There is none: 404.
        """
        return self.audience.member(self.path["subscriber_hash"])

    def rows(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        """Return the rows of a query."""
        return self.db.execute(sql, parameters).fetchall()

    def number(self, sql: str, *parameters: Any) -> int:
        """Return the number that a query finds."""
        return int(self.db.execute(sql, parameters).fetchone()[0])

    def body(self, shape: Shape) -> dict[str, Any]:
        """Return what a body has of a shape; none, and null, are an empty object.

        Raises:
            Problem: It is no JSON, or has another shape.
        """
        try:
            parsed = bodies.parsed(self.raw) if self.raw.strip() else None
        except ValueError as problem:
            detail = "We encountered an unspecified JSON parsing error."
            raise Problem(400, "JSON Parse Exception", detail) from problem
        body = {} if parsed is None else parsed
        if found := list(faults(body, shape)):
            raise errors.invalid(*found)
        return {name: body[name] for name in map(shapes.name, shape) if name in body}

    def flag(self, name: str) -> bool:
        """Return a boolean of the query; false if it is not given.

        Raises:
            Problem: It is none.
        """
        word = self.query.get(name, "false").lower()
        if word not in {"true", "false", "1", "0"}:
            raise errors.invalid((name, "Schema describes boolean, string found instead"))
        return word in {"true", "1"}

    def word(self, name: str, *allowed: str) -> str | None:
        """Return a word of the query, if it is given.

        Raises:
            Problem: It is none of those that are allowed.
        """
        word = self.query.get(name) or None  # empty: as if it were not given (assumed)
        if word is not None and (found := list(faults(word, allowed, name))):
            raise errors.invalid(*found)
        return word

    def sorting(self, usual_turn: str, **columns: str) -> tuple[str | None, str]:
        """Return by which column a listing is to be sorted, if by any, and "ASC" or "DESC".

        Args:
            usual_turn: The direction where none is given.
            columns: The column by each word that `sort_field` may be.
        """
        word = self.word("sort_field", *columns)
        return columns.get(word or ""), self.word("sort_dir", "ASC", "DESC") or usual_turn

    def time(self, name: str) -> str | None:
        """Return a time of the query in whole seconds, if it is given.

        One that is badly formed is ignored, as the vendor does (facts: Mailchimp 7).
        """
        return values.moment(self.query.get(name, ""))

    def between(self, **columns: str) -> Where:
        """Return the conditions of `since_<name>` and `before_<name>`, both exclusive.

        Args:
            columns: The column by each name.
        """
        where = Where()
        for name, column in columns.items():
            for side, sign in (("since", ">"), ("before", "<")):
                if (moment := self.time(f"{side}_{name}")) is not None:
                    where.add(f"{column} {sign} ?", moment)
        return where

    def paging(self) -> tuple[int, int]:
        """Return `count` (10 unless given, at most 1000) and `offset`.

        Raises:
            Problem: One of them is out of bounds (the words are assumed).
        """
        count = self._natural("count", 10, MAX_COUNT)
        return count, 0 if self.context.faults.repeat_page else self._natural("offset", 0, 2**53)

    def _natural(self, name: str, default: int, most: int) -> int:
        text = self.query.get(name, str(default))
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else -1
        if not 0 <= number <= most:
            raise errors.invalid((name, f"This value should be between 0 and {most}."))
        return number

    def one(self, rows: list[dict[str, Any]], key: str) -> dict[str, Any]:
        """Return the row of a collection that has this id.

        Raises:
            Problem: There is none: 404.
        """
        for row in rows:
            if str(row["id"]) == key:
                return row
        raise errors.not_found()

    def page(self, name: str, rows: list[Any], **more: Any) -> dict[str, Any]:
        """Return the page of a collection that is at hand, with `total_items`."""
        count, offset = self.paging()
        return self.listed(name, rows[offset : offset + count], len(rows), **more)

    def listed(self, name: str, rows: list[Any], total: int, **more: Any) -> dict[str, Any]:
        """Return a page of a collection of which only these rows were read."""
        return {name: rows, **more, "total_items": total, "_links": self.links(self.url)}

    def links(self, path: str) -> list[dict[str, str]]:
        """Return the links of a resource: to itself. The vendor's lead further; they are long."""
        return [{"rel": "self", "href": f"{self.origin}{ROOT}{path}", "method": "GET"}]


Handler = Callable[[Call], Any]
"""Answers a call, within a transaction."""


@dataclass(frozen=True)
class Answer:
    """What a call is answered; without a body if `body` is None."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Route:
    method: str
    template: str
    pattern: re.Pattern[str]
    handler: Handler
    counts: bool
    before: Callable[[Call], None] | None

    def answer(self, call: Call) -> Any:
        if self.before is not None:
            self.before(call)
        if call.method == "GET":
            with call.context.database.read():
                return self.handler(call)
        with call.context.database.write():
            body = self.handler(call)
        call.context.calls.wrote(int(self.counts))
        return body


_ROUTES: list[_Route] = []


def route(
    method: str,
    template: str,
    *,
    counts: bool = True,
    before: Callable[[Call], None] | None = None,
) -> Callable[[Handler], Handler]:
    """Register a function as the one that answers a method and a path below /3.0.

    Args:
        method: The HTTP method.
        template: The path, with its parameters in braces.
        counts: Whether a call that writes counts as one row; else the function counts.
        before: What is to be done before the transaction begins.
    """
    pieces = re.split(r"\{(\w+)\}", template)
    pattern = "".join(
        f"(?P<{piece}>[^/]+)" if number % 2 else re.escape(piece)
        for number, piece in enumerate(pieces)
    )

    def register(handler: Handler) -> Handler:
        _ROUTES.append(_Route(method, template, re.compile(pattern), handler, counts, before))
        return handler

    return register


def template(url: str) -> str | None:
    """Return the template of a path below /3.0, if it is emulated, whatever the method."""
    return next((known.template for known in _ROUTES if known.pattern.fullmatch(url)), None)


def answer(call: Call) -> Answer:
    """Answer a call whose path has no parameters yet; a refusal is an answer too."""
    found = [(known, match) for known in _ROUTES if (match := known.pattern.fullmatch(call.url))]
    try:
        for known, match in found:
            if known.method == call.method:
                body = known.answer(replace(call, path=match.groupdict()))
                return Answer(204) if body is None else Answer(200, _chosen(body, call))
        if not found:
            raise errors.not_emulated(f"{call.method} {call.url}")
        raise _wrong_method([known.method for known, _ in found])
    except Problem as problem:
        return Answer(problem.status, problem.body(), problem.headers)


def _wrong_method(allowed: list[str]) -> Problem:
    detail = (
        "The requested method and resource are not compatible."
        " See the Allow header for this resource's available methods."
    )
    headers = {"Allow": ", ".join(sorted(set(allowed)))}
    return Problem(405, "Method Not Allowed", detail, headers=headers)


def _chosen(body: Any, call: Call) -> Any:
    """Return the fields of an answer that `fields` names, or all but those of `exclude_fields`.

    Raises:
        Problem: Both are given, or `fields` names one that the answer does not have (facts:
            Mailchimp 1), unless a setting lets it pass. The fields of an empty collection are not
            known here, and not looked at; nor are those to be left out (recorded).
    """
    wanted, unwanted = call.query.get("fields"), call.query.get("exclude_fields")
    strict = wanted and call.context.settings["refuse_unknown_fields"]
    if wanted and unwanted:
        raise errors.bad_request("Use either fields or exclude_fields, not both.")
    tree: _Tree = {}
    for path in (wanted or unwanted or "").split(","):
        below, names = tree, path.strip().split(".")
        if strict and not _has(body, names):
            raise errors.invalid(("fields", f"The field {path.strip()} does not exist."))
        for name in names:
            below = below.setdefault(name, {})
    return _selected(body, tree, keep=bool(wanted)) if wanted or unwanted else body


_Tree = dict[str, Any]

# What the vendor's file has, and not every answer, or none of the sandbox's. What is below them is
# not looked at.
_OPTIONAL = {
    *("unsubscribe_reason", "sms_phone_number", "sms_subscription_status", "ecommerce_data"),
    *("sms_subscription_last_updated", "marketing_permissions", "last_note", "options"),
    *("segment_opts", "report_summary", "total_contacts", "interests", "_links"),
    *("ab_split_opts", "parent_campaign_id", "resend_shortcut_eligibility", "rss_opts"),
    *("social_card", "variate_settings", "auto_fb_post", "capsule", "salesforce", "ab_split"),
    *("industry_stats", "rss_last_send", "share_report", "timewarp", "absplit_group"),
    *("delivery_status", "activity", "has_logo_merge_tag"),
}


def _has(body: Any, names: list[str]) -> bool:
    if not names or names[0] in _OPTIONAL:
        return True
    if isinstance(body, list):
        return not body or any(_has(item, names) for item in body)
    return isinstance(body, dict) and names[0] in body and _has(body[names[0]], names[1:])


def _selected(body: Any, tree: _Tree, *, keep: bool) -> Any:
    """Return the fields of a tree, or all but those."""
    if isinstance(body, list):
        return [_selected(item, tree, keep=keep) for item in body]
    if not isinstance(body, dict):
        return body
    if keep:
        names = [name for name in tree if name in body]
    else:
        names = [name for name in body if tree.get(name, True)]
    return {
        name: _selected(body[name], tree[name], keep=keep) if tree.get(name) else body[name]
        for name in names
    }
