"""Every broken file ends in problems that name file, line, key and what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bothways.config.load import all_problems, load_account, load_accounts
from bothways.config.problems import FileProblems
from bothways.discovery import connectors, record_kinds, sync_types
from tests.support.configuration import DEMO, SMALLEST, IncludeFolder

ACCOUNT_KEYS = (
    "Allowed: approvers, crm, default, description, enabled, events, guard, ignore, lists, "
    "mappings, marketing, name, schedules, settings, syncs, systems, timezone, title, users."
)
LIST_KEYS = (
    "Allowed: accept_new, create_missing, crm, double_opt_in, entity, marketing, syncs, tag, "
    "when_left."
)
INTERVALS = "15m, 30m, 1h, 2h, 4h, 6h, 8h, 12h, daily, weekly, monthly, once"
LOOK = "look at this line and the one above: indentation, colons, quotes and brackets"
NAME_RULE = "use up to 40 lower-case letters, digits and _, starting with a letter"
RECORDS = ", ".join(record_kinds())
SYNC_TYPES = ", ".join(sorted(sync_types()))
WITH_SETTINGS = ", ".join(sorted(name for name, sync in sync_types().items() if sync.settings))
WOKEN = ", ".join(sorted(name for name, sync in sync_types().items() if sync.woken_by))
LISTS = SMALLEST + "lists:\n"

# text of accounts/x.yaml → the problems, without "accounts/x.yaml:"
BROKEN: dict[str, tuple[str | bytes, list[str]]] = {
    "not YAML": ("crm: [\n", [f"2: not YAML (did not find expected node content); {LOOK}"]),
    "a tab": ("crm:\n\tconnector: x\n", ["2: a tab in the indentation; indent with spaces"]),
    "empty": (
        "# to be written\n",
        ["1: is empty; write the keys of docs/configuring.md, or remove it"],
    ),
    "a list": (
        "- a\n",
        [("1: expected `key: value` lines; start each line with a key and a colon")],
    ),
    "text": ("hello", [("1: expected `key: value` lines; start each line with a key and a colon")]),
    "not UTF-8": (b"crm:\n  \xff\xfe", ["2: is not UTF-8 text; save the file as UTF-8"]),
    "NUL": ("a: \0", [f"1: not YAML (control characters are not allowed); {LOOK}"]),
    "two documents": (
        "---\na: 1\n---\nb: 2\n",
        ["3: a second document begins; remove the line `---`"],
    ),
    "a value with a tag": (
        SMALLEST + "title: !!python/name:os.system x\n",
        ["3 title: is not a value that YAML can read; put it in quotes"],
    ),
    "a date that does not exist": (
        SMALLEST + "title: 2026-02-31\n",
        ["3 title: is not a value that YAML can read; put it in quotes"],
    ),
    "an alias of itself": (
        "a: &a [*a]\n",
        ["1: is nested too deeply; use the keys of docs/configuring.md only"],
    ),
    "a key twice": (
        SMALLEST + "title: A\nsettings:\n  retry_minutes: 1\n  retry_minutes: 2\ntitle: B\n",
        [
            "6 settings.retry_minutes: duplicate of line 5; keep one of the two",
            "7 title: duplicate of line 3; keep one of the two",
        ],
    ),
    "an unknown key": (
        LISTS + "  news:\n    crm: A\n    marketing: B\n    entty: lead\n",
        [f"7 lists.news.entty: unknown key; did you mean `entity`? {LIST_KEYS}"],
    ),
    "an unknown key at the top": (
        SMALLEST + "schedule: {}\n",
        [f"3 schedule: unknown key; did you mean `schedules`? {ACCOUNT_KEYS}"],
    ),
    "events that start nothing": (
        SMALLEST + "events:\n  sync_types: [suppressions, verify, suppresions]\n"
        "  quiet_seconds: 90\n",
        [
            "3 events: `at_most_seconds` (60) is less than `quiet_seconds` (90); raise it",
            f"4 events.sync_types.1: `verify`: no event starts it; Allowed: {WOKEN}.",
            "4 events.sync_types.2: `suppresions`: unknown sync type; did you mean "
            f"`suppressions`? Allowed: {WOKEN}.",
        ],
    ),
    "users that are nobody": (
        SMALLEST
        + "users:\n  ada: {crn: a@x.example}\n  bob: {crm: {usr: b}}\n"
        + "  cid: {crm: {user: c, page: crm.example/c}}\n"
        + "settings: {record_owner: adda}\n",
        [
            "4 users.ada.crn: the account has no system in this role; did you mean `crm`? "
            "Allowed: crm, marketing.",
            "5 users.bob.crm.user: is missing; add `user:` with its value",
            "5 users.bob.crm.usr: unknown key; did you mean `user`? Allowed: page, user.",
            "6 users.cid.crm.page: is no web address; write all of it, from https:// on",
            "7 settings.record_owner: `adda` is not among the account's `users`; "
            "did you mean `ada`? Allowed: ada, bob, cid.",
        ],
    ),
    "sides that are missing or of no use": (
        "crm:\nmarketing: 3\n",
        [
            "1 crm: has no value; write one, or remove the key",
            "2 marketing: must be `key: value` lines, not a number; write its keys on "
            "separate lines, indented",
        ],
    ),
    "no systems": (
        "title: A\n",
        [
            "1: has no system, with which no sync type can run; add `crm:` with its connector and "
            "connection and add `marketing:` with its connector and connection"
        ],
    ),
    "a system without its counterpart": (
        "systems:\n  marketing: {connector: dotdigital, connection: b}\n",
        [
            "1: has `marketing` only, with which no sync type can run; "
            "add `crm:` with its connector and connection"
        ],
    ),
    "a role that is given twice": (
        SMALLEST + "systems:\n  crm: {connector: dynamics, connection: c}\n",
        ["4 systems.crm: `crm` is given at the top of the file as well; keep one of the two"],
    ),
    "a role that there is not": (
        SMALLEST + "systems:\n  markting: {connector: dotdigital, connection: b, paralel: 1}\n",
        [
            "4 systems.markting: no sync type has this role; "
            "did you mean `marketing`? Allowed: crm, marketing.",
            "4 systems.markting.paralel: unknown key; did you mean `parallel`? "
            "Allowed: connection, connector, parallel, tables.",
        ],
    ),
    "tables of records that there are not": (
        SMALLEST.replace(
            "connection: crm_connection",
            "connection: crm_connection, tables: {campain: {}, campaign: {columns: {topic: a}}}",
        ),
        [f"1 crm.tables: names `campain`, and there are no such records; use {RECORDS}"],
    ),
    "wrong systems in the long form": (
        "systems:\n  crm: {connector: dynamics, connection: a, parallel: 0}\n"
        "  marketing: {connector: dotdigitl, connection: a}\n",
        [
            "2 systems.crm.parallel: `0` is too small; write 1 or more",
            "3 systems.marketing.connection: `a` is also the connection of `crm`; "
            "name a different connection",
            "3 systems.marketing.connector: there is no connector `dotdigitl`; "
            "did you mean `dotdigital`? Allowed: dotdigital, mailchimp.",
        ],
    ),
    "a key that is missing": (
        "crm:\n  connector: dynamics\nmarketing: {connector: dotdigital, connection: b}\n",
        ["1 crm.connection: is missing; add `connection:` with its value"],
    ),
    "a number where text is due": (
        SMALLEST + "title: 5\n",
        ["3 title: must be text, not a number; put the value in quotes"],
    ),
    "a YAML word where a number is due": (
        SMALLEST + "guard: {removals: yes}\n",
        ["3 guard.removals: must be a whole number, not the YAML word true; write digits only"],
    ),
    "numbers out of bounds": (
        SMALLEST + "settings:\n  audit_retention_days: 0\nguard: {removals_percent: 120}\n",
        [
            "4 settings.audit_retention_days: `0` is too small; write 1 or more",
            "5 guard.removals_percent: `120` is too large; write 100.0 or less",
        ],
    ),
    "settings of a sync type that are wrong": (
        SMALLEST + "syncs:\n  opt_in:\n    contact: new_optin\n    overwrite: sometimes\n"
        "    leed: new_optin\n  verify: {}\n  scoring: {}\n",
        [
            "6 syncs.opt_in.overwrite: must be true or false, not text; write true or false "
            "without quotes",
            "7 syncs.opt_in.leed: unknown key; did you mean `lead`? "
            "Allowed: consents, contact, lead, overwrite, status, unsubscribe_reason, values.",
            f"8 syncs.verify: has no settings; Allowed: {WITH_SETTINGS}.",
            "9 syncs.scoring: unknown sync type; did you mean `contact_scoring`? "
            f"Allowed: {WITH_SETTINGS}.",
        ],
    ),
    "settings that do not go together": (
        SMALLEST + "syncs:\n  data_labels:\n    columns: {new_shoe: {name: SHOE}}\n",
        [
            "4 syncs.data_labels: `columns` is only for `labels: columns`; write that, or remove "
            "`columns`",
        ],
    ),
    "a connector that there is not": (
        SMALLEST.replace("dynamics", "dynamic"),
        [
            "1 crm.connector: there is no connector `dynamic`; "
            "did you mean `dynamics`? Allowed: dynamics."
        ],
    ),
    "a connector of the wrong side": (
        SMALLEST.replace("dynamics", "dotdigital"),
        ["1 crm.connector: `dotdigital` is not a connector for `crm`; Allowed: dynamics."],
    ),
    "a sync type that there is not": (
        SMALLEST + "schedules:\n  supressions: {interval: 1h}\n",
        [
            "4 schedules.supressions: unknown sync type; "
            f"did you mean `suppressions`? Allowed: {SYNC_TYPES}."
        ],
    ),
    "a guard for a sync type that there is not": (
        SMALLEST + "guard:\n  sync_types:\n    webinars: {removals: 1}\n",
        [f"5 guard.sync_types.webinars: unknown sync type; Allowed: {SYNC_TYPES}."],
    ),
    "a cron string": (
        SMALLEST + "schedules:\n  suppressions:\n    interval: '*/5 * * * *'\n",
        [
            "5 schedules.suppressions.interval: interval '*/5 * * * *' is a cron string; "
            f"write one of {INTERVALS}, and put days and hours in `window`"
        ],
    ),
    "neither an interval nor after": (
        SMALLEST + "schedules: {suppressions: {}}\n",
        [
            "3 schedules.suppressions: says neither how often nor after what it runs; add "
            f"`interval:` ({INTERVALS}) or `after:` with a sync type"
        ],
    ),
    "after, with a clock": (
        SMALLEST + "schedules: {marketing_lists: {after: suppressions, window: {days: mon}}}\n",
        [
            "3 schedules.marketing_lists: `window` does not go with `after`, which starts a run as "
            "soon as the other sync has run; keep one of the two"
        ],
    ),
    "after nothing": (
        SMALLEST + "schedules: {marketing_lists: {after: []}}\n",
        [
            "3 schedules.marketing_lists.after: after is empty; name a sync type, "
            "or give an `interval` instead"
        ],
    ),
    "after a number": (
        SMALLEST + "schedules: {marketing_lists: {after: [5]}}\n",
        [
            "3 schedules.marketing_lists.after: after must name sync types; write one, "
            "or several in [brackets]"
        ],
    ),
    "after an unknown sync type": (
        SMALLEST + "schedules: {marketing_lists: {after: supressions}}\n",
        [
            "3 schedules.marketing_lists.after: unknown sync type `supressions`; "
            f"did you mean `suppressions`? Allowed: {SYNC_TYPES}."
        ],
    ),
    "after itself": (
        SMALLEST + "schedules: {marketing_lists: {after: [suppressions, marketing_lists]}}\n",
        [
            "3 schedules.marketing_lists.after: `marketing_lists` cannot run after itself; "
            "name another sync type, or give an `interval`"
        ],
    ),
    "in a circle": (
        SMALLEST + "schedules:\n  campaigns: {after: opt_in}\n  opt_in: {after: marketing_lists}\n"
        "  marketing_lists: {after: [suppressions, opt_in]}\n",
        [
            "5 schedules.opt_in.after: runs in a circle, so that none of it ever starts: `opt_in` "
            "after `marketing_lists` after `opt_in`; give one of them an `interval` instead"
        ],
    ),
    "after what it runs first itself": (
        SMALLEST + "syncs: {data_labels: {labels: rows}}\nschedules:\n"
        "  marketing_lists: {after: opt_in}\n  opt_in: {after: data_labels}\n",
        [
            "5 schedules.marketing_lists.after: never comes to rest, since `marketing_lists` "
            "itself runs `data_labels` first: `marketing_lists` after `opt_in` after "
            "`data_labels`; give it an `interval` instead"
        ],
    ),
    "a number as an interval": (
        SMALLEST + "schedules: {suppressions: {interval: 90}}\n",
        [f"3 schedules.suppressions.interval: interval 90 has no unit; write one of {INTERVALS}"],
    ),
    "a zone that there is not": (
        SMALLEST + "timezone: Europe/Londn\n",
        [
            "3 timezone: timezone 'Europe/Londn' is unknown; write UTC or a name such as "
            "Europe/London; did you mean Europe/London?"
        ],
    ),
    "a zone without a name": (
        SMALLEST + "timezone:\n",
        ["3 timezone: has no value; write one, or remove the key"],
    ),
    "an interval of several words": (
        SMALLEST + "schedules: {suppressions: {interval: [1h, 2h]}}\n",
        [f"3 schedules.suppressions.interval: interval must be one word; write one of {INTERVALS}"],
    ),
    "one connection for both sides": (
        SMALLEST.replace("platform_connection", "crm_connection"),
        [
            "2 marketing.connection: `crm_connection` is also the connection of `crm`; "
            "name a different connection"
        ],
    ),
    "names of blanks": (
        LISTS.replace("platform_connection", "' '") + "  a: {crm: '  ', marketing: A}\n",
        [
            "2 marketing.connection: is empty; write a name, or remove the key",
            "4 lists.a.crm: is empty; write a name, or remove the key",
        ],
    ),
    "a list mapped twice": (
        LISTS + "  a: {crm: News, marketing: A}\n  b: {crm: ' news', marketing: B}\n",
        ["5 lists.b.crm: ` news` is already mapped by `a`; map each list once"],
    ),
    "a list with words that are not allowed": (
        LISTS + "  a: {crm: A, marketing: B, entity: leed, syncs: [adress_books]}\n",
        [
            "4 lists.a.entity: `leed` is not allowed; did you mean `lead`? Allowed: contact, lead.",
            "4 lists.a.syncs.0: `adress_books` is not allowed; did you mean "
            "`address_books`? Allowed: address_books, marketing_lists.",
        ],
    ),
    "a list under an invalid name": (
        LISTS + "  My list: {crm: A, marketing: B}\n",
        [f"4 lists.My list: `My list` is not a valid name; {NAME_RULE}"],
    ),
    "a mapping file that there is not": (
        SMALLEST + "mappings:\n  contact: dynamics_dotdigital/contct.yaml\n",
        [
            "4 mappings.contact: there is no file `dynamics_dotdigital/contct.yaml` in mappings/; "
            "did you mean `dynamics_dotdigital/contact.yaml`? "
            "Allowed: dynamics_dotdigital/contact.yaml, dynamics_dotdigital/lead.yaml, "
            "dynamics_mailchimp/contact.yaml, dynamics_mailchimp/lead.yaml."
        ],
    ),
    "a mapping file outside of the folder": (
        SMALLEST + "mappings: {contact: ../accounts/x.yaml}\n",
        [
            "3 mappings.contact: there is no file `../accounts/x.yaml` in mappings/; "
            "Allowed: dynamics_dotdigital/contact.yaml, dynamics_dotdigital/lead.yaml, "
            "dynamics_mailchimp/contact.yaml, dynamics_mailchimp/lead.yaml."
        ],
    ),
    "a mapping of another entity": (
        SMALLEST + "mappings: {contact: dynamics_dotdigital/lead.yaml}\n",
        [
            "3 mappings.contact: mappings/dynamics_dotdigital/lead.yaml maps `lead`; "
            "name it as `lead`, or name a mapping of `contact` here"
        ],
    ),
    "a mapping written in place": (
        SMALLEST + "mappings: {contact: {fields: {}}}\n",
        [
            "3 mappings.contact: is not a file name; write its path below mappings/, such "
            "as dynamics_dotdigital/contact.yaml"
        ],
    ),
    "another account's name": (
        "name: y\n" + SMALLEST,
        [
            "1 name: `y` differs from the file name; write `name: x`, leave it out, "
            "or rename the file"
        ],
    ),
    "problems of every kind at once": (
        SMALLEST.replace("dynamics", "dynamic") + "title: 5\nschedules: {x: {interval: 1h}}\n",
        [
            "1 crm.connector: there is no connector `dynamic`; "
            "did you mean `dynamics`? Allowed: dynamics.",
            "3 title: must be text, not a number; put the value in quotes",
            f"4 schedules.x: unknown sync type; Allowed: {SYNC_TYPES}.",
        ],
    ),
}

FIELD_KEYS = (
    "Allowed: conflict, crm, date_format, decimals, default, direction, false_label, fixed, "
    "marketing, max_length, options, true_label, type."
)
# a field of a mapping → its problem, without "mappings/x.yaml:3 fields.f"
BROKEN_FIELDS = {
    "{}": ": a field needs `crm`, `marketing` or both; add the name of the field there",
    "{crm: a}": ": a field with `crm` or `marketing` alone needs `fixed`; add the value",
    "{crm: a, fixed: x, direction: to_marketing}": (
        ": a field with `crm` alone cannot go to_marketing; remove `direction`"
    ),
    "{crm: a, marketing: B, type: option}": (
        ": type `option` needs `options`; list each value with its label"
    ),
    "{crm: a, marketing: B, type: option, options: {1: Hot, 2: hot}}": (
        ": `options` has a duplicate or empty label; give each value its own label"
    ),
    "{crm: a, marketing: B, options: {1: Hot}}": (
        ": `options` is only for type `option`; remove it, or change `type`"
    ),
    "{crm: a, marketing: B, type: date, max_length: 5}": (
        ": `max_length` is only for type `string`; remove it, or change `type`"
    ),
    "{crm: a, marketing: B, type: date, default: soon}": (
        ": `default` does not match type `date`; write a date such as 2026-01-31"
    ),
    "{crm: a, marketing: B, type: number, fixed: '3'}": (
        ": `fixed` does not match type `number`; write a number"
    ),
    "{crm: a, marketing: B, default: x, fixed: y}": (
        ": `default` and `fixed` cannot be combined; keep one of them"
    ),
    "{crm: a, marketing: B, type: date, date_format: '%H'}": (
        ": `date_format` loses part of the date; write for example `%d/%m/%Y`"
    ),
    "{crm: a, marketing: B, type: date, date_format: '%m/%d'}": (
        ": `date_format` has no year, which the CRM needs; write for example `%d/%m/%Y`, or give "
        "the field `type: date` and `direction: to_marketing`"
    ),
    "{crm: a, marketing: B, type: boolean, true_label: 'no', false_label: 'No'}": (
        ": `true_label` and `false_label` are the same; use different labels"
    ),
    "{crm: a, marketing: B, type: boolean, true_label: Yes}": (
        ".true_label: must be text, not the YAML word true; put the value in quotes"
    ),
    "{crm: a, marketing: B, conflict: newst}": (
        ".conflict: `newst` is not allowed; did you mean `newest`? Allowed: crm, marketing, newest."
    ),
    "{crm: a, marketing: B, typ: date}": f".typ: unknown key; did you mean `type`? {FIELD_KEYS}",
}


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IncludeFolder:
    return IncludeFolder(tmp_path / "include", monkeypatch)


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_account_is_explained(include: IncludeFolder, case: str) -> None:
    text, expected = BROKEN[case]
    include.account("x", text)
    include.account("sound", SMALLEST)
    loaded = load_accounts()
    assert [str(problem) for problem in loaded.problems] == [
        f"accounts/x.yaml:{problem}" for problem in expected
    ]
    assert [account.name for account in loaded.accounts] == ["sound"]
    assert loaded.broken == ("x",)


@pytest.mark.parametrize("name", ["Acme", "acme-2", "2acme", "a" * 41, "ä"])
def test_a_file_name_that_is_not_a_valid_account_name(include: IncludeFolder, name: str) -> None:
    include.account(name, SMALLEST)
    assert [str(problem) for problem in load_accounts().problems] == [
        f"accounts/{name}.yaml:1 name: the file name is not a valid account name; "
        "rename it: up to 40 lower-case letters, digits and _, starting with a letter"
    ]


def test_a_link_that_leads_nowhere_hides_no_other_account(include: IncludeFolder) -> None:
    include.account("sound", SMALLEST)
    (include.path / "accounts" / "gone.yaml").symlink_to(include.path / "nowhere.yaml")
    loaded = load_accounts()
    assert [account.name for account in loaded.accounts] == ["sound"]
    assert [str(problem) for problem in loaded.problems] == [
        "accounts/gone.yaml:1: cannot be read (No such file or directory); give Airflow "
        "permission to read the file"
    ]


def test_a_file_that_only_looks_like_an_account_is_told(include: IncludeFolder) -> None:
    include.account("sound", SMALLEST)
    for name in ("one.yml", "TWO.YAML", "old/three.yaml"):
        include.write(f"accounts/{name}", SMALLEST)
    # The second is where Kubernetes keeps the files of a mounted folder.
    for name in (".hidden.yaml", "..2026_01_31/sound.yaml", "notes.txt"):
        include.write(f"accounts/{name}", "crm: [")
    assert sorted(map(str, all_problems())) == [
        "accounts/TWO.YAML:1: is not read; move it to accounts/two.yaml",
        "accounts/old/three.yaml:1: is not read; move it to accounts/three.yaml",
        "accounts/one.yml:1: is not read; move it to accounts/one.yaml",
    ]


@pytest.mark.parametrize("field", BROKEN_FIELDS)
def test_a_broken_field_is_explained_in_the_mapping_file(
    include: IncludeFolder, field: str
) -> None:
    include.write("mappings/x.yaml", f"entity: contact\nfields:\n  f: {field}\n")
    include.account("x", SMALLEST + "mappings: {contact: x.yaml}\n")
    with pytest.raises(FileProblems) as refused:
        load_account("x")
    expected = f"mappings/x.yaml:3 fields.f{BROKEN_FIELDS[field]}"
    assert [str(problem) for problem in refused.value.problems] == [expected]


def test_two_fields_may_not_write_to_one(include: IncludeFolder) -> None:
    text = """\
