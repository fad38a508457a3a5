"""Tags and interests: the platform's in the CRM, and the CRM's on the platform, once each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from bothways.connectors.base import ConnectionSettings, Connector
from bothways.connectors.mailchimp.connector import MailchimpConnector
from tests.promises.conftest import MakeWorld
from tests.sandbox.dynamics_api import DynamicsApi, signed_in
from tests.support.engine import Finished, World
from tests.support.sandbox import MAILCHIMP_KEY, SandboxServer

PLATFORM: dict[str, Any] = {
    "marketing": {"connector": "mailchimp", "connection": "demo_mailchimp"},
    "lists": {},
    "mappings": {},
}
FOLLOW = {"tags": {"deletions": "follow"}}
LOST = {"after_write": 0.5, "share": {"timeout": 0.1}, "timeout_s": 0.05}


@pytest.fixture
def world_of(
    make_world: MakeWorld, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., World]:
    """Makes an account whose platform has tags."""

    def connector(world: World, side: str) -> Connector:
        if side == "crm":
            return opened(world, side)
        settings = ConnectionSettings(sandbox.url, "", MAILCHIMP_KEY)
        return MailchimpConnector(settings, clock=world.clock(), policy=world.policy)

    opened = World.connector
    monkeypatch.setattr(World, "connector", connector)
    return partial(make_world, **PLATFORM)


@pytest.fixture
def tags(sandbox: SandboxServer) -> Iterator[Tags]:
    with sandbox.mailchimp() as api:
        yield Tags(api)


class Tags:
    """The tags and interests of the first audience, as people see them there."""

    def __init__(self, api: httpx.Client) -> None:
        self._api = api
        (self.audience,) = (
            row["id"] for row in self._get("/lists")["lists"] if row["name"] == "Newsletter"
        )
        self._tags = f"/lists/{self.audience}/segments"
        self._categories = f"/lists/{self.audience}/interest-categories"

    def _get(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self._api.get(path, params={"count": 1_000, **query})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def tags(self) -> dict[str, int]:
        """Return how many members have each tag, by its name."""
        rows = self._get(self._tags, type="static")["segments"]
        names = [row["name"] for row in rows]
        assert len(names) == len(set(names)), names
        return {row["name"]: row["member_count"] for row in rows}

    def interests(self) -> dict[str, list[str]]:
        """Return the interests by category."""
        return {
            row["title"]: [
                one["name"]
                for one in self._get(f"{self._categories}/{row['id']}/interests")["interests"]
            ]
            for row in self._get(self._categories)["categories"]
        }

    def tag(self, name: str, *emails: str) -> None:
        for email in emails:
            body = {"email_address": email, "status": "subscribed"}
            path = f"/lists/{self.audience}/members"
            assert self._api.post(path, json=body).status_code == 200
        body = {"name": name, "static_segment": list(emails)}
        assert self._api.post(self._tags, json=body).status_code == 200

    def rename(self, name: str, becomes: str) -> None:
        assert self._api.patch(self._of(name), json={"name": becomes}).status_code == 200

    def delete(self, name: str) -> None:
        assert self._api.delete(self._of(name)).status_code == 204

    def _of(self, name: str) -> str:
        rows = self._get(self._tags, type="static")["segments"]
        (number,) = (row["id"] for row in rows if row["name"] == name)
        return f"{self._tags}/{number}"


def rows(sandbox: SandboxServer, table: str = "tag") -> dict[str, dict[str, Any]]:
    """Return the rows of a table by name; each name is there once."""
    found = sandbox.table("dynamics", f"bw_{table}")
    by_name = {row["bw_name"]: row for row in found}
    assert len(by_name) == len(found), [row["bw_name"] for row in found]
    return by_name


def add(api: DynamicsApi, table: str, name: str, **values: Any) -> str:
    answer = api.send("POST", table, {"bw_name": name, **values})
    assert answer.status_code == 204, answer.text
    return str(answer.headers["OData-EntityId"])


def address(sandbox: SandboxServer, name: str, table: str = "tag") -> str:
    plural = f"{table.removesuffix('y')}ies" if table.endswith("y") else f"{table}s"
    return f"bw_{plural}({rows(sandbox, table)[name][f'bw_{table}id']})"


def settled(world: World) -> Finished:
    """Run until nothing is left to do, and return the first of the runs."""
    first = world.run("tags")
    assert first.status == "Completed", (first.message, first.jobs[["key", "error_message"]])
    for _ in range(4):
        last = world.run("tags")
        assert last.counts["errors"] == 0, last.jobs[["key", "error_message"]]
        if not sum(last.counts[name] for name in ("new", "updated", "deleted")):
            return first
    raise AssertionError(last.jobs[["kind", "target", "entity", "key", "values"]])


def test_tags_and_interests_are_there_once_on_both_sides_under_the_same_names(
    world_of: Callable[..., World], sandbox: SandboxServer, tags: Tags
) -> None:
    world = world_of()
    settled(world)
    assert set(rows(sandbox)) == {"VIP", "Webinar guests"}
    assert set(rows(sandbox, "audience")) == {"Newsletter", "Product updates"}
    assert set(rows(sandbox, "interestcategory")) == {"Topics"}
    assert set(rows(sandbox, "interest")) == {"Offers", "Events"}
    tags.tag("Gold", "ann@mail.example")
    with signed_in(sandbox) as api:
        audience = address(sandbox, "Newsletter", "audience")
        bound = {"bw_audienceid@odata.bind": f"/{audience}"}
        add(api, "bw_tags", "Silver", **bound)
        add(api, "bw_tags", "gold", **bound)  # which the platform has
        add(api, "bw_tags", "Anywhere")  # of two audiences
        category = add(api, "bw_interestcategories", "Channels", **bound)
        bound = {"bw_interestcategoryid@odata.bind": category}
        add(api, "bw_interests", "Text messages", **bound)
    run = settled(world)
    assert run.message.startswith("1 tag made, 1 interest category made, 1 tag written"), run
    assert run.counts["ignored"] == {"no_parent": 2}
    assert set(tags.tags()) == {"VIP", "Webinar guests", "Gold", "Silver"}
    assert tags.interests() == {"Topics": ["Offers", "Events"], "Channels": ["Text messages"]}
    assert set(rows(sandbox)) == {"VIP", "Webinar guests", "Gold", "Silver", "Anywhere"}
    assert rows(sandbox)["Silver"]["bw_listid"].startswith(f"{tags.audience}:tag:")

    tags.rename("Gold", "Best")
    with signed_in(sandbox) as api:
        for place, name in (
            (address(sandbox, "Silver"), "Good"),
            (address(sandbox, "Channels", "interestcategory"), "Ways"),
            (address(sandbox, "Events", "interest"), "Fairs"),
        ):
            assert api.send("PATCH", place, {"bw_name": name}).status_code == 204
    run = settled(world)
    told = "1 tag renamed, 1 interest category renamed, 1 interest renamed, 1 tag written"
    assert run.message.startswith(told), run.message
    assert set(tags.tags()) == {"VIP", "Webinar guests", "Best", "Good"}
    assert tags.tags()["Best"] == 1, "whoever has it keeps it"
    assert tags.interests() == {"Topics": ["Offers", "Fairs"], "Ways": ["Text messages"]}
    assert set(rows(sandbox)) == {"VIP", "Webinar guests", "Best", "Good", "Anywhere"}


def test_nothing_is_deleted_on_the_other_side_unless_the_account_says_so(
    world_of: Callable[..., World], sandbox: SandboxServer, tags: Tags
) -> None:
    world = world_of()
    tags.tag("Gold")
    settled(world)
    with signed_in(sandbox) as api:
        assert api.send("DELETE", address(sandbox, "VIP")).status_code == 204
    tags.delete("Gold")
    run = settled(world)
    assert run.counts["ignored"] == {"deleted_in_crm": 1}
    assert set(tags.tags()) == {"VIP", "Webinar guests"}
    assert rows(sandbox)["Gold"]["bw_gone"] == 1

    world.configure(**PLATFORM, syncs=FOLLOW, guard={"removals": 1})
    run = world.run("tags")
    assert run.status == "Completed", run.message
    assert "1 tag deleted" in run.message
    settled(world)
    assert set(tags.tags()) == set(rows(sandbox)) == {"Webinar guests"}


def test_more_deletions_than_the_guard_allows_are_not_made(
    world_of: Callable[..., World], sandbox: SandboxServer, tags: Tags
) -> None:
    world = world_of(syncs=FOLLOW, guard={"removals": 1})
    for name in ("Gold", "Silver"):
        tags.tag(name)
    settled(world)
    with signed_in(sandbox) as api:
        for name in ("Gold", "Silver"):
            assert api.send("DELETE", address(sandbox, name)).status_code == 204
    run = world.run("tags")
    assert run.status == "Failed"
    assert "2 removals planned" in run.message
    assert set(tags.tags()) == {"VIP", "Webinar guests", "Gold", "Silver"}


def test_a_lost_answer_doubles_nothing(
    world_of: Callable[..., World], sandbox: SandboxServer, tags: Tags
) -> None:
    world = world_of(settings={"retry_minutes": 0})
    settled(world)
    with signed_in(sandbox) as api:
        bound = {"bw_audienceid@odata.bind": f"/{address(sandbox, 'Newsletter', 'audience')}"}
        for number in range(5):
            add(api, "bw_tags", f"Mine {number}", **bound)
            tags.tag(f"Theirs {number}")
    sandbox.faults({"*": {**LOST, "seed": 5}})
    for _ in range(3):
        world.run("tags")
    sandbox.faults()
    world.run("tags")
    settled(world)
    assert set(tags.tags()) == set(rows(sandbox))
    assert len(tags.tags()) == 12
