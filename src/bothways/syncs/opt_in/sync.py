"""What the opt-in sync reads and decides: a type is raised, and lowered only if the account says.

Unknown < Single < Double < VerifiedDouble, as the platform orders them.
"""

from __future__ import annotations

from typing import Final, cast

import pandas as pd

from bothways.config.account import Account
from bothways.streams.attributes import OptIns
from bothways.syncs import attributes
from bothways.syncs.attributes import Carried
from bothways.syncs.base import Dataset, Inputs, Plan, Request, SyncType
from bothways.syncs.opt_in import SPEC, Settings
from bothways.transform.columns import looked_up
from bothways.vocabulary import FieldType, OptInType

_ATTRIBUTE: Final = "opt_in_type"
_RANKS: Final = {kind.value: rank for rank, kind in enumerate(OptInType)}


def datasets(request: Request) -> list[Dataset]:
    """Read members with their opt-in types, and the CRM's people with the columns."""
    return attributes.datasets(request, _carried(request.account))


def plan(inputs: Inputs) -> Plan:
    """Write each type that is higher than the CRM's, or differs where the account says so."""
    return attributes.plan(inputs, _carried(inputs.account))


def _carried(account: Account) -> Carried:
    settings = cast(Settings, account.settings_of(SPEC))
    values = pd.Series(settings.values.model_dump())
    numbers = all(isinstance(value, int) for value in values)
    columns = {"contact": settings.contact, "lead": settings.lead}
    kind = FieldType.OPTION if numbers else FieldType.STRING
    ranks = pd.Series(values.index.map(_RANKS), index=values.array)

    def convert(found: pd.DataFrame) -> pd.DataFrame:
        return found.apply(lambda column: looked_up(column, values))

    def raises(wanted: pd.DataFrame, current: pd.DataFrame) -> pd.DataFrame:
        if settings.overwrite:
            return wanted.ne(current).fillna(value=True)
        higher = {
            name: looked_up(wanted[name], ranks) > looked_up(current[name], ranks).fillna(-1)
            for name in wanted
        }
        return pd.DataFrame(higher, index=wanted.index)

    return Carried(
        stream=OptIns(),
        types={_ATTRIBUTE: FieldType.STRING},
        columns={
            entity: {_ATTRIBUTE: column} if column else {} for entity, column in columns.items()
        },
        column_types={_ATTRIBUTE: kind},
        convert=convert,
        decide=raises,
    )


SYNC: Final = SyncType(datasets, plan)
