"""Who is who: people of both sides brought together, by link first and by address second.

What is decided here:

- **A link once made holds**, whatever else changes; a changed address moves with it
  (``moved_in_crm``, ``moved_in_marketing``, ``moved_in_both``).
- Without a link, people with the same normalised address are the same person. Several CRM records
  with one address all follow the one platform contact. One of them is **primary**, and its fields
  count: the one that is so already, then an active one, a contact before a lead, the latest
  modified, the lowest id.
- A record that follows and gets an address of its own **leaves** and is matched by that address:
  it was another person behind a shared address.
- **An address taken over**: once a linked person has moved away from an address, whoever turns up
  under it is somebody else (``address_taken_over``).
- **A merged CRM record**: its link follows the record that it was merged into (``merged``), unless
  that one is linked already; then its platform contact is left alone (``merged_away``).
- **Deleted** on a side: the pair says where (``deleted_in_crm``, ``deleted_in_marketing``,
  ``deleted_in_both``).
- **Back again**: where the platform contact is gone and one with the CRM record's address turns
  up, the link goes there (``re_added``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from bothways.transform.arrow import Array, pc
from bothways.transform.columns import any_in_group, column, frame
from bothways.transform.link_ends import LinkEnds, Side, places, take_rows, truths
from bothways.transform.merged_records import follow_merges
from bothways.transform.primary import choose_primary, keep_one_primary

_TEXT = pa.string()


@dataclass(frozen=True, slots=True)
class Matches:
    """People brought together. Rows are in no particular order; `operations.number` gives one.

    Attributes:
        pairs: `entity`, `crm_id`, `marketing_id`, `email_key` (the address that the link was made
            by), `is_primary`, `new_link` (to be stored: the link is new, or `is_primary` has
            changed) and `case` (null where there is nothing to tell). Every link of a person whom a
            row on either side touches, and every new one.
        crm_only: `entity`, `crm_id` and `case` of live CRM records without a platform contact.
        marketing_only: `marketing_id` and `case` of live platform contacts without a CRM record.
        dropped: `entity`, `crm_id`, `marketing_id` and `case` (``merged``, ``left``, ``re_added``)
            of links that hold no longer. Forget them before the new ones are stored.
    """

    pairs: pd.DataFrame
    crm_only: pd.DataFrame
    marketing_only: pd.DataFrame
    dropped: pd.DataFrame


def match(crm: pd.DataFrame, marketing: pd.DataFrame, links: pd.DataFrame) -> Matches:
    """Bring the people of both sides together.

    Args:
        crm: `entity`, `id`, `email_key`, `active`, `modified_at`, `merged_into`, `deleted`; each
            record once. Everything, or what changed.
        marketing: `id`, `email_key`, `deleted`; each contact once. Everything, or what changed.
        links: `entity`, `crm_id`, `marketing_id`, `email_key`, `is_primary`: at least those of the
            people above, of the records they were merged into, and of their addresses.
    """
    people, contacts = Side.crm(crm), Side.marketing(marketing)
    following, handed_over = follow_merges(links, crm)
    held, back = _bring_back(
        LinkEnds.of(keep_one_primary(following), people, contacts), people, contacts
    )
    held, left = _let_go(held, people, contacts)
    found, crm_only = _match_addresses(people, contacts, held)
    return Matches(
        pairs=_pairs(held, found, people),
        crm_only=crm_only,
        marketing_only=_marketing_only(contacts, held, found),
        dropped=pd.concat([handed_over, back, left], ignore_index=True)[_DROPPED],
    )


_DROPPED = ["entity", "crm_id", "marketing_id", "case"]
_PAIRS = ["entity", "crm_id", "marketing_id", "email_key", "is_primary", "new_link", "case"]


def _bring_back(held: LinkEnds, people: Side, contacts: Side) -> tuple[LinkEnds, pd.DataFrame]:
    """Hand links of contacts that are gone to those who turned up under the same address."""
    if not held.marketing_gone.any():
        return held, held.links.iloc[:0]
    free = np.flatnonzero(_unlinked(contacts, held.marketing_row))
    offered = _Offer.of(contacts.keys.take(free), contacts.names.take(free))
    place = places(held.crm_key, offered.keys)
    wanted = held.marketing_gone & ~held.crm_gone & (place >= 0)
    if not wanted.any():
        return held, held.links.iloc[:0]
    links = held.links.assign(case=held.links["case"].mask(wanted, "re_added"))
    before = links[wanted]
    ids = take_rows(offered.names, np.where(wanted, place, -1))
    links["marketing_id"] = pd.arrays.ArrowExtensionArray(
        pc.coalesce(ids, column(links, "marketing_id", _TEXT))
    )
    links["new_link"] = links["new_link"].mask(wanted, other=True)
    links["email_key"] = links["email_key"].mask(wanted, _column(held.crm_key, links.index))
    return LinkEnds.of(links, people, contacts), before


def _let_go(held: LinkEnds, people: Side, contacts: Side) -> tuple[LinkEnds, pd.DataFrame]:
    """Let records leave that follow a contact and have got an address of their own."""
    away = held.crm_moved & truths(pc.not_equal(held.crm_key, held.marketing_key))
    if not away.any():
        return held, held.links.iloc[:0]
    person = held.persons()
    is_primary = truths(column(held.links, "is_primary", pa.bool_()))
    has_primary = any_in_group(person, is_primary)
    leaving = away & ~held.crm_gone & ~held.marketing_gone & ~is_primary & has_primary
    if not leaving.any():
        return held, held.links.iloc[:0]
    stays = LinkEnds.of(held.links[~leaving], people, contacts)
    return stays, held.links[leaving].assign(case="left")


def _unlinked(side: Side, linked_rows: np.ndarray) -> np.ndarray:
    """Return a mask of the live rows that have no link."""
    free = side.live.copy()
    free[linked_rows[linked_rows >= 0]] = False
    return free


@dataclass(frozen=True, slots=True)
class _Offer:
    """Platform contacts to be found by address, one per address.

    Attributes:
        keys: Distinct addresses.
        names: The contact's id.
        open: False where the person who is linked has moved away from the address.
    """

    keys: Array
    names: Array
    open: np.ndarray

    @classmethod
    def of(cls, keys: Array, names: Array, is_open: np.ndarray | None = None) -> _Offer:
        """Choose per address: an open contact before a closed one, then the lowest id."""
        is_open = np.ones(len(keys), dtype=bool) if is_open is None else is_open
        table = pa.table({"key": keys, "closed": pa.array(~is_open), "name": names})
        codes = pc.fill_null(keys.dictionary_encode().indices, -1).to_numpy()
        counts = np.bincount(codes + 1, minlength=1)[codes + 1]
        once = np.flatnonzero((counts == 1) & (codes >= 0))
        several = np.flatnonzero((counts > 1) & (codes >= 0))
        order = [(name, "ascending") for name in table.column_names]
        several = several[pc.sort_indices(table.take(several), sort_keys=order).to_numpy()]
        first = several[np.diff(codes[several], prepend=-1) != 0]
        rows = np.concatenate([once, first])
        return cls(keys.take(rows), names.take(rows), is_open[rows])


def _contacts_on_offer(contacts: Side, held: LinkEnds, wanted: Array) -> _Offer:
    """Return the live platform contacts with a wanted address, told by a row or by a link."""
    person = held.persons()
    moved_away = held.crm_moved & truths(pc.not_equal(held.crm_key, held.marketing_key))
    stay = any_in_group(person, ~held.crm_gone & ~moved_away)
    linked_open = stay | ~any_in_group(person, ~held.crm_gone)
    present = _with_key(held.marketing_key, wanted, ~held.marketing_gone)
    free = _with_key(contacts.keys, wanted, _unlinked(contacts, held.marketing_row))
    return _Offer.of(
        pa.concat_arrays([held.marketing_key.take(present), contacts.keys.take(free)]),
        pa.concat_arrays([held.column("marketing_id").take(present), contacts.names.take(free)]),
        np.concatenate([linked_open[present], np.ones(len(free), dtype=bool)]),
    )


def _with_key(keys: Array, wanted: Array, where: np.ndarray) -> np.ndarray:
    """Return the rows among ``where`` whose address is wanted."""
    rows = np.flatnonzero(where)
    found: np.ndarray = rows[truths(pc.is_in(keys.take(rows), value_set=wanted, skip_nulls=True))]
    return found


def _match_addresses(
    people: Side, contacts: Side, held: LinkEnds
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return new pairs of CRM records without a link, and the records that remain alone."""
    free = np.flatnonzero(_unlinked(people, held.crm_row))
    keys = people.keys.take(free)
    offer = _contacts_on_offer(contacts, held, keys)
    place = places(keys, offer.keys)
    opened = np.zeros(len(free), dtype=bool)
    opened[place >= 0] = offer.open[place[place >= 0]]
    texts = {
        "entity": column(people.rows, "entity", _TEXT).take(free),
        "crm_id": column(people.rows, "id", _TEXT).take(free),
    }
    taken_over = pa.scalar("address_taken_over")
    case = pc.if_else(pa.array((place >= 0) & ~opened), taken_over, pa.scalar(None, _TEXT))
    texts |= {"marketing_id": take_rows(offer.names, place), "email_key": keys, "case": case}
    rows = frame(texts).assign(row=free)
    alone = rows.loc[~opened, ["entity", "crm_id", "case"]]
    return rows[opened], alone.reset_index(drop=True)


