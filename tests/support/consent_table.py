"""A customer's own table of consents in Dynamics 365, made through the vendor's metadata API."""

from __future__ import annotations

from typing import Any, Final

from tests.sandbox.dynamics_api import DynamicsApi, add_column, add_key, label, signed_in
from tests.support.sandbox import SandboxServer

TABLE: Final = "new_consent"
SETTINGS: Final[dict[str, str]] = {
    "table": TABLE,
    "key": "new_key",
    "email": "new_email",
    "text": "new_text",
    "consented_at": "new_consentedon",
    "url": "new_url",
    "ip_address": "new_ipaddress",
    "user_agent": "new_useragent",
    "contact": "new_contact",
    "lead": "new_lead",
}
"""What an account's file says of the table."""

_SPACE: Final = "Microsoft.Dynamics.CRM"


def make_table(sandbox: SandboxServer, *, with_key: bool = True) -> None:
    """Make the table with columns, lookups of contacts and leads, and an alternate key."""
    with signed_in(sandbox) as api:
        _table(api)
        for schema, more in {
            "new_Key": {"MaxLength": 100},
            "new_Email": {"MaxLength": 100},
            "new_Url": {"MaxLength": 30},
            "new_IpAddress": {"MaxLength": 100},
            "new_UserAgent": {"MaxLength": 100},
        }.items():
            add_column(api, TABLE, schema, **more)
        add_column(api, TABLE, "new_Text", "Memo", MaxLength=2_000)
        add_column(api, TABLE, "new_ConsentedOn", "DateTime", Format="DateAndTime")
        for entity in ("contact", "lead"):
            _lookup(api, entity)
        if with_key:
            add_key(sandbox, api, TABLE, "new_key")


def consents(sandbox: SandboxServer) -> list[dict[str, Any]]:
    """The table's rows."""
    return sandbox.table("dynamics", TABLE)


def _table(api: DynamicsApi) -> None:
    name = {
        "@odata.type": f"{_SPACE}.StringAttributeMetadata",
        "SchemaName": "new_Name",
        "IsPrimaryName": True,
        "MaxLength": 100,
        "DisplayName": label("Name"),
    }
    body = {
        "@odata.type": f"{_SPACE}.EntityMetadata",
        "SchemaName": "new_Consent",
        "DisplayName": label("Consent"),
        "DisplayCollectionName": label("Consents"),
        "OwnershipType": "UserOwned",
        "HasActivities": False,
        "HasNotes": False,
        "Attributes": [name],
    }
    answer = api.send("POST", "EntityDefinitions", body)
    assert answer.status_code == 204, answer.text


def _lookup(api: DynamicsApi, entity: str) -> None:
    """Add a lookup whose navigation property, in the case of its schema, is not its name."""
    body = {
        "@odata.type": f"{_SPACE}.OneToManyRelationshipMetadata",
        "SchemaName": f"new_{entity}_consent",
        "ReferencedEntity": entity,
        "ReferencedAttribute": f"{entity}id",
        "ReferencingEntity": TABLE,
        "Lookup": {
            "@odata.type": f"{_SPACE}.LookupAttributeMetadata",
            "SchemaName": f"new_{entity.capitalize()}",
            "DisplayName": label(entity.capitalize()),
        },
    }
    answer = api.send("POST", "RelationshipDefinitions", body)
    assert answer.status_code == 204, answer.text
