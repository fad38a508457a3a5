"""`bothways map`: propose a mapping from the fields of both systems, as YAML that `check` takes."""

from __future__ import annotations

from pathlib import Path

import typer
import yaml

from bothways.cli.remembered import remembered_fields
from bothways.cli.vendors import opened
from bothways.config.account import Account
from bothways.config.load import load_account
from bothways.config.mapping import ENTITIES, Mapping
from bothways.config.problems import choice
from bothways.connectors.base import FieldInfo, HasFields
from bothways.errors import ConfigurationError
from bothways.orchestration.connections import join_airflow, open_store
from bothways.syncs.mapping_proposal import Pair, Proposal, propose
from bothways.vocabulary import SIDES, RoleName

_WIDTH = 72


def propose_mapping(
    account: str, entity: str, *, live: bool, out: Path | None, replace: bool
) -> None:
    """Print a proposed mapping of one entity, or write it to a file.

    Raises:
        ConfigurationError: The entity is none, the file is there already, or it is not known what
            fields a system has.
    """
    if entity not in ENTITIES:
        raise ConfigurationError(f"There is no entity `{entity}`; {choice(entity, ENTITIES)}")
    if out is not None and out.exists() and not replace:
        raise ConfigurationError(f"{out} is there already; name another file, or add --replace.")
    configured = load_account(account)
    join_airflow()
    known = _asked(configured, entity) if live else _remembered(configured, entity)
    proposal = propose(*known)
    text = _yaml(account, entity, proposal)
    Mapping.model_validate(yaml.safe_load(text))
    if out is None:
        typer.echo(text, nl=False)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    typer.echo(
        f"Proposed {len(proposal.pairs)} fields in {out}; look it over, name it under `mappings` "
        "of the account, and run `bothways check`."
    )


def _asked(account: Account, entity: str) -> tuple[dict[str, FieldInfo], ...]:
    found = []
    for role in SIDES:
        with opened(account.system(role)) as connector:
            if not isinstance(connector, HasFields):
                raise ConfigurationError(
                    f"{connector.declaration.title} cannot tell which fields it has; write the "
                    "mapping by hand."
                )
            found.append(connector.fields(entity if role == "crm" else connector.entities[0]))
    return tuple(found)


def _remembered(account: Account, entity: str) -> tuple[dict[str, FieldInfo], ...]:
    with open_store() as store, store.begin() as conn:
        tables = {role: remembered_fields(conn, account, role) for role in SIDES}
    crm = tables["crm"].get(entity)
    marketing = next(iter(tables["marketing"].values()), None)
    for role, fields in (("crm", crm), ("marketing", marketing)):
        if not fields:
            raise ConfigurationError(_never_read(account, role, entity))
    return crm or {}, marketing or {}


def _never_read(account: Account, role: RoleName, entity: str) -> str:
    sync = "crm_metadata" if role == "crm" else "data_labels"
    return (
        f"The fields of `{entity}` in the system `{role}` have not been read; run "
        f"{account.name}__{sync} first, or add --live."
    )


def _yaml(account: str, entity: str, proposal: Proposal) -> str:
    lines = [
        f"# Proposed by `bothways map {account} --entity {entity}` from both systems' fields.",
        "# Look it over before you use it: which fields, which way they travel, who wins.",
        f"entity: {entity}",
        "fields:" if proposal.pairs else "fields: {}",
        *(_field(pair) for pair in proposal.pairs),
    ]
    if proposal.left:
        lines.append("# The platform's other fields, for which nothing was found:")
        lines += [f"#   {name}" for name in proposal.left]
    return "\n".join(lines) + "\n"


def _field(pair: Pair) -> str:
    text = yaml.safe_dump(pair.keys, sort_keys=False, allow_unicode=True, width=_WIDTH).rstrip()
    inner = "\n".join(f"    {line}" for line in text.splitlines())
    return f"  {pair.name}:  # {pair.why}\n{inner}"
