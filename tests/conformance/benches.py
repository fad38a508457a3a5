"""What the shared suite must know of each connector of this repository: one row, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bothways.connectors.base import ConnectionSettings
from bothways.testing.conformance.bench import Bench
from tests.support import sandbox as demo
from tests.support.consent_table import SETTINGS, make_table
from tests.support.sandbox import SandboxServer


def _dotdigital(sandbox: SandboxServer) -> Bench:
    def settings(password: str | None) -> ConnectionSettings:
        password = password or demo.DOTDIGITAL_PASSWORD
        return ConnectionSettings(sandbox.url, demo.DOTDIGITAL_USER, password)

    return Bench(
        "dotdigital",
        sandbox,
        settings,
        entity="contact",
        text_field="FIRSTNAME",
        list_name="Newsletter",
        unknown_id="999999999",
        secrets=(demo.DOTDIGITAL_PASSWORD,),
    )


def _dynamics(sandbox: SandboxServer) -> Bench:
    def settings(secret: str | None) -> ConnectionSettings:
        extra = {"tenant": demo.DYNAMICS_TENANT, "authority": sandbox.url}
        secret = secret or demo.DYNAMICS_CLIENT_SECRET
        return ConnectionSettings(sandbox.url, demo.DYNAMICS_CLIENT_ID, secret, extra)

    def consent_table() -> dict[str, Any]:
        make_table(sandbox)
        names = {"table": "table", "key_column": "key", "lookup": "contact"}
        place = {name: SETTINGS[said] for name, said in names.items()}
        return {**place, "columns": {SETTINGS["text"]: ""}}

    return Bench(
        "dynamics",
        sandbox,
        settings,
        entity="contact",
        text_field="firstname",
        list_name="Newsletter",
        unknown_id="0d0d0d0d-ffff-4fff-8fff-ffffffffffff",
        secrets=(demo.DYNAMICS_CLIENT_SECRET,),
        consent_table=consent_table,
    )


def _mailchimp(sandbox: SandboxServer) -> Bench:
    def settings(key: str | None) -> ConnectionSettings:
        return ConnectionSettings(sandbox.url, password=key or demo.MAILCHIMP_KEY)

    return Bench(
        "mailchimp",
        sandbox,
        settings,
        entity="contact",
        text_field="FNAME",
        list_name="Newsletter / VIP",
        unknown_id=f"{'0' * 10}:{'0' * 32}",
        secrets=(demo.MAILCHIMP_KEY,),
    )


BENCHES: Mapping[str, Callable[[SandboxServer], Bench]] = {
    "dotdigital": _dotdigital,
    "dynamics": _dynamics,
    "mailchimp": _mailchimp,
}
