"""What Bothways owns in an environment, and the vendor's tables that it works on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bothways.connectors.base import NamedTable
from bothways.connectors.dynamics.declaration import DECLARATION
from bothways.errors import ConfigurationError

TITLE: Final = DECLARATION.title
API: Final = "/api/data/v9.2"
NAMESPACE: Final = "Microsoft.Dynamics.CRM"

# Key values with any of / < > * % & : \ ? + # break requests by key, even encoded (PAD
# use-alternate-key-reference-record), so that only these are let through.
SAFE_KEY: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
UNSAFE_KEY: Final = "the key has characters that Dynamics cannot look up; give it another"
GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

_PREFIX = re.compile(r"(?!mscrm)[a-z][a-z0-9]{1,7}")


@dataclass(frozen=True, slots=True)
class PersonTable:
    """A table of people.

    Args:
        name: Logical name, which is also the canonical entity.
        entity_set: Its name in URLs.
        list_code: `createdfromcode` of a marketing list of such people.
        association: Navigation property from a list to its members.
    """

    name: str
    entity_set: str
    list_code: int
    association: str

    @property
    def id(self) -> str:
        """The primary key column."""
        return f"{self.name}id"


ACCOUNT: Final = PersonTable("account", "accounts", 1, "listaccount_association")
CONTACT: Final = PersonTable("contact", "contacts", 2, "listcontact_association")
LEAD: Final = PersonTable("lead", "leads", 4, "listlead_association")

PEOPLE: Final = {table.name: table for table in (CONTACT, LEAD)}
LIST_CODES: Final = {table.list_code: table.name for table in (ACCOUNT, CONTACT, LEAD)}


@dataclass(frozen=True, slots=True)
class Names:
    """Names of our own columns and tables.

    All lower case, so that the navigation properties of lookups, whose case follows the schema
    name, are the same words.

    Args:
        prefix: The publisher's prefix.
        tables: What the account names to be used instead, by the kind of record.
    """

    prefix: str = "bw"
    tables: Mapping[str, NamedTable] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ConfigurationError(
                f"`{self.prefix}` is no publisher prefix; use 2 to 8 lower-case letters and digits."
            )

    @property
    def external_id(self) -> str:
        """The column on contact and lead that creates are keyed by."""
        return f"{self.prefix}_externalid"

    @property
    def suppression(self) -> str:
        """The table of suppressions."""
        return f"{self.prefix}_suppression"

    @property
    def suppressions(self) -> str:
        """The entity set of suppressions."""
        return f"{self.prefix}_suppressions"

    def own(self, word: str) -> str:
        """Return a word with our prefix."""
        return f"{self.prefix}_{word}"
