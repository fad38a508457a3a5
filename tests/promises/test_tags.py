"""Tags and interests: the platform's in the CRM, and the CRM's on the platform, once each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bothways.engine import keeping
from bothways.vocabulary import SIDES
from tests.promises.conftest import MakeWorld
from tests.sandbox.dynamics_api import DynamicsApi, signed_in
from tests.support.engine import Finished, World
from tests.support.people import Crm
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer

FOLLOW = {"tags": {"deletions": "follow"}}
LOST = {"after_write": 0.5, "share": {"timeout": 0.1}, "timeout_s": 0.05}


pytestmark = pytest.mark.parametrize("platform", ["mailchimp"], indirect=True)


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

    def member(self, email: str) -> dict[str, Any]:
        """Return the member's tags and chosen interests by name, and whether they may be mailed."""
        found = self._get(f"/lists/{self.audience}/members/{email}")
        return {"tags": sorted(tag["name"] for tag in found["tags"]), "status": found["status"]}

    def set(self, email: str, name: str, *, active: bool) -> None:
        body = {"tags": [{"name": name, "status": "active" if active else "inactive"}]}
        path = f"/lists/{self.audience}/members/{email}/tags"
        assert self._api.post(path, json=body).status_code == 204

    def rename(self, name: str, becomes: str) -> None:
        assert self._api.patch(self._of(name), json={"name": becomes}).status_code == 200

    def delete(self, name: str) -> None:
        assert self._api.delete(self._of(name)).status_code == 204

    def delete_category(self, title: str) -> None:
        (number,) = (
            row["id"] for row in self._get(self._categories)["categories"] if row["title"] == title
        )
        assert self._api.delete(f"{self._categories}/{number}").status_code == 204

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


def settled(world: World, sync_type: str = "tags") -> Finished:
    """Run until nothing is left to do, and return the first of the runs."""
    first = world.run(sync_type)
    assert first.status == "Completed", (first.message, first.jobs[["key", "error_message"]])
    for _ in range(4):
        last = world.run(sync_type)
        assert last.counts["errors"] == 0, last.jobs[["key", "error_message"]]
        if not sum(last.counts[name] for name in ("new", "updated", "deleted")):
            return first
    raise AssertionError(last.jobs[["kind", "target", "entity", "key", "values"]])


def test_tags_and_interests_are_there_once_on_both_sides_under_the_same_names(
    make_world: MakeWorld, sandbox: SandboxServer, tags: Tags
) -> None:
    world = make_world()
    settled(world)
    assert set(rows(sandbox)) == {"VIP", "Webinar guests"}
    audiences = rows(sandbox, "audience")
    assert set(audiences) == {"Newsletter", "Product updates"}
    assert audiences["Newsletter"]["bw_rating"] == 3
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
    assert run.message.startswith("1 tag created, 1 interest category created, 1 tag written"), run
    assert run.counts["ignored"] == {"no_parent": 2}
    assert set(tags.tags()) == {"VIP", "Webinar guests", "Gold", "Silver"}
    assert tags.interests() == {"Topics": ["Offers", "Events"], "Channels": ["Text messages"]}
    assert set(rows(sandbox)) == {"VIP", "Webinar guests", "Gold", "Silver", "Anywhere"}
    assert rows(sandbox)["Silver"]["bw_listid"].startswith(f"{tags.audience}:tag:")

    tags.set("ann@mail.example", "Silver", active=True)
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
    assert tags.tags()["Best"] == tags.tags()["Good"] == 1, "whoever has it keeps it"
    assert tags.interests() == {"Topics": ["Offers", "Fairs"], "Ways": ["Text messages"]}
    assert set(rows(sandbox)) == {"VIP", "Webinar guests", "Best", "Good", "Anywhere"}


def test_nothing_is_deleted_on_the_other_side_unless_the_account_says_so(
    make_world: MakeWorld, sandbox: SandboxServer, tags: Tags
) -> None:
    world = make_world()
    tags.tag("Gold")
    settled(world)
    with signed_in(sandbox) as api:
        assert api.send("DELETE", address(sandbox, "VIP")).status_code == 204
    tags.delete("Gold")
    run = settled(world)
    assert run.counts["ignored"] == {"deleted_in_crm": 1}
    assert set(tags.tags()) == {"VIP", "Webinar guests"}
    assert rows(sandbox)["Gold"]["bw_gone"] == 1

    tags.delete_category("Topics")
    world.configure(syncs=FOLLOW, guard={"removals": 4})
    run = world.run("tags")
    assert run.status == "Completed", run.message
    assert run.message.startswith("1 tag deleted"), run.message
    for told in ("1 tag row deleted", "1 interest category row deleted", "2 interest rows deleted"):
        assert told in run.message
    settled(world)
    assert not rows(sandbox, "interest") | rows(sandbox, "interestcategory")
    assert set(tags.tags()) == set(rows(sandbox)) == {"Webinar guests"}


