"""What `check --live` and `prepare` find out by asking the vendors, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bothways.cli import prepare as preparing_command
from bothways.cli import vendors
from bothways.cli.app import app
from bothways.cli.live import live_problems
from bothways.config.load import load_account
from bothways.connectors import preparing
from bothways.connectors.base import ConnectionSettings, Connector, FieldInfo
from bothways.connectors.opening import make_connector
from bothways.errors import ConfigurationError
from bothways.syncs.mapped_fields import complaint
from bothways.vocabulary import FieldType
from tests.support.configuration import DEMO, SHIPPED, SMALLEST, IncludeFolder
from tests.support.platforms import Mailchimp
from tests.support.sandbox import (
    DOTDIGITAL_PASSWORD,
    DOTDIGITAL_USER,
    DYNAMICS_CLIENT_ID,
    DYNAMICS_CLIENT_SECRET,
    DYNAMICS_TENANT,
    MAILCHIMP_KEY,
    SandboxServer,
)

PLATFORM_LOGINS = {
    "dotdigital": (DOTDIGITAL_USER, DOTDIGITAL_PASSWORD),
    "mailchimp": ("key", MAILCHIMP_KEY),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        server.reset(50)
        yield server


@pytest.fixture
def include(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxServer
) -> IncludeFolder:
    def open_connector(name: str, _connection: str) -> Connector:
        if name in PLATFORM_LOGINS:
            return make_connector(name, ConnectionSettings(sandbox.url, *PLATFORM_LOGINS[name]))
        extra = {"tenant": DYNAMICS_TENANT, "authority": sandbox.url}
        return make_connector(
            name,
            ConnectionSettings(sandbox.url, DYNAMICS_CLIENT_ID, DYNAMICS_CLIENT_SECRET, extra),
        )

    # Airflow's connections apart, everything is real.
    monkeypatch.setattr(vendors, "open_connector", open_connector)
    monkeypatch.setattr(vendors, "missing_connections", lambda _names: [])
    monkeypatch.setattr(preparing_command, "join_airflow", lambda: None)
    return IncludeFolder(tmp_path / "include", monkeypatch)


def problems(name: str) -> list[str]:
    return sorted({str(problem) for problem in live_problems(load_account(name), lambda _: None)})


def prepare() -> None:
    connector = vendors.open_connector("dynamics", "")
    preparing.prepare(connector)
    connector.close()


def test_a_crm_that_was_never_prepared_is_told_what_is_missing(
    include: IncludeFolder, sandbox: SandboxServer
) -> None:
    sandbox.reset(50)
    include.account("demo", DEMO)
    (found,) = problems("demo")
    assert found.startswith("accounts/demo.yaml:12 crm: not ready: ")
    assert "Table bw_suppression (6 columns, 2 relationships, 1 key), " in found
    assert found.endswith("; run `bothways prepare demo`")
    prepare()
    assert problems("demo") == []


def test_both_sides_say_who_they_are(include: IncludeFolder) -> None:
    prepare()
    include.account("demo", DEMO)
    said: list[str] = []
    list(live_problems(load_account("demo"), said.append))
    assert ["Dynamics 365" in said[0], "Dotdigital" in said[1]] == [True, True]


def test_lists_that_do_not_exist_are_named_with_their_line(include: IncludeFolder) -> None:
    prepare()
    include.account("demo", DEMO.replace("crm: Newsletter", "crm: Newsleter"))
    assert problems("demo") == [
        "accounts/demo.yaml:23 lists.newsletter.crm: There is no list `Newsleter`; "
        "did you mean `Newsletter`? Otherwise create it there or set `create_missing: true`."
    ]


def test_a_list_that_is_there_but_cannot_be_synced_says_why(include: IncludeFolder) -> None:
    prepare()
    include.account("demo", DEMO.replace("crm: Newsletter", "crm: Partners"))
    assert problems("demo") == [
        "accounts/demo.yaml:23 lists.newsletter.crm: `Partners` holds accounts; "
        "only a list of contacts or leads can be synced."
    ]


def test_columns_in_the_settings_of_a_sync_type_are_looked_up(include: IncludeFolder) -> None:
    prepare()
    text = DEMO.replace("contact: {score: new_contactscore}", "contact: {score: new_contactscor}")
    include.account("demo", text.replace("lead: new_optintype", "lead: donotbulkemail"))
    scoring, opt_in = problems("demo")
    assert scoring.endswith(
        " syncs.contact_scoring: Dynamics 365 has no field `new_contactscor` in the table contact; "
        "did you mean `new_contactscore`? Otherwise create it there, or remove it here"
    )
    assert opt_in.endswith(
        " syncs.opt_in: `donotbulkemail` of lead is of type boolean in Dynamics 365; "
        "name a field of type string"
    )


def test_events_that_would_be_refused_are_told(
    include: IncludeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare()
    include.account("demo", f"events: {{sync_types: [suppressions]}}\n{DEMO}")
    for extra, found in (
        ("{}", ["accounts/demo.yaml:1 events: no event of Dynamics 365 is accepted without "
                "`event_secrets`; run `bothways events demo`, and put what it writes into "
                "`demo_dynamics`"]),
        ('{"event_secrets": "a key"}', []),
    ):  # fmt: skip
        connection = f'{{"conn_type": "dynamics", "extra": {extra}}}'
        monkeypatch.setenv("AIRFLOW_CONN_DEMO_DYNAMICS", connection)
        assert problems("demo") == found


def test_mapped_users_are_looked_up(include: IncludeFolder) -> None:
    prepare()
    users = "users:\n  ada: {crm: ada@contoso.example, marketing: ada@x.example}\n"
    include.account("demo", DEMO + users)
    (problem,) = problems("demo")
    assert problem.endswith(
        " users.ada.crm: Dynamics 365 has no active user `ada@contoso.example`; "
        "write their sign-in name, their address or their id there"
    )


def test_the_table_of_consents_is_looked_up(include: IncludeFolder) -> None:
    prepare()
    line = "    lead: new_optintype\n"
    assert line in DEMO
    consents = "{table: new_consent, key: new_key, text: new_text, contact: new_contact}"
    include.account("demo", DEMO.replace(line, f"{line}    consents: {consents}\n"))
    (problem,) = problems("demo")
    assert problem.endswith(
        " syncs.opt_in: there is no table `new_consent`; "
        "put it right there, or correct the settings here"
    )


@pytest.mark.parametrize("accept_new", [True, False])
def test_new_people_of_a_list_need_a_mapping(include: IncludeFolder, accept_new: bool) -> None:
    prepare()
    text = DEMO.replace("  lead: dynamics_dotdigital/lead.yaml\n", "")
    text = text.replace("entity: lead  ", f"accept_new: {str(accept_new).lower()}  ")
    include.account("demo", text)
    expected = [
        "accounts/demo.yaml:26 lists.product_updates.crm: `Product updates` holds leads, and the "
        "account names no mapping for them; "
        "name one under `mappings`, or new leads get an address only"
    ]
    assert problems("demo") == (expected if accept_new else [])


def test_a_list_that_may_be_created_is_no_problem(include: IncludeFolder) -> None:
    prepare()
    text = DEMO.replace("crm: Newsletter", "crm: Newsleter\n    create_missing: true")
    include.account("demo", text)
    assert problems("demo") == []


def test_fields_are_held_to_what_the_vendors_have(include: IncludeFolder) -> None:
    prepare()
    include.account("demo", DEMO.replace("dynamics_dotdigital/contact.yaml", "own.yaml"))
    text = """\
