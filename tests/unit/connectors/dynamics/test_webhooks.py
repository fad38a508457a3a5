"""What of an environment a webhook is registered for."""

from __future__ import annotations

from typing import Any

from bothways.connectors.base import EventsWanted, NamedTable
from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.vocabulary import Topic

URL = "https://airflow.example/bothways/events/acme/crm"


def wanted(*topics: Topic, **more: Any) -> EventsWanted:
    return EventsWanted(url=URL, topics=frozenset(topics), secret="a key", **more)


def told(connector: DynamicsConnector, *topics: Topic) -> list[str]:
    return connector.unregistered(wanted(*topics))[1:]  # but for the endpoint


def test_tables_of_ours_are_told_of_by_what_is_in_them(connector: DynamicsConnector) -> None:
    assert told(connector, Topic.CONSENT) == [
        "Bothways: Create of bw_suppression.", "Bothways: Update of bw_suppression.",
    ]  # fmt: skip
    assert told(connector, Topic.TAGS)[:3] == [
        "Bothways: Create of bw_tag.",
        "Bothways: Update of bw_tag, where one of bw_name is set.",
        "Bothways: Delete of bw_tag.",
    ]
    assert len(told(connector, Topic.TAGS)) == 9
    # What the account calls a table tells nothing of what is in it.
    connector.use_tables({"tag": NamedTable("contoso_label")})
    assert len(told(connector, Topic.TAGS)) == 6
    assert told(connector, Topic.CAMPAIGNS) == []


def test_a_column_that_the_mapping_gains_is_told_of_from_then_on(
    connector: DynamicsConnector,
) -> None:
    first = wanted(Topic.PEOPLE, fields={"contact": ["jobtitle"]})
    (access,) = connector.register(first)
    assert (access.secret, len(access.user)) == ("a key", 36)
    assert connector.unregistered(first) == []
    more = wanted(Topic.PEOPLE, fields={"contact": ["jobtitle", "firstname"]})
    columns = "donotbulkemail,emailaddress1,firstname,jobtitle,statecode"
    sentence = f"Bothways: Update of contact, where one of {columns} is set."
    assert connector.unregistered(more) == [sentence]
    assert [one.secret for one in connector.register(more)] == [""]
    assert connector.unregistered(more) == []
