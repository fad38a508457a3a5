"""The people whom an undo is about: as they are now, and whether they may be mailed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from bothways.config.mapping import Mapping
from bothways.syncs.base import Inputs
from bothways.syncs.store_view import StoreView
from bothways.transform.columns import looked_up
from bothways.vocabulary import MAILABLE_OR_PENDING, FieldType, Reason, RoleName, Status, other


def current(
    inputs: Inputs, side: RoleName, ids: pd.Series, *, with_deleted: bool = False
) -> pd.DataFrame:
    """Return people of a side with the fields of all mappings, by id; living ones if not told."""
    fields: dict[str, FieldType] = {}
    for mapping in inputs.account.mappings.values():
        fields |= mapping.vendor_fields(side)
    found = inputs.view.people(side, ids=ids, fields=fields, with_deleted=with_deleted)
    return found.drop_duplicates("id").set_index("id")


def about(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Return what a job that undoes another one has from it."""
    names = (
        "target", "entity", "record_id", "source_id", "email", "list_key", "source",
        "source_entity",
    )  # fmt: skip
    return {name: rows[name] for name in names}


def mapping_of(inputs: Inputs, entity: str) -> Mapping:
    """Return the mapping of a CRM entity; an empty one where it has none."""
    return inputs.account.mappings.get(entity, Mapping(entity=entity))


@dataclass(frozen=True)
class Standing:
    """Whether the people of some rows are there, and may be mailed.

    Args:
        inputs: The plan's inputs.
        side: Which side's people.
        ids: Their ids, over the rows' index.
        may_return: Whether they are there still if they were deleted: they can be put back. How
            they stood then counts, with all that is told of their address since.
    """

    inputs: Inputs
    side: RoleName
    ids: pd.Series
    may_return: bool = False

    @cached_property
    def people(self) -> pd.DataFrame:
        """The people as they are now, by id."""
        found = current(self.inputs, self.side, self.ids, with_deleted=self.may_return)
        # Of a deleted person whose address is not known nobody can say whether they may be mailed.
        return found[found["email_key"].notna() | ~found["deleted"].astype(bool)]

    def obstacle(self, list_key: str | None = None) -> pd.Series:
        """Return why nothing may be written for a row: gone, erased, do_not_mail; null if nothing.

        Args:
            list_key: The list that somebody is to be on again.
        """
        pairs = self._pairs(list_key)
        gone = ~self.ids.isin(self.people.index)
        erased = self.inputs.view.erased(looked_up(self.ids, self.people["email_key"]))
        silent = self._silent(pairs, list_key)
        reason = pd.Series(None, index=self.ids.index, dtype="string[pyarrow]")
        reason = reason.mask(self.ids.isin(silent), Reason.DO_NOT_MAIL)
        return reason.mask(erased, Reason.ERASED).mask(gone, Reason.GONE)

    def _view(self, list_key: str | None) -> StoreView:
        """Return what is known of the list's scope; without a list, of all."""
        view = self.inputs.view
        return view.within(self.inputs.lists["marketing"][list_key].scope) if list_key else view

    def _pairs(self, list_key: str | None) -> pd.DataFrame:
        """Return who is linked with these people, in the scope of the list: own, other."""
        own, theirs = (f"{side}_id" for side in (self.side, other(self.side)))
        asked = {f"{own}s": self.ids}
        found = self._view(list_key).links(**asked)  # type: ignore[arg-type]
        return found[[own, theirs]].rename(columns={own: "own", theirs: "other"})

    def _silent(self, pairs: pd.DataFrame, list_key: str | None) -> pd.Series:
        """Return the ids of those who may not be mailed, whichever side or record says so."""
        partners = current(self.inputs, other(self.side), pairs["other"])
        own = self.people.assign(own=self.people.index)
        theirs = pairs.merge(partners, left_on="other", right_index=True)
        told = pd.concat([own, theirs], ignore_index=True)
        ledger = self._view(list_key).suppressions(email_keys=told["email_key"])
        list_ids = ["", *(self.inputs.pair(list_key) if list_key else ())]
        ledger = ledger[ledger["list_id"].isin(list_ids)]
        mailable = told["status"].isin(MAILABLE_OR_PENDING)
        silent: pd.Series = told.loc[~mailable | told["email_key"].isin(ledger["email_key"]), "own"]
        found: pd.Series = pd.concat([silent, self._off_list(pairs, list_key)])
        return found

    def _off_list(self, pairs: pd.DataFrame, list_key: str | None) -> pd.Series:
        """Return the ids of those who unsubscribed from the list itself."""
        if list_key is None:
            return self.ids.iloc[:0]
        column = f"{self.side}_id"
        states = self.inputs.view.list_states(pairs=[self.inputs.pair(list_key)])
        words = states.loc[states["state"] == Status.UNSUBSCRIBED.value, column]
        platform = self.inputs.lists["marketing"][list_key].id
        contacts = self.ids if self.side == "marketing" else pairs["other"]
        members = self.inputs.view.members("marketing", list_ids=[platform], member_ids=contacts)
        no = members.loc[members["status"].ne(Status.MAILABLE.value), "member_id"]
        said = no if self.side == "marketing" else pairs.loc[pairs["other"].isin(no), "own"]
        found: pd.Series = pd.concat([words, said])
        return found
