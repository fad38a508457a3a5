"""Which rows a sync leaves out, and why: the first rule that matches gives the reason.

The order: ``erased``, ``empty``, ``invalid``, ``role``, ``do_not_mail``, ``bounced``, ``inactive``,
``duplicate``. A person's word outranks a convenience, so a consent that one record of an address
lacks counts for every record of that address in the same extract.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from bothways.config.account import IgnoreRules
from bothways.transform.arrow import Array, pc
from bothways.transform.columns import blank, column, flag, frame
from bothways.transform.domains import is_address, suggestions, valid_domains
from bothways.transform.normalise import email_key_array
from bothways.vocabulary import Reason, Status

_MAX_ADDRESS = 254
_MAX_LOCAL = 64
# RFC 5321's dot-string; the parts of an address are in lower case by now.
_ATOM = "[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = rf"^{_ATOM}(?:\.{_ATOM})*$"
_NEVER_MAIL = (Status.UNSUBSCRIBED, Status.COMPLAINED, Status.SUPPRESSED)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules in force for a run.

    Attributes:
        switches: Which rules the account leaves on.
        role_names: Names before the @ that belong to a department, in lower case.
        known_domains: Well-known mail domains in ASCII and lower case, the commonest first.
        only_active: Leave out inactive contacts and closed leads.
    """

    switches: IgnoreRules = field(default_factory=IgnoreRules)
    role_names: Sequence[str] = ()
    known_domains: Sequence[str] = ()
    only_active: bool = False


def ignore_reasons(
    contacts: pd.DataFrame, rules: Rules, erased: pd.Series | None = None
) -> pd.DataFrame:
    """Return why each row is left out.

    Of several rows with one address the one that stays is: the active one before the inactive,
    then the latest modified, then the lowest id.

    Args:
        contacts: CONTACTS, all that one address could occur in again; of its columns `id`,
            `email`, `status`, `active`, `modified_at` and `deleted` are looked at, and `email_key`
            is taken for the normalised address where it is there. Deleted rows are not judged.
        rules: The rules in force.
        erased: True where the address is one that was erased on request, over the same index.

    Returns:
        `reason` (a Reason) and `detail`, both null where the row is fit, over the same index.
        `detail` is the domain that was meant (for a typo), the status (`do_not_mail`), or the id
        of the record that stays (`duplicate`); never an address.
    """
    keys = _keys(contacts)
    live = pc.invert(flag(contacts, "deleted", default=False))
    verdicts = _Verdicts(live)
    if erased is not None:
        verdicts.add(Reason.ERASED, _aligned(erased, contacts.index))
    verdicts.add(Reason.EMPTY, keys.is_null())
    _judge_spelling(verdicts, keys, rules)
    _judge_status(verdicts, keys, column(contacts, "status", pa.string()), live)
    if rules.only_active:
        verdicts.add(Reason.INACTIVE, pc.invert(flag(contacts, "active", default=True)))
    if rules.switches.duplicate:
        again, stays = _duplicates(contacts, keys, verdicts.fit())
        verdicts.add(Reason.DUPLICATE, again, stays)
    return verdicts.frame(contacts.index)


class _Verdicts:
    """Collects reasons; a row that has one keeps it."""

    def __init__(self, live: Array) -> None:
        self._live = live
        self._reason = blank(len(live))
        self._detail = blank(len(live))

    def fit(self) -> Array:
        """Return a mask of the rows that no rule has matched so far."""
        return pc.and_(self._live, self._reason.is_null())

    def add(self, reason: Reason, matches: Array, detail: Array | None = None) -> None:
        """Give ``reason`` to the rows that match and have none yet."""
        mask = pc.and_(self.fit(), pc.fill_null(matches, fill_value=False))
        if not pc.any(mask).as_py():
            return
        self._reason = pc.if_else(mask, pa.scalar(reason.value), self._reason)
        if detail is not None:
            self._detail = pc.if_else(mask, detail, self._detail)

    def frame(self, index: pd.Index) -> pd.DataFrame:
        return frame({"reason": self._reason, "detail": self._detail}, index)


def _keys(contacts: pd.DataFrame) -> Array:
    if "email_key" in contacts.columns:
        return column(contacts, "email_key", pa.string())
    return email_key_array(column(contacts, "email", pa.string()))


def _aligned(flags: pd.Series, index: pd.Index) -> Array:
    return pa.array(flags.reindex(index).fillna(False).to_numpy(dtype=bool))  # noqa: FBT003


