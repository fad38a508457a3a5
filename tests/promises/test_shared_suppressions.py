"""Two accounts on one CRM, each with a platform: an unsubscribe reaches both, if they share."""

from __future__ import annotations

from dataclasses import dataclass

from tests.promises.conftest import MakeWorld
from tests.support.engine import Finished, World
from tests.support.people import Crm
from tests.support.platforms import Mailchimp
from tests.support.sandbox import SandboxServer

ANN, BOB, EVE = "ann@mail.example", "bob@mail.example", "eve@mail.example"
AUDIENCES = {
    "news": {"crm": "Newsletter", "marketing": "Newsletter"},
    "products": {"crm": "Product updates", "marketing": "Product updates"},
}
LOST = {"*": {"after_write": 0.2, "share": {"500": 0.05, "429": 0.05}, "seed": 3}}


@dataclass
class Accounts:
    """`shop` has Dotdigital and `news` has Mailchimp; Ann and Bob are known everywhere."""

    shop: World
    news: World
    crm: Crm
    sandbox: SandboxServer

    def round(self, **options: bool) -> list[Finished]:
        """A run of each account."""
        runs = [world.run("suppressions", **options) for world in (self.shop, self.news)]
        assert [run.status for run in runs] == ["Completed"] * 2, [run.message for run in runs]
        return runs

    def in_audiences(self, email: str) -> dict[str, str]:
        """The statuses of a person in Mailchimp, by audience."""
        names = {row["id"]: row["name"] for row in self.sandbox.table("mailchimp", "lists")}
        return {
            names[row["list_id"]]: row["status"]
            for row in self.sandbox.table("mailchimp", "members")
            if row["email"] == email
        }


def accounts(make_world: MakeWorld, sandbox: SandboxServer, *, share: bool) -> Accounts:
    settings = {"share_suppressions": share}
    shop = make_world(title="Shop", settings=settings)
    news = World(
        sandbox, shop.store_url, shop.folder, store=shop.store, name="news",
        platform=Mailchimp(sandbox), title="News", settings=settings, lists=AUDIENCES,
    )  # fmt: skip
    crm = Crm(sandbox)
    for email in (ANN, BOB):
        crm.contact(email)
        shop.platform.contact(email, "Newsletter")
        news.platform.contact(email, *(item["marketing"] for item in AUDIENCES.values()))
    return Accounts(shop, news, crm, sandbox)


def cut_off(world: World) -> None:
    """A run that is killed once the CRM has been written, and never started again."""
    world.open("suppressions", "cut off")
    run = world.found("suppressions", "cut off")
    for side in run.sync.read_roles:
        world.extract(run, side)
    world.plan(run)
    for chunk in world.review(run):
        world.apply(run, "crm", chunk, last=True)


def test_an_unsubscribe_on_one_platform_reaches_the_other_and_comes_to_rest(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    """Though answers are lost meanwhile, and a run ends after its first write."""
    both = accounts(make_world, sandbox, share=True)
    both.shop.platform.act("unsubscribe", ANN)
    both.news.platform.act("unsubscribe", BOB, list="Newsletter")
    sandbox.faults(LOST)
    cut_off(both.news)
    shop, news = both.round()
    both.round()
    sandbox.faults()
    both.round()
    assert both.in_audiences(ANN) == dict.fromkeys(
        ("Newsletter", "Product updates"), "unsubscribed"
    )
    assert both.in_audiences(BOB) == both.in_audiences(ANN), "all audiences, as the record says"
    statuses = both.shop.platform.statuses()
    assert (statuses[ANN], statuses[BOB]) == ("unsubscribed", "suppressed")
    assert {row["donotbulkemail"] for row in both.crm.table("contact")} == {1}
    origins = {email: row["bw_origin"] for email, row in both.crm.suppressions().items()}
    assert origins == {ANN: "Dotdigital (Shop)", BOB: "Mailchimp, Newsletter (News)"}
    jobs = news.jobs_of(email=ANN, kind="suppress", target="marketing")
    assert [job["origin"] for job in jobs["after"]] == ["Dotdigital (Shop)"] * 2
    (job,) = shop.jobs_of(email=BOB, kind="suppress", target="marketing").to_dict("records")
    assert job["after"] == {"do_not_mail": True, "origin": "Mailchimp, Newsletter (News)"}
    for run in both.round():
        assert run.jobs["kind"].dropna().empty, run.jobs[["email", "kind", "target"]]

    # Who comes back on one platform is mailable there and nowhere else, even if all is read again.
    both.shop.platform.act("resubscribe", ANN)
    assert both.shop.run("marketing_lists").status == "Completed"
    for run in both.round(full_resync=True):
        assert run.jobs["kind"].dropna().empty, run.jobs[["email", "kind", "target"]]
    assert both.shop.platform.statuses()[ANN] == "mailable"
    assert set(both.in_audiences(ANN).values()) == {"unsubscribed"}
    assert both.crm.person(ANN)["donotbulkemail"] == 1, "a user's to clear"


def test_accounts_that_do_not_share_keep_what_people_added_and_leave_the_rest(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    both = accounts(make_world, sandbox, share=False)
    both.shop.platform.act("unsubscribe", ANN)
    both.news.platform.act("unsubscribe", BOB, list="Newsletter")
    both.crm.suppression(EVE)
    _, news = both.round()
    (left,) = news.jobs_of(reason="not_shared").to_dict("records")
    assert (left["email"], left["error_message"]) == (ANN, "Reported by Dotdigital (Shop).")
    both.round()
    assert set(both.in_audiences(ANN).values()) == {"subscribed"}
    assert both.in_audiences(BOB)["Product updates"] == "subscribed"
    assert both.shop.platform.statuses()[BOB] == "mailable"
    assert both.crm.suppressions().keys() == {ANN, EVE}
    assert both.shop.platform.statuses()[EVE] == "suppressed"
    assert set(both.in_audiences(EVE).values()) == {"unsubscribed"}

    # Once they share, what was told before is carried over too.
    for world, lists in ((both.shop, {}), (both.news, {"lists": AUDIENCES})):
        world.configure(settings={"share_suppressions": True}, **lists)
    both.round()
    both.round()
    assert set(both.in_audiences(ANN).values()) == {"unsubscribed"}
    assert both.shop.platform.statuses()[BOB] == "suppressed"
