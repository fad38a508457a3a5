"""What is known of this connector before it is imported."""

from __future__ import annotations

from typing import Final

from bothways.spec import ConnectionForm, Declaration, Limits

DECLARATION: Final = Declaration(
    name="dynamics",
    title="Dynamics 365",
    roles=("crm",),
    connector="bothways.connectors.dynamics.connector.DynamicsConnector",
    hook="bothways.connectors.dynamics.hook.DynamicsHook",
    capabilities=frozenset(
        {
            "AssignsOwners",
            "CreatesColumns",
            "DeletesRecords",
            "ErasesContacts",
            "ErasesRecords",
            "ErasesSuppressions",
            "FindsContacts",
            "FindsOtherAddresses",
            "HasFields",
            "IdentifiesAccount",
            "HasLists",
            "Provisions",
            "ReadsColumns",
            "ReadsContacts",
            "ReadsDynamicLists",
            "ReadsListMembers",
            "ReadsListSuppressions",
            "ReadsRecords",
            "ReadsSuppressions",
            "RemovesDefinitions",
            "RegistersEvents",
            "SharesBudget",
            "UsesTables",
            "WritesConsents",
            "WritesContacts",
            "WritesListMembers",
            "WritesRecords",
            "WritesSuppressions",
        }
    ),
    # Ten bulk messages of 1,000 rows for one task; few at a time, since each runs for long.
    limits=Limits(chunk_rows=10_000, parallel=4, page_rows=5_000),
    form=ConnectionForm(
        labels={
            "host": "Environment URL",
            "login": "Client id",
            "password": "Client secret",
        },
        placeholders={
            "host": "https://yourorg.crm4.dynamics.com",
            "login": "Application (client) id of the app registration",
        },
        fields={
            "tenant": {
                "label": "Tenant",
                "description": "Directory (tenant) id or domain of the Microsoft Entra tenant.",
                "schema": {"type": "string", "minLength": 1},
            },
            "authority": {
                "label": "Authority URL",
                "description": "Where tokens come from: one of Microsoft's sign-in hosts; other"
                " than the default in national clouds only.",
                "schema": {
                    "type": ["string", "null"],
                    "format": "url",
                    "default": "https://login.microsoftonline.com",
                },
            },
            "publisher_prefix": {
                "label": "Publisher prefix",
                "description": "Begins the names of the columns and tables that Bothways creates.",
                "schema": {"type": ["string", "null"], "default": "bw"},
            },
            "solution": {
                "label": "Solution",
                "description": "Unique name of the unmanaged solution that they become part of;"
                " it is made where there is none.",
                "schema": {"type": ["string", "null"], "default": "Bothways"},
            },
        },
    ),
    events="bothways.connectors.dynamics.events:EVENTS",
)
