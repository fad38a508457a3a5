"""What is known of this connector before it is imported."""

from __future__ import annotations

from typing import Final

from bothways.spec import ConnectionForm, Declaration, Limits

DECLARATION: Final = Declaration(
    name="dotdigital",
    title="Dotdigital",
    roles=("marketing",),
    connector="bothways.connectors.dotdigital.connector.DotdigitalConnector",
    hook="bothways.connectors.dotdigital.hook.DotdigitalHook",
    capabilities=frozenset(
        {
            "AsksToConfirm",
            "CreatesFields",
            "Enrols",
            "ErasesContacts",
            "FindsCampaigns",
            "FindsContacts",
            "HasFields",
            "IdentifiesAccount",
            "HasLists",
            "ReadsCampaignEvents",
            "ReadsCampaigns",
            "ReadsContacts",
            "ReadsFormResponses",
            "ReadsForms",
            "ReadsListSuppressions",
            "ReadsOptIns",
            "ReadsPreferences",
            "ReadsPrograms",
            "ReadsScores",
            "ReadsSuppressions",
            "ReadsVisits",
            "SharesBudget",
            "WritesContacts",
            "WritesListMembers",
            "WritesPreferences",
        }
    ),
    # One import for one task.
    limits=Limits(chunk_rows=25_000, parallel=4),
    form=ConnectionForm(
        labels={
            "host": "API host",
            "login": "API user",
            "password": "API password",
        },
        placeholders={
            "host": "https://r1-api.dotdigital.com",
            "login": "apiuser-xxxxxxxxxxxx@apiconnector.com",
        },
    ),
)
