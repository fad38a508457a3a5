"""What is known of this connector before it is imported."""

from __future__ import annotations

from typing import Final

from bothways.spec import ConnectionForm, Declaration, Limits

DECLARATION: Final = Declaration(
    name="mailchimp",
    title="Mailchimp",
    roles=("marketing",),
    connector="bothways.connectors.mailchimp.connector.MailchimpConnector",
    hook="bothways.connectors.mailchimp.hook.MailchimpHook",
    capabilities=frozenset(
        {
            "AsksToConfirm",
            "CreatesFields",
            "ErasesContacts",
            "FindsCampaigns",
            "FindsContacts",
            "HasFields",
            "HasLists",
            "IdentifiesAccount",
            "ReadsCampaignEvents",
            "ReadsCampaigns",
            "ReadsContacts",
            "ReadsMemberTags",
            "ReadsOptIns",
            "ReadsScores",
            "ReadsSuppressions",
            "ReadsTags",
            "RegistersEvents",
            "SharesBudget",
            "WritesContacts",
            "WritesListMembers",
            "WritesMemberTags",
            "WritesTags",
        }
    ),
    # The vendor allows a user ten connections at a time (facts 0): five tasks by default, two
    # calls at once for each. A task creates 12,500 people and puts them on a list, 500 to a call.
    limits=Limits(chunk_rows=25_000, parallel=2, keep_rows=3_000),
    form=ConnectionForm(
        labels={"host": "API host", "password": "API key"},
        placeholders={
            "host": "https://us6.api.mailchimp.com (leave empty: the key names it)",
            "password": "0123456789abcdef0123456789abcdef-us6",
        },
        hidden=("schema", "login"),
    ),
    events="bothways.connectors.mailchimp.events:EVENTS",
)