def _marketing_only(contacts: Side, held: LinkEnds, found: pd.DataFrame) -> pd.DataFrame:
    """Return the live platform contacts that nobody in the CRM is paired with."""
    rows = np.flatnonzero(_unlinked(contacts, held.marketing_row))
    names = contacts.names.take(rows)
    alone = ~truths(pc.is_in(names, value_set=column(found, "marketing_id", _TEXT)))
    keys, names = contacts.keys.take(rows[alone]), names.filter(pa.array(alone))
    theirs = [one.take(_with_key(one, keys, np.ones(len(one), dtype=bool))) for one in _keys(held)]
    taken_over = pc.is_in(keys, value_set=pa.concat_arrays(theirs), skip_nulls=True)
    case = pc.if_else(taken_over, pa.scalar("address_taken_over"), pa.scalar(None, _TEXT))
    return frame({"marketing_id": names, "case": case})


def _keys(held: LinkEnds) -> tuple[Array, Array]:
    """Return the addresses that linked people have, and had when they were linked."""
    return held.crm_key, held.column("email_key")


def _pairs(held: LinkEnds, found: pd.DataFrame, people: Side) -> pd.DataFrame:
    """Return the links that rows touch and the new ones, with their cases and primary records."""
    handed_over = truths(column(held.links, "new_link", pa.bool_()))
    old = held.links.assign(
        case=_column(held.cases(), held.links.index),
        gone=held.crm_gone,
        idle=held.idle,
        row=held.crm_row,
        touched=(held.crm_row >= 0) | (held.marketing_row >= 0) | handed_over,
    )
    new = found.assign(is_primary=None, new_link=True, gone=False, idle=False, touched=True)
    if len(new):
        old = pd.concat([old, new], ignore_index=True)
    person = column(old, "marketing_id", _TEXT).dictionary_encode().indices.to_numpy()
    touched = any_in_group(person, old["touched"])
    old, person = old[touched].reset_index(drop=True), person[touched]
    is_primary = choose_primary(old, person, people.rows)
    changed = old["is_primary"].ne(is_primary).fillna(value=False)
    old["new_link"] = old["new_link"].fillna(value=False).mask(changed, other=True)
    old["is_primary"] = is_primary
    pairs: pd.DataFrame = old[_PAIRS]
    return pairs


def _column(values: Array, index: pd.Index) -> pd.Series:
    return pd.Series(pd.arrays.ArrowExtensionArray(values), index=index)
