"""What contact scoring reads and decides: each part of a score goes where the account says."""

from __future__ import annotations

from typing import Final, cast

import pandas as pd

from bothways.config.account import Account
from bothways.streams.attributes import Scores
from bothways.syncs import attributes
from bothways.syncs.attributes import Carried
from bothways.syncs.base import Dataset, Inputs, Plan, Request, SyncType
from bothways.syncs.contact_scoring import SPEC, Settings
from bothways.vocabulary import FieldType

_TYPES: Final = {
    "score": FieldType.INTEGER,
    "engagement": FieldType.INTEGER,
    "suitability": FieldType.INTEGER,
    "label": FieldType.STRING,
    "scored_at": FieldType.DATETIME,
}


def datasets(request: Request) -> list[Dataset]:
    """Read members with their scores, and the CRM's people with the columns."""
    return attributes.datasets(request, _carried(request.account))


def plan(inputs: Inputs) -> Plan:
    """Write whatever differs from the platform's scores."""
    return attributes.plan(inputs, _carried(inputs.account))


def _carried(account: Account) -> Carried:
    settings = cast(Settings, account.settings_of(SPEC))
    return Carried(
        stream=Scores(),
        types=_TYPES,
        columns={"contact": settings.contact.columns(), "lead": settings.lead.columns()},
        column_types=_TYPES,
        convert=_to_the_second,
        decide=_differs,
    )


def _to_the_second(values: pd.DataFrame) -> pd.DataFrame:
    """Cut fractions of a second, which a column of a CRM need not keep."""
    seconds = values["scored_at"].dt.floor("s")
    return values.assign(scored_at=seconds)


def _differs(wanted: pd.DataFrame, current: pd.DataFrame) -> pd.DataFrame:
    return wanted.ne(current).fillna(value=True)


SYNC: Final = SyncType(datasets, plan)
