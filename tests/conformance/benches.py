"""What the shared suite must know of each connector: one row, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bothways.connectors.base import ConnectionSettings
from tests.support import sandbox as demo
from tests.support.sandbox import SandboxServer


@dataclass(frozen=True)
class Bench:
    """One connector, against the sandbox.

    Attributes:
        settings: How it reaches the sandbox; the second argument is the password or secret.
        entity: Whose people the suite reads and writes.
        text_field: A text field of theirs.
        list_name: A static list that the sandbox has for them.
        unknown_id: A well-formed id that nobody has.
    """

    settings: Callable[[SandboxServer, str | None], ConnectionSettings]
    entity: str
    text_field: str
    list_name: str
    unknown_id: str

    def person(self, number: int) -> dict[str, Any]:
        """Return the columns of an operation that creates a person."""
        return {
            "kind": "create",
            "entity": self.entity,
            "key": f"0d0d0d0d-0000-4000-8000-{number:012d}",
            "email": f"person{number}@mail.example",
            "values": f'{{"{self.text_field}": "Zoë {number} 😀"}}',
        }


def _dotdigital(sandbox: SandboxServer, password: str | None) -> ConnectionSettings:
    password = password or demo.DOTDIGITAL_PASSWORD
    return ConnectionSettings(sandbox.url, demo.DOTDIGITAL_USER, password)


def _dynamics(sandbox: SandboxServer, secret: str | None) -> ConnectionSettings:
    extra = {"tenant": demo.DYNAMICS_TENANT, "authority": sandbox.url}
    secret = secret or demo.DYNAMICS_CLIENT_SECRET
    return ConnectionSettings(sandbox.url, demo.DYNAMICS_CLIENT_ID, secret, extra)


BENCHES: Mapping[str, Bench] = {
    "dotdigital": Bench(_dotdigital, "contact", "FIRSTNAME", "Newsletter", "999999999"),
    "dynamics": Bench(
        _dynamics, "contact", "firstname", "Newsletter", "0d0d0d0d-ffff-4fff-8fff-ffffffffffff"
    ),
}
