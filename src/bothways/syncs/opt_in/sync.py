"""What the opt-in sync reads and decides: a type is raised, and lowered only if the account says.

The platform's word for whether somebody may be mailed, and their reason to unsubscribe, are kept as
it tells them.

Unknown < Single < Double < VerifiedDouble, as the platform orders them. Consents go beside them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, cast

import pandas as pd

from bothways.config.account import Account
from bothways.connectors.base import Connector, WritesConsents
from bothways.discovery import declaration
from bothways.errors import ConfigurationError
from bothways.streams.attributes import STATUS, OptIns
from bothways.syncs import attributes
from bothways.syncs.attributes import Carried
from bothways.syncs.base import Dataset, Inputs, Plan, Request, SyncType
from bothways.syncs.jobs import joined
from bothways.syncs.opt_in import SPEC, Settings
from bothways.syncs.opt_in.consents import consent_jobs
from bothways.transform.columns import looked_up
from bothways.vocabulary import FieldType, OptInType, Reason

_ATTRIBUTE: Final = "opt_in_type"
_RANKS: Final = {kind.value: rank for rank, kind in enumerate(OptInType)}


def datasets(request: Request) -> list[Dataset]:
    """Read members with their opt-in types, and the CRM's people with the columns.

    Raises:
        ConfigurationError: The account names a table of consents, which its CRM cannot write.
    """
    if _settings(request.account).consents:
        _require_consents(request.account)
    return attributes.datasets(request, _carried(request.account))


def plan(inputs: Inputs) -> Plan:
    """Write each type that is higher than the CRM's, or differs where the account says so.

    And each consent that is not in the CRM's table yet, where the account names one.
    """
    carried, table = _carried(inputs.account), _settings(inputs.account).consents
    types = attributes.plan(inputs, carried)
    if table is None:
        return types
    consents = consent_jobs(inputs, table, attributes.entered(inputs, carried))
    # Whoever has a consent written is known to the CRM.
    unknown = types.jobs["reason"].eq(Reason.NO_CRM_RECORD).fillna(value=False)
    known = unknown & types.jobs["source_id"].isin(consents["source_id"])
    return replace(types, jobs=joined([types.jobs[~known], consents]))


def _settings(account: Account) -> Settings:
    return cast(Settings, account.settings_of(SPEC))


def _require_consents(account: Account) -> None:
    crm = declaration(account.system("crm").connector)
    if "WritesConsents" not in crm.capabilities:
        raise ConfigurationError(
            f"The connector for {crm.title} cannot write records of consents; "
            "remove `consents` from the settings of `opt_in`."
        )


def _carried(account: Account) -> Carried:
    settings = _settings(account)
    values = pd.Series(settings.values.model_dump())
    numbers = all(isinstance(value, int) for value in values)
    columns = settings.columns()
    with_status = any(name in named for named in columns.values() for name in STATUS)
    texts = dict.fromkeys((_ATTRIBUTE, *STATUS) if with_status else (_ATTRIBUTE,), FieldType.STRING)
    kind = FieldType.OPTION if numbers else FieldType.STRING
    ranks = pd.Series(values.index.map(_RANKS), index=values.array)

    def convert(found: pd.DataFrame) -> pd.DataFrame:
        return found.assign(**{_ATTRIBUTE: looked_up(found[_ATTRIBUTE], values)})

    def raises(wanted: pd.DataFrame, current: pd.DataFrame) -> pd.DataFrame:
        differs = wanted.ne(current).fillna(value=True)
        for name in wanted.columns.intersection(list(STATUS)):
            # No reason and an empty column are the same.
            differs[name] = wanted[name].fillna("").ne(current[name].fillna(""))
        if _ATTRIBUTE in wanted and not settings.overwrite:
            rank, known = (looked_up(rows[_ATTRIBUTE], ranks) for rows in (wanted, current))
            differs[_ATTRIBUTE] = rank > known.fillna(-1)
        return differs

    return Carried(
        stream=OptIns(with_consents=settings.consents is not None, with_status=with_status),
        types=texts,
        columns=columns,
        column_types={**texts, _ATTRIBUTE: kind},
        convert=convert,
        decide=raises,
        others=settings.consents.entities if settings.consents else (),
    )


def obstacles(request: Request, connector: Connector) -> list[str]:
    """Return what keeps consents from being written to the table that the account names."""
    table = _settings(request.account).consents
    if table is None or request.side != "crm" or not isinstance(connector, WritesConsents):
        return []
    columns = [*table.told.values(), *([table.email] if table.email else [])]
    return connector.consent_obstacles(table.table, table.key, columns, table.lookups)


SYNC: Final = SyncType(datasets, plan, obstacles=obstacles)
