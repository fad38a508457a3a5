"""What the suite must know of a connector, and of the vendor that it is tried against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bothways.connectors.base import ConnectionSettings


class EmulatedVendor(Protocol):
    """A vendor that answers as the real one does, and can be told to fail.

    A method that an emulated vendor does not have may call `pytest.skip`.
    """

    def reset(self, people: int = 0) -> None:
        """Empty the vendor and fill it with so many people, some of whom may not be mailed.

        With people there is some of whatever the connector declares that it reads: forms with
        responses, visits, and programs, of which one at least is active and one is not.
        Faults are off afterwards. An empty vendor has the list `Bench.list_name`, too.
        """
        ...

    def faults(self, switches: Mapping[str, Any] | None = None) -> None:
        """Set the faults of every vendor (the key "*"), or switch all off.

        Their names are those of Bothways' sandbox: `share` (of calls, by HTTP status, or `cut` for
        a connection that breaks), `after_write` (share of answers lost), `rows_refused`,
        `import_faults`, `html_200` and `seed`.
        """
        ...

    def advance(self, seconds: float) -> None:
        """Move the vendor's clock on."""
        ...


@dataclass(frozen=True)
class Bench:
    """One connector, against an emulated vendor.

    Attributes:
        name: The connector's name.
        vendor: The vendor, emptied.
        settings: How the connector reaches it; the argument is another password or secret than the
            right one, or None.
        entity: Whose people the suite reads and writes.
        text_field: A text field of theirs.
        list_name: A static list that the vendor has for them.
        unknown_id: A well-formed id that nobody has.
        secrets: What may stand in no log.
        consent_table: Makes a table of consents at the emptied vendor, and returns what operations
            say of it: `table`, `key_column`, `lookup` of the entity, and under `columns` one of
            text, which holds some 100 characters. None where the connector writes none.
    """

    name: str
    vendor: EmulatedVendor
    settings: Callable[[str | None], ConnectionSettings]
    entity: str
    text_field: str
    list_name: str
    unknown_id: str
    secrets: tuple[str, ...] = ()
    consent_table: Callable[[], Mapping[str, Any]] | None = None

    def person(self, number: int) -> dict[str, Any]:
        """Return the columns of an operation that creates a person."""
        return {
            "kind": "create",
            "entity": self.entity,
            "key": f"0d0d0d0d-0000-4000-8000-{number:012d}",
            "email": f"person{number}@mail.example",
            "values": f'{{"{self.text_field}": "Zoë {number} 😀"}}',
        }
