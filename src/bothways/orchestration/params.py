"""What a person may choose at the trigger form of a sync DAG: the fields of `Options`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param

from bothways.config.account import NAME_PATTERN, Account
from bothways.spec import Options, SyncSpec
from bothways.vocabulary import RECORD_PATTERN


def sync_params(account: Account, sync: SyncSpec) -> dict[str, Param]:
    """Return the form's fields; their schema is what explains and checks them."""
    described = Options.model_json_schema()["properties"]
    return {name: _param(account, name, described[name]) for name in sync.options}


def _param(account: Account, name: str, schema: Mapping[str, Any]) -> Param:
    checks = {key: value for key, value in schema.items() if key not in {"default", "anyOf"}}
    if "anyOf" in schema:  # Airflow's form knows no alternatives, but several types
        number, _ = schema["anyOf"]
        checks |= {**number, "type": [number["type"], "null"]}
    if name == "records":
        checks["items"] = {"type": "string", "pattern": RECORD_PATTERN}
    if name == "lists":
        keys = sorted(account.lists)
        rule = {"enum": keys} if keys else {"pattern": NAME_PATTERN}
        checks["items"] = {"type": "string", **rule}
    return Param(schema["default"], **checks)


def options(params: Mapping[str, Any]) -> Options:
    """Return the choices that a DAG run was triggered with."""
    chosen = {name: params[name] for name in Options.model_fields if params.get(name) is not None}
    for name in chosen.keys() & {"campaigns", "records"}:
        chosen[name] = [item.strip() for item in chosen[name] if item.strip()]
    return Options.model_validate(chosen)
