"""Provision: what the CRM needs for the account's syncs, made through the CRM's own metadata."""

from __future__ import annotations

from typing import Final

from bothways.spec import Phase, Role, SyncSpec

SPEC: Final = SyncSpec(
    name="provision",
    title="Provision",
    implementation="bothways.syncs.provision.sync:SYNC",
    roles=(Role("crm", ("Provisions",)),),
    phase=Phase.STRUCTURE,
)
