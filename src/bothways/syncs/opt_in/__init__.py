"""Opt-in: how members of the platform opted in, in a column of CRM contacts and leads.

And what they consented to, in a table of the CRM, where an account names one.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from bothways.spec import Role, SyncSpec

_Column = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Values(BaseModel):
    """What the column holds for each type: texts, or the numbers of a column of options."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    unknown: str | int = "Unknown"
    single: str | int = "Single"
    double: str | int = "Double"
    verified_double: str | int = "VerifiedDouble"


_TELLING: Final = ("text", "consented_at", "url", "ip_address", "user_agent")
_NAMING: Final = ("contact", "lead", "email")


class ConsentTable(BaseModel):
    """A table of the CRM that has a record of each consent. What is left out is not written.

    Attributes:
        table: The table, as the CRM's own API calls it; so are the columns.
        key: A column of text with an alternate key on it alone, by which a consent is found again.
        email: The column of the person's address on the platform.
        text: The words that the person saw.
        consented_at: When.
        url: On which page.
        ip_address: From which address on the internet.
        user_agent: With which browser.
        contact: The lookup of the person's contact.
        lead: The lookup of the person's lead.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: _Column
    key: _Column
    email: _Column | None = None
    text: _Column | None = None
    consented_at: _Column | None = None
    url: _Column | None = None
    ip_address: _Column | None = None
    user_agent: _Column | None = None
    contact: _Column | None = None
    lead: _Column | None = None

    @model_validator(mode="after")
    def _is_of_use(self) -> ConsentTable:
        if not any(getattr(self, name) for name in _NAMING):
            raise ValueError("the records would name nobody; add `contact`, `lead` or `email`")
        if not self.told:
            raise ValueError("the records would tell nothing; add `text` or `consented_at`")
        columns = [value for name, value in self if value and name != "table"]
        twice = [value for value in columns if columns.count(value) > 1]
        if twice:
            raise ValueError(f"`{twice[0]}` is named twice; give each a column of its own")
        return self

    @property
    def told(self) -> dict[str, str]:
        """What is told of a consent → its column."""
        columns = {name: getattr(self, name) for name in _TELLING}
        return {name: column for name, column in columns.items() if column}

    @property
    def lookups(self) -> dict[str, str]:
        """CRM entity → the lookup of it."""
        columns = {"contact": self.contact, "lead": self.lead}
        return {entity: column for entity, column in columns.items() if column}

    @property
    def entities(self) -> tuple[str, ...]:
        """The entities among which a person is looked for: without a lookup, by the address."""
        return ("contact", "lead") if self.email else tuple(self.lookups)


class EntityColumns(BaseModel):
    """A column of each CRM entity; one that is left out is not written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contact: _Column | None = None
    lead: _Column | None = None


class Settings(BaseModel):
    """Where opt-in types go.

    Attributes:
        contact: The column of contacts; none where it is left out.
        lead: The column of leads.
        status: Where the platform's own word goes for whether a member may be mailed.
        unsubscribe_reason: Where what they gave as their reason to unsubscribe goes.
        values: What the columns hold.
        overwrite: Also write a lower type over a higher one. By default a type is only raised.
        consents: Where records of consents go; none are written where it is left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    contact: _Column | None = None
    lead: _Column | None = None
    status: EntityColumns = Field(default_factory=EntityColumns)
    unsubscribe_reason: EntityColumns = Field(default_factory=EntityColumns)
    values: Values = Field(default_factory=Values)
    overwrite: Annotated[bool, Field(strict=True)] = False
    consents: ConsentTable | None = None

    @model_validator(mode="after")
    def _has_columns_apart(self) -> Settings:
        for named in self.columns().values():
            columns = [*named.values()]
            twice = [column for column in columns if columns.count(column) > 1]
            if twice:
                raise ValueError(f"`{twice[0]}` is named twice; give each a column of its own")
        return self

    def columns(self) -> dict[str, dict[str, str]]:
        """Return the columns that are named, by CRM entity and attribute."""
        of = {
            "opt_in_type": self,
            "status": self.status,
            "unsubscribe_reason": self.unsubscribe_reason,
        }
        return {
            entity: {name: column for name, item in of.items() if (column := getattr(item, entity))}
            for entity in ("contact", "lead")
        }


SPEC: Final = SyncSpec(
    name="opt_in",
    title="Opt-in",
    implementation="bothways.syncs.opt_in.sync:SYNC",
    roles=(
        Role("crm", ("ReadsContacts", "WritesContacts")),
        Role("marketing", ("ReadsContacts", "ReadsOptIns"), is_written=False),
    ),
    settings=Settings,
)
