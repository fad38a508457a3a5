"""What both sides and the base have of the people of one entity, in the mapping's terms.

The address is a field like the others, under the name ``@email``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from bothways.config.mapping import FieldMapping, Mapping
from bothways.syncs.base import Inputs
from bothways.syncs.two_way.affected import Gathered
from bothways.tables.fields import FIELD_PREFIX
from bothways.transform.arrow import nulls
from bothways.transform.columns import frame
from bothways.transform.fields import shared_types, to_shared
from bothways.transform.merge import Merge, merge
from bothways.vocabulary import FieldType

ADDRESS: Final = "@email"
ADDRESS_COLUMN: Final = FIELD_PREFIX + ADDRESS
_ADDRESS_FIELD: Final = FieldMapping(crm=ADDRESS, marketing=ADDRESS)


def with_address(mapping: Mapping) -> Mapping:
    """Return a mapping in which the address is a field too."""
    return mapping.model_copy(update={"fields": {ADDRESS: _ADDRESS_FIELD, **mapping.fields}})


@dataclass(frozen=True, slots=True)
class Apart:
    """Over a part's pairs, columns ``field:<name>``.

    Attributes:
        held: Where the sides are still as the undo left them, or a record of the same person is.
        over: Where they were left apart and somebody has changed one since.
    """

    held: pd.DataFrame
    over: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Values:
    """The pairs of one entity, with the values of both sides and the baseline.

    Attributes:
        rows: Persons.rows.
        mapping: The entity's mapping, with the address as a field.
        crm: The CRM's values; like the next two over the rows' index, columns ``field:<name>``.
        marketing: The platform's values.
        base: What each pair last agreed on; `known` is null for pairs without a baseline.
        unfit: As `merge` takes it.
        problems: Values that did not fit, as Converted.problems.
        without_base: Columns of the fields whose baselines do not count.
        apart: Where an undo left the sides apart; None until that has been looked up.
    """

    rows: pd.DataFrame
    mapping: Mapping
    crm: pd.DataFrame
    marketing: pd.DataFrame
    base: pd.DataFrame
    unfit: tuple[pd.DataFrame, ...]
    problems: pd.DataFrame
    without_base: tuple[str, ...] = ()
    apart: Apart | None = None

    def only(self, keep: pd.Series) -> Values:
        """Return the chosen pairs."""
        return replace(
            self,
            rows=self.rows[keep],
            crm=self.crm[keep],
            marketing=self.marketing[keep],
            base=self.base[keep],
            apart=None,
        )

    def merge(self) -> Merge:
        """Merge pair by pair."""
        return merge(
            self.base,
            self.crm,
            self.marketing,
            self.mapping,
            crm_modified=self.rows["crm_modified_at"],
            marketing_modified=self.rows["marketing_modified_at"],
            unfit=self.unfit,
        )


def values_of(inputs: Inputs, gathered: Gathered, rows: pd.DataFrame, entity: str) -> Values:
    """Return the pairs of one entity in the shared format, with what both last agreed on.

    Args:
        inputs: The plan's inputs.
        gathered: The people's records.
        rows: Persons.rows of this entity.
        entity: The CRM entity; its mapping says which fields there are.
    """
    mapping = inputs.account.mappings.get(entity, Mapping(entity=entity))
    crm = to_shared(_beside(gathered.crm, rows["crm_id"]), mapping, "crm")
    marketing = to_shared(_beside(gathered.marketing, rows["marketing_id"]), mapping, "marketing")
    whole = with_address(mapping)
    return Values(
        rows=rows,
        mapping=whole,
        crm=_fields(crm.frame).assign(**{ADDRESS_COLUMN: rows["crm_email_key"]}),
        marketing=_fields(marketing.frame).assign(**{ADDRESS_COLUMN: rows["marketing_email_key"]}),
        base=_base(inputs, rows, whole),
        unfit=(crm.unfit, marketing.unfit),
        problems=pd.concat([crm.problems, marketing.problems], ignore_index=True),
        without_base=tuple(FIELD_PREFIX + name for name in _without_base(inputs, mapping)),
    )


def _beside(records: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    """Return the record of each id, over the ids' index."""
    return records.set_index("id").reindex(pd.Index(ids)).set_axis(ids.index, axis=0)


def _fields(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[[name for name in rows.columns if name.startswith(FIELD_PREFIX)]]


def _base(inputs: Inputs, rows: pd.DataFrame, mapping: Mapping) -> pd.DataFrame:
    """Return what each pair last agreed on; nulls in fields whose baselines do not count."""
    types = agreed_types(inputs, mapping)
    found = inputs.view.baselines(mapping.entity, rows["crm_id"], types)
    beside = of_pairs(found.assign(known=True), rows)
    address = beside[ADDRESS_COLUMN].fillna(rows["link_key"])
    empty = {
        FIELD_PREFIX + name: nulls(len(rows), kind)
        for name, kind in shared_types(mapping).items()
        if name not in types
    }
    return beside.assign(**frame(empty, rows.index), **{ADDRESS_COLUMN: address})


def agreed_types(inputs: Inputs, mapping: Mapping) -> dict[str, FieldType]:
    """Return the fields whose baselines count, with their types; an option is kept as its label."""
    return {
        name: FieldType.STRING if item.type is FieldType.OPTION else item.type
        for name, item in mapping.fields.items()
        if item.fixed is None and name not in _without_base(inputs, mapping)
    }


def _without_base(inputs: Inputs, mapping: Mapping) -> Sequence[str]:
    return inputs.without_base.get(mapping.entity, ())


def of_pairs(found: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the store's row for each pair, over the pairs' index; nulls if there is none.

    Args:
        found: Rows with crm_id and marketing_id, one per CRM record.
        rows: Persons.rows; those without a contact are not a pair yet.
    """
    pair = ["crm_id", "marketing_id"]
    return rows[pair].merge(found, on=pair, how="left").set_axis(rows.index, axis=0)