def _judge_spelling(verdicts: _Verdicts, keys: Array, rules: Rules) -> None:
    """Give the reasons that lie in the address itself."""
    if not (rules.switches.invalid or rules.switches.typo_domains or rules.switches.role):
        return
    parts = pc.split_pattern(keys, "@", max_splits=1, reverse=True)
    whole = pc.equal(pc.list_value_length(parts), 2)
    parts = pc.if_else(whole, parts, pa.scalar(["", ""], parts.type))
    local, domain = pc.list_element(parts, 0), pc.list_element(parts, 1).dictionary_encode()
    valid_domain = valid_domains(domain.dictionary)
    if rules.switches.invalid:
        fine = pc.and_(_valid_locals(keys, local), valid_domain.take(domain.indices))
        short = pc.less_equal(pc.utf8_length(keys), _MAX_ADDRESS)
        verdicts.add(Reason.INVALID, pc.invert(pc.and_(fine, short)))
    if rules.switches.typo_domains:
        judged = pc.if_else(valid_domain, domain.dictionary, pa.scalar(None, pa.string()))
        meant = suggestions(judged, rules.known_domains).take(domain.indices)
        verdicts.add(Reason.INVALID, meant.is_valid(), meant)
    if rules.switches.role:
        names = pa.array(rules.role_names, pa.string())
        verdicts.add(Reason.ROLE, pc.is_in(local, value_set=names))


def _valid_locals(keys: Array, local: Array) -> Array:
    """Return a mask of the allowed local parts; international ones are checked one by one."""
    plain = pc.match_substring_regex(local, _LOCAL)
    short = pc.less_equal(pc.utf8_length(local), _MAX_LOCAL)
    foreign = pc.and_(short, pc.invert(pc.string_is_ascii(local)))
    if pc.any(foreign).as_py():
        odd = keys.filter(foreign).dictionary_encode()
        verdicts = pa.array([is_address(key) for key in odd.dictionary.to_pylist()], pa.bool_())
        plain = pc.replace_with_mask(
            plain, pc.fill_null(foreign, fill_value=False), verdicts.take(odd.indices)
        )
    return pc.and_(plain, short)


def _judge_status(verdicts: _Verdicts, keys: Array, status: Array, live: Array) -> None:
    """Give the reasons that lie in a person's word, or in the mailbox's."""
    judged = pc.if_else(live, status, pa.scalar(None, pa.string()))
    worst = blank(len(keys))
    for word in _NEVER_MAIL:
        worst = pc.if_else(_shared(judged, (word,), keys), pa.scalar(word.value), worst)
    verdicts.add(Reason.DO_NOT_MAIL, worst.is_valid(), worst)
    verdicts.add(Reason.BOUNCED, _shared(judged, (Status.BOUNCED,), keys))


def _shared(status: Array, words: Iterable[Status], keys: Array) -> Array:
    """Return a mask of the rows whose address has one of these statuses on any row."""
    matches = pc.is_in(status, value_set=pa.array([word.value for word in words], pa.string()))
    if not pc.any(matches).as_py():
        return matches
    addresses = keys.filter(matches).drop_null()
    return pc.or_(matches, pc.and_(keys.is_valid(), pc.is_in(keys, value_set=addresses)))


def _duplicates(contacts: pd.DataFrame, keys: Array, fit: Array) -> tuple[Array, Array]:
    """Return a mask of rows that repeat an address, and the id of the row kept instead."""
    codes = pc.if_else(fit, keys, pa.scalar(None, pa.string())).dictionary_encode().indices
    groups = pc.fill_null(codes, -1).to_numpy()
    counts = np.bincount(groups + 1, minlength=1)
    counts[0] = 0
    rows = np.flatnonzero(counts[groups + 1] > 1)
    again = np.zeros(len(keys), dtype=bool)
    stays = blank(len(keys))
    if len(rows):
        order = rows[_order_of_staying(contacts, rows)]
        order = order[np.argsort(groups[order], kind="stable")]
        first = np.r_[True, np.diff(groups[order]) != 0]
        kept = order[first][np.cumsum(first) - 1]
        again[order[~first]] = True
        places = np.full(len(keys), -1)
        places[order] = kept
        chosen = pa.array(places, mask=places < 0)
        stays = column(contacts, "id", pa.string()).take(chosen)
    return pa.array(again), stays


def _order_of_staying(contacts: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
    """Return the order of ``rows``: active, latest modified, lowest id."""
    some = contacts.iloc[rows]
    table = pa.table(
        {
            "active": flag(some, "active", default=True),
            "modified_at": column(some, "modified_at", pa.timestamp("us", tz="UTC")),
            "id": column(some, "id", pa.string()),
        }
    )
    keys = [("active", "descending"), ("modified_at", "descending"), ("id", "ascending")]
    order: np.ndarray = pc.sort_indices(table, sort_keys=keys).to_numpy()
    return order
