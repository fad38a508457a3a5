"""What of an environment a webhook is registered for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bothways.connectors.base import EventsWanted, NamedTable
from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.connectors.dynamics.events import EVENTS
from bothways.vocabulary import Topic
from bothways.webhooks import Delivery
from tests.sandbox.dynamics_api import signed_in
from tests.support.people import Crm
from tests.support.receiver import Receiver
from tests.support.sandbox import SandboxServer

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
    assert told(connector, Topic.PEOPLE)[:2] == [
        "Bothways: Associate of any rows.", "Bothways: Disassociate of any rows.",
    ]  # fmt: skip


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


def test_members_of_lists_are_told_of_however_they_come_and_go(
    connector: DynamicsConnector, sandbox: SandboxServer
) -> None:
    sandbox.settings({"dynamics": {"webhooks_to_any_port": True}})
    crm = Crm(sandbox)
    ann, news = crm.contact("ann@mail.example"), crm.list_id("Newsletter")
    action, bound = "Microsoft.Dynamics.CRM", f"lists({news})"
    members = [{"@odata.type": f"{action}.contact", "contactid": ann}]
    named = {"List": {"@odata.type": f"{action}.list", "listid": news}, "Members": members}
    with Receiver() as receiver, signed_in(sandbox) as api:
        place = {"@odata.id": f"{api.root}/contacts({ann})"}
        list(connector.register(replace(wanted(Topic.PEOPLE), url=receiver.url)))
        for method, path, body in (
            ("POST", "AddListMembersList", named),
            ("POST", "RemoveListMembersList", named),
            ("POST", f"{bound}/{action}.AddMemberList", {"EntityId": ann}),
            ("POST", f"{bound}/{action}.RemoveMemberList", {"EntityId": ann}),
            ("POST", f"{bound}/listcontact_association/$ref", place),
            ("DELETE", f"{bound}/listcontact_association({ann})/$ref", None),
            ("POST", f"contacts({ann})/listcontact_association/$ref",
             {"@odata.id": f"{api.root}/{bound}"}),
        ):  # fmt: skip
            assert api.send(method, path, body).ok, path
        (row,) = api.rows("listmembers?$select=listmemberid")
        api.send("DELETE", f"listmembers({row['listmemberid']})")
        sent = receiver.wait(8)
    told = [EVENTS.changes(Delivery(one.body)) for one in sent]
    assert [[(one.topic, one.records) for one in news] for news in told] == [
        *[[(Topic.PEOPLE, (ann,))]] * 7,
        [(Topic.PEOPLE, ())],  # of whom, a membership that is gone does not say
    ]
