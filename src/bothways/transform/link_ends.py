"""Links that hold, beside what their two ends are now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from bothways.transform.arrow import Array, pc
from bothways.transform.columns import column, flag
from bothways.transform.merged_records import record_ids

_TEXT = pa.string()


@dataclass(frozen=True, slots=True)
class Side:
    """The rows of one side, as arrays."""

    rows: pd.DataFrame
    names: Array
    keys: Array
    deleted: np.ndarray
    live: np.ndarray

    @classmethod
    def crm(cls, rows: pd.DataFrame) -> Side:
        """Read CRM rows; a record that was merged into another is not live."""
        merged = truths(column(rows, "merged_into", _TEXT).is_valid())
        return cls._of(rows, record_ids(rows, "id"), merged)

    @classmethod
    def marketing(cls, rows: pd.DataFrame) -> Side:
        """Read platform rows."""
        return cls._of(rows, column(rows, "id", _TEXT), np.zeros(len(rows), dtype=bool))

    @classmethod
    def _of(cls, rows: pd.DataFrame, names: Array, merged: np.ndarray) -> Side:
        deleted = truths(flag(rows, "deleted", default=False))
        keys = column(rows, "email_key", _TEXT)
        return cls(rows, names, keys, deleted, ~deleted & ~merged)


@dataclass(frozen=True, slots=True)
class LinkEnds:
    """Links that hold, each with what its two ends are now.

    Attributes:
        links: The links; `case` and `new_link` as far as they are known.
        crm_row: Row of the CRM record; -1 where it did not change.
        marketing_row: Row of the platform contact; -1 where it did not change.
        crm_gone: The record was deleted, or merged and its link stays idle.
        marketing_gone: The contact was deleted.
        crm_key: The record's address now.
        marketing_key: The contact's address now.
        crm_moved: The record's address is no longer the link's.
        marketing_moved: The contact's address is no longer the link's.
    """

    links: pd.DataFrame
    crm_row: np.ndarray
    marketing_row: np.ndarray
    crm_gone: np.ndarray
    marketing_gone: np.ndarray
    crm_key: Array
    marketing_key: Array
    crm_moved: np.ndarray
    marketing_moved: np.ndarray

    @classmethod
    def of(cls, links: pd.DataFrame, people: Side, contacts: Side) -> LinkEnds:
        """Look up the ends of each link."""
        case = column(links, "case", _TEXT)
        key = column(links, "email_key", _TEXT)
        crm_row = places(record_ids(links, "crm_id"), people.names)
        marketing_row = places(column(links, "marketing_id", _TEXT), contacts.names)
        crm_gone = _gone(people, crm_row) | truths(pc.equal(case, "merged_away"))
        marketing_gone = _gone(contacts, marketing_row)
        crm_key = _key_now(people, crm_row, ~crm_gone, key)
        told = _primary_keys(links, key)
        marketing_key = _key_now(contacts, marketing_row, ~marketing_gone, told)
        return cls(
            links.reset_index(drop=True),
            crm_row,
            marketing_row,
            crm_gone,
            marketing_gone,
            crm_key,
            marketing_key,
            truths(pc.not_equal(crm_key, key)),
            truths(pc.not_equal(marketing_key, key)) & (marketing_row >= 0),
        )

    def column(self, name: str) -> Array:
        """Return a column of the links."""
        return column(self.links, name, _TEXT)

    def cases(self) -> Array:
        """Return what there is to tell of each link, as `match.Matches.pairs` names it."""
        told = self.column("case")
        deleted = _where("deleted", self.crm_gone, self.marketing_gone)
        moved = _where("moved", self.crm_moved, self.marketing_moved)
        return pc.if_else(pa.array(self.idle), told, pc.coalesce(deleted, told, moved))

    @property
    def idle(self) -> np.ndarray:
        """Return a mask of the links that are idle: their record was merged into a linked one."""
        return truths(pc.equal(self.column("case"), "merged_away"))

    def persons(self) -> np.ndarray:
        """Return a number per platform contact, the same for all records that follow it."""
        numbers: np.ndarray = self.column("marketing_id").dictionary_encode().indices.to_numpy()
        return numbers


def _primary_keys(links: pd.DataFrame, keys: Array) -> Array:
    """Return the address of each link's contact, as the link of the primary record has it."""
    is_primary = truths(column(links, "is_primary", pa.bool_()))
    if is_primary.all():
        return keys
    person = column(links, "marketing_id", _TEXT).dictionary_encode().indices.to_numpy()
    primary_row = np.full(len(links), -1)
    primary_row[person[is_primary]] = np.flatnonzero(is_primary)
    own = np.arange(len(links))
    return keys.take(pa.array(np.where(primary_row[person] >= 0, primary_row[person], own)))


def _where(word: str, crm: np.ndarray, marketing: np.ndarray) -> Array:
    """Return on which side something is so, in words; null for neither."""
    words = [None, f"{word}_in_crm", f"{word}_in_marketing", f"{word}_in_both"]
    return pa.array(words, _TEXT).take(pa.array(crm + 2 * marketing))


def truths(flags: Array) -> np.ndarray:
    """Return Arrow booleans as numpy's; null is false."""
    found: np.ndarray = pc.fill_null(flags, fill_value=False).to_numpy(zero_copy_only=False)
    return found


def places(wanted: Array, among: Array) -> np.ndarray:
    """Return where each value stands in ``among``; -1 for nowhere."""
    places: np.ndarray = pc.fill_null(pc.index_in(wanted, value_set=among), -1).to_numpy()
    return places


def take_rows(values: Array, rows: np.ndarray) -> Array:
    """Return the values at ``rows``; null at -1."""
    return values.take(pa.array(rows, mask=rows < 0))


def _gone(side: Side, row: np.ndarray) -> np.ndarray:
    """Return a mask of links whose end on this side is deleted."""
    return truths(take_rows(pa.array(side.deleted), row))


def _key_now(side: Side, row: np.ndarray, present: np.ndarray, before: Array) -> Array:
    """Return the addresses that links' ends have now; the link's own where no row says more."""
    told = pa.array((row >= 0) & present)
    return pc.if_else(told, take_rows(side.keys, row), before)