entity: contact
fields:
  city: {crm: city, marketing: CITY}
  town: {crm: City, marketing: TOWN}
  place: {crm: city, marketing: PLACE, direction: to_marketing}
"""
    include.write("mappings/x.yaml", text)
    assert [str(problem) for problem in all_problems()] == [
        "mappings/x.yaml:4 fields.town.crm: `city` writes to `City` too; "
        "map it once, or change the direction of one of the two"
    ]


def test_one_run_finds_the_problems_of_all_files(include: IncludeFolder) -> None:
    include.account("a", "crm: [\n")
    include.account("b", SMALLEST + "titel: B\n")
    include.write("accounts/c.yml", SMALLEST)
    include.write("mappings/unused.yaml", "entity: account\n")
    include.write("mappings/known_domains.txt", "example.com\nno domain\n")
    include.write("mappings/role_addresses.txt", "# roles\ninfo@\n")
    found = {(problem.file, problem.line) for problem in all_problems()}
    assert found == {
        ("accounts/a.yaml", 2),
        ("accounts/b.yaml", 3),
        ("accounts/c.yml", 1),
        ("mappings/unused.yaml", 1),
        ("mappings/known_domains.txt", 2),
        ("mappings/role_addresses.txt", 2),
    }


def test_a_mapping_shared_by_two_accounts_is_reported_once(include: IncludeFolder) -> None:
    include.write("mappings/x.yaml", "entity: contact\nfields: 3\n")
    for name in ("a", "b"):
        include.account(name, SMALLEST + "mappings: {contact: x.yaml}\n")
    loaded = load_accounts()
    assert [(problem.file, problem.key) for problem in loaded.problems] == [
        ("mappings/x.yaml", "fields")
    ]
    assert loaded.broken == ("a", "b")


def test_double_opt_in_needs_a_platform_that_asks_people(
    include: IncludeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = "settings: {double_opt_in: true}\n"
    asked += "lists:\n  news: {crm: News, marketing: News, double_opt_in: true}\n"
    include.account("x", SMALLEST + asked)
    assert not all_problems()
    dotdigital = connectors()["dotdigital"]
    mute = replace(dotdigital, capabilities=dotdigital.capabilities - {"AsksToConfirm"})
    known = {**connectors(), "dotdigital": mute}
    monkeypatch.setattr("bothways.config.checks.connectors", lambda: known)
    told = "the connector for Dotdigital cannot ask people to confirm; "
    told += "remove it, and set it up on the platform"
    assert [str(problem) for problem in all_problems()] == [
        f"accounts/x.yaml:3 settings.double_opt_in: {told}",
        f"accounts/x.yaml:5 lists.news.double_opt_in: {told}",
    ]


def test_what_stands_under_an_unknown_key_is_not_repeated(include: IncludeFolder) -> None:
    include.account("x", SMALLEST.replace("crm_connection", "crm_connection, password: hunter2"))
    assert "hunter2" not in "".join(map(str, load_accounts().problems))


def test_a_missing_folder_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTHWAYS_INCLUDE", str(tmp_path))
    assert "accounts:1: there is no such folder; " in str(load_accounts().problems[0])


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200),
        st.text(alphabet="&*<>:-[]{}!|'\"#?,\n a1\t", max_size=80),
        st.lists(st.sampled_from(DEMO.splitlines(keepends=True)), max_size=40).map("".join),
    )
)
def test_no_text_does_anything_but_load_or_end_in_problems(
    include: IncludeFolder, text: str | bytes
) -> None:
    raw = text if isinstance(text, bytes) else text.encode(errors="replace")
    include.account("x", raw)
    include.write("mappings/x.yaml", raw)
    loaded = load_accounts()
    assert bool(loaded.accounts) != bool(loaded.problems)
    assert all("\n" not in str(problem) for problem in all_problems())