entity: contact
fields:
  first_name: {crm: firstnam, marketing: FIRSTNAME}
  last_name: {crm: lastname, marketing: NO_SUCH_FIELD}
  birth_date: {crm: birthdate, marketing: BIRTHDATE, type: integer}
  job_title: {crm: jobtitle, marketing: JOBTITLE, max_length: 5000}
  gender: {crm: gendercode, marketing: GENDER, type: option, options: {1: Male, 77: Other}}
  full_name: {crm: fullname, marketing: FULLNAME}
  city: {crm: address1_city, marketing: citty, max_length: 80}
"""
    include.write("mappings/own.yaml", text)
    found = {line.partition(": ")[0]: line.partition(": ")[2] for line in problems("demo")}
    assert found.pop("mappings/own.yaml:9 fields.city.marketing") == (
        "Dotdigital has no field `citty`; "
        "did you mean `CITY`? Otherwise create it there, or remove it here"
    )
    assert found.pop("mappings/own.yaml:3 fields.first_name.crm") == (
        "Dynamics 365 has no field `firstnam`; "
        "did you mean `firstname`? Otherwise create it there, or remove it here"
    )
    assert "has no field `NO_SUCH_FIELD`" in found.pop(
        "mappings/own.yaml:4 fields.last_name.marketing"
    )
    assert found.pop("mappings/own.yaml:5 fields.birth_date.crm") == (
        "`birthdate` is of type date in Dynamics 365, and not integer; "
        "write `type:` as the vendor has it, or map another field"
    )
    found.pop("mappings/own.yaml:5 fields.birth_date.marketing")
    assert found.pop("mappings/own.yaml:6 fields.job_title.crm") == (
        "`jobtitle` takes 100 characters in Dynamics 365; write `max_length: 100`"
    )
    assert found.pop("mappings/own.yaml:7 fields.gender.crm").startswith(
        "`gendercode` has no option 77 in Dynamics 365; write options among 1: Male, 2: Female"
    )
    assert found.pop("mappings/own.yaml:8 fields.full_name.crm") == (
        "`fullname` is read-only in Dynamics 365; write `direction: to_marketing`"
    )
    assert list(found) in ([], ["mappings/own.yaml:8 fields.full_name.marketing"])


def test_a_mapped_audience_that_lacks_a_mapped_field_is_named(
    include: IncludeFolder, sandbox: SandboxServer
) -> None:
    sandbox.reset(50)
    prepare()
    text = (SHIPPED / "accounts" / "demo_mailchimp.yaml").read_text(encoding="utf-8")
    include.account("demo", text)
    assert problems("demo") == []
    Mailchimp(sandbox).delete_field("JOBTITLE", "Product updates")
    assert problems("demo") == [
        "accounts/demo.yaml:24 lists.audience_of_leads.marketing: `Product updates` has no field "
        "`JOBTITLE`, which is mapped; add it there, or take it out of the mapping"
    ]
    before, _, rest = text.partition("  audience_of_leads:")
    include.account("demo", f"{before}\nmappings:{rest.partition('mappings:')[2]}")
    assert problems("demo") == []


def test_one_side_out_of_reach_hides_nothing_of_the_other(
    include: IncludeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    include.account("demo", DEMO.replace("marketing: Newsletter", "marketing: Newsleter"))
    real = vendors.open_connector

    def refusing(name: str, connection: str) -> Connector:
        if name == "dynamics":
            raise ConfigurationError("The connection has no tenant; fill it in.")
        return real(name, connection)

    monkeypatch.setattr(vendors, "open_connector", refusing)
    assert [line.partition(": ")[0] for line in problems("demo")] == [
        "accounts/demo.yaml:14 crm.connection",
        "accounts/demo.yaml:24 lists.newsletter.marketing",
    ]


def test_wrong_credentials_are_a_problem_of_the_connection(
    include: IncludeFolder, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxServer
) -> None:
    include.account("demo", DEMO)

    def wrong(name: str, _connection: str) -> Connector:
        extra = {"tenant": DYNAMICS_TENANT, "authority": sandbox.url}
        return make_connector(
            name, ConnectionSettings(sandbox.url, DYNAMICS_CLIENT_ID, "hunter2-secret", extra)
        )

    monkeypatch.setattr(vendors, "open_connector", wrong)
    found = problems("demo")
    assert [line.partition(": ")[0] for line in found] == [
        "accounts/demo.yaml:14 crm.connection",
        "accounts/demo.yaml:17 marketing.connection",
    ]
    assert "hunter2" not in "".join(found)


def test_a_missing_connection_says_where_to_create_it(
    include: IncludeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    include.account("demo", DEMO)
    monkeypatch.setattr(vendors, "missing_connections", list)
    assert all("create it under Admin, Connections" in problem for problem in problems("demo"))


def test_text_on_the_platform_holds_any_type() -> None:
    from bothways.config.mapping import FieldMapping

    item = FieldMapping(crm="a", marketing="A", type=FieldType.DATE)
    known = {"A": FieldInfo("A", FieldType.STRING)}
    assert complaint("Anything", "marketing", item, known) is None


def prepare_command(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(app, ["prepare", "demo", *arguments], input=answer)


def test_prepare_shows_what_is_missing_asks_and_makes_it(
    include: IncludeFolder, sandbox: SandboxServer
) -> None:
    sandbox.reset(50)
    sandbox.settings({"dynamics": {"key_index_seconds": 0}})
    include.account("demo", DEMO)
    shown = prepare_command("--dry-run")
    assert shown.exit_code == 0
    assert "  Publisher with the prefix bw.\n" in shown.output
    assert "Dotdigital: nothing to prepare." in shown.output
    declined = prepare_command(answer="n\n")
    assert (declined.exit_code, "Nothing was created." in declined.output) == (1, True)
    assert "not ready" in problems("demo")[0]
    made = prepare_command(answer="y\n")
    assert made.exit_code == 0, made.output
    assert problems("demo") == []
    again = prepare_command("--yes")
    assert "Dynamics 365: already prepared." in again.output


def test_tables_are_made_for_the_sync_types_that_the_file_names(
    include: IncludeFolder, sandbox: SandboxServer
) -> None:
    sandbox.reset(0)
    include.account("demo", SMALLEST)
    everything = prepare_command("--dry-run").output
    assert ["Table bw_campaign " in everything, "Table bw_campaignevent " in everything] == [
        True
    ] * 2
    include.account("demo", SMALLEST + "schedules: {suppressions: {interval: 1h}}\n")
    some = prepare_command("--dry-run").output
    assert ["Table bw_suppression " in some, "Table bw_campaign " in some] == [True, False]


OTHER = SMALLEST + "schedules: {suppressions: {interval: 1h}}\n"


def test_remove_shows_what_would_go_asks_and_takes_it_away_but_what_other_accounts_use(
    include: IncludeFolder, sandbox: SandboxServer
) -> None:
    sandbox.reset(0)
    sandbox.settings({"dynamics": {"key_index_seconds": 0}})
    include.account("demo", DEMO)
    include.account("shop", OTHER)
    assert prepare_command("--yes").exit_code == 0
    shown = prepare_command("--remove", "--dry-run")
    assert "  Table bw_campaign with 0 rows.\n" in shown.output
    assert "keeps: Table bw_suppression with 0 rows, which account shop uses." in shown.output
    assert "Dotdigital: nothing to remove." in shown.output
    assert "Account demo is enabled: its runs will fail" in shown.output
    declined = prepare_command("--remove", answer="n\n")
    assert (declined.exit_code, "Nothing was removed." in declined.output) == (1, True)
    assert "already prepared" in prepare_command().output
    assert prepare_command("--remove", "--yes").exit_code == 0
    assert problems("shop") == []
    assert "not ready" in problems("demo")[0]

    include.account("shop", "crm: {connector: dynamics, connection: crm_connection")
    unknown = prepare_command("--remove", "--shared", "--yes")
    assert (unknown.exit_code, "account shop has problems" in unknown.output) == (1, True)
    named = "{connector: dynamics, connection: other, tables: {visit: {table: bw_suppression}}}"
    include.account(
        "shop", OTHER.replace("{connector: dynamics, connection: crm_connection}", named)
    )
    last = prepare_command("--remove", "--shared", "--yes")
    assert "bw_suppression with 0 rows, which account shop names as its own." in last.output
    include.account("shop", OTHER)
    assert "Table bw_suppression" in prepare_command("--remove", "--shared", "--yes").output
    assert "Publisher with the prefix bw.\n" in prepare_command("--dry-run").output