def test_more_deletions_than_the_guard_allows_are_not_made(
    make_world: MakeWorld, sandbox: SandboxServer, tags: Tags
) -> None:
    world = make_world(syncs=FOLLOW, guard={"removals": 1})
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
    make_world: MakeWorld, sandbox: SandboxServer, tags: Tags
) -> None:
    world = make_world(settings={"retry_minutes": 0})
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


class Died(BaseException):
    """The process ends after a write, before it has recorded it."""


def test_a_process_that_dies_after_a_write_is_simply_run_again(
    make_world: MakeWorld, sandbox: SandboxServer, tags: Tags, monkeypatch: pytest.MonkeyPatch
) -> None:
    def died(*_given: object) -> None:
        raise Died

    world = make_world()
    settled(world)
    with signed_in(sandbox) as api:
        bound = {"bw_audienceid@odata.bind": f"/{address(sandbox, 'Newsletter', 'audience')}"}
        add(api, "bw_tags", "Mine", **bound)
    tags.tag("Theirs")
    world.open("tags", "died")
    planned = world.found("tags", "died")
    for side in SIDES:
        world.extract(planned, side)
    world.plan(planned)
    world.review(planned)
    for side in SIDES:
        with monkeypatch.context() as patched:
            patched.setattr(keeping, "keep_written", died)
            with pytest.raises(Died):
                world.apply(planned, side, 0)
        world.apply(planned, side, 0)
    world.close_run("tags", "died")
    run = world.finished("tags", "died")
    assert (run.status, run.counts["new"], run.counts["errors"]) == ("Completed", 2, 0)
    settled(world)
    assert set(tags.tags()) == set(rows(sandbox)) == {"VIP", "Webinar guests", "Mine", "Theirs"}


def test_whoever_gets_a_tag_on_one_side_has_it_on_the_other_until_it_is_taken_away(
    make_world: MakeWorld, sandbox: SandboxServer, tags: Tags, platform: Platform
) -> None:
    world, crm = make_world(settings={"retry_minutes": 0}), Crm(sandbox)
    ann, bob, cid, eve = (f"{name}@mail.example" for name in ("ann", "bob", "cid", "eve"))
    for email in (ann, bob, cid):
        platform.contact(email, "Newsletter")
    platform.act("unsubscribe", cid)
    people = {email: crm.contact(email) for email in (ann, bob, cid, eve)}
    tags.set(ann, "VIP", active=True)
    world.prepare_for("member_tags")
    settled(world)
    with signed_in(sandbox) as api:
        vip = {"bw_tagid@odata.bind": f"/{address(sandbox, 'VIP')}"}
        offers = {"bw_interestid@odata.bind": f"/{address(sandbox, 'Offers', 'interest')}"}
        for email in (cid, eve):
            of_person = {"bw_contactid@odata.bind": f"/contacts({people[email]})"}
            add(api, "bw_persontags", "mine", **vip, **of_person)
            add(api, "bw_personinterests", "mine", **offers, **of_person)
    run = settled(world, "member_tags")
    assert run.message.startswith("2 tags given, 1 person's tag written"), run.message
    assert run.counts["ignored"] == {"no_member": 2}
    assert tags.member(cid) == {"tags": ["VIP"], "status": "unsubscribed"}
    assert have(sandbox) == {people[ann], people[cid], people[eve]}

    tags.set(bob, "VIP", active=True)
    tags.set(cid, "VIP", active=False)
    with signed_in(sandbox) as api:
        (row,) = (row for row in rows_of(sandbox) if row["bw_contactid"] == people[ann])
        assert api.send("DELETE", f"bw_persontags({row['bw_persontagid']})").status_code == 204
    sandbox.faults({"*": {**LOST, "seed": 3}})
    for _ in range(3):
        world.run("member_tags")
    sandbox.faults()
    world.run("member_tags")
    settled(world, "member_tags")
    assert have(sandbox) == {people[bob], people[eve]}
    assert len(rows_of(sandbox)) == 2, "each once"
    assert [tags.member(email)["tags"] for email in (ann, bob, cid)] == [[], ["VIP"], []]


def rows_of(sandbox: SandboxServer) -> list[dict[str, Any]]:
    return sandbox.table("dynamics", "bw_persontag")


def have(sandbox: SandboxServer) -> set[str]:
    """Return the contacts who have a tag in the CRM."""
    return {row["bw_contactid"] for row in rows_of(sandbox)}
