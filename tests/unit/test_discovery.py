from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bothways import discovery
from bothways.config.load import all_problems
from bothways.errors import ConfigurationError
from bothways.labels import people_told
from bothways.operations import operation
from bothways.provider import get_provider_info
from bothways.spec import Declaration
from tests.support.configuration import DEMO, IncludeFolder
from tests.support.packages import SitePackages

FAX = """
    from bothways.spec import ConnectionForm, Declaration, Limits

    FAX = Declaration(
        name="fax",
        title="Fax",
        roles=("marketing",),
        connector="acme.Connector",
        hook="acme.Hook",
        capabilities=frozenset({"ReadsContacts"}),
        limits=Limits(chunk_rows=10, parallel=1),
        form=ConnectionForm(labels={"host": "Number"}),
    )
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SitePackages]:
    folder = tmp_path / "site"
    folder.mkdir()
    yield SitePackages(folder, monkeypatch)
    monkeypatch.undo()
    discovery.forget()


def connector(package: str, name: str, value: str) -> dict[str, dict[str, str]]:
    return {discovery.CONNECTORS: {name: f"{package}:{value}"}}


def test_our_own_connectors_are_found_by_role() -> None:
    assert discovery.connector_names("crm") == ("dynamics",)
    assert discovery.connector_names("marketing") == ("dotdigital", "mailchimp")
    assert discovery.broken() == ()


def test_a_connector_of_another_package_is_known_everywhere(site: SitePackages) -> None:
    site.install("acme", connector("acme", "fax", "FAX"), FAX)

    assert discovery.declaration("fax").title == "Fax"
    assert discovery.connector_names("marketing") == ("dotdigital", "mailchimp", "fax")
    (form,) = (
        entry
        for entry in get_provider_info()["connection-types"]
        if entry["connection-type"] == "fax"
    )
    assert (form["hook-name"], form["hook-class-name"]) == ("Fax", "acme.Hook")
    assert form["ui-field-behaviour"]["relabeling"] == {"host": "Number"}


@pytest.mark.parametrize(
    ("name", "value", "code", "reason"),
    [
        (
            "fax",
            "FAX",
            "raise RuntimeError('no\\n line')",
            "RuntimeError: no line",
        ),
        ("fax", "PHONE", FAX, "AttributeError: module 'acme' has no attribute 'PHONE'"),
        ("fax", "FAX", "FAX = 'fax'", "it is a str, not a Declaration"),
        ("telex", "FAX", FAX, "its object is named `fax`"),
        ("dynamics", "FAX", FAX, "the package bothways brings one of that name"),
    ],
)
def test_a_broken_entry_point_fails_alone_and_by_name(  # noqa: PLR0917
    site: SitePackages,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    code: str,
    reason: str,
) -> None:
    site.install("acme", connector("acme", name, value), code)
    include = IncludeFolder(tmp_path / "include", monkeypatch)
    include.account("demo", DEMO)

    assert discovery.declaration("dynamics").title == "Dynamics 365"
    assert discovery.connector_names("marketing") == ("dotdigital", "mailchimp")
    (found,) = discovery.broken()
    assert (found.package, found.name, found.reason) == ("acme", name, reason)
    assert [str(problem) for problem in all_problems()] == [
        f"package acme bothways.connectors.{name}: {reason}; "
        "repair, upgrade or uninstall the package"
    ]


def test_an_account_that_names_a_broken_connector_learns_why(site: SitePackages) -> None:
    site.install("acme", connector("acme", "fax", "FAX"), "import nowhere_to_be_found")
    with pytest.raises(ConfigurationError, match="`fax` of the package acme cannot be used: Modul"):
        discovery.declaration("fax")


def test_entry_points_are_looked_up_once_per_process(site: SitePackages) -> None:
    site.install("acme", connector("acme", "fax", "FAX"), FAX)
    first = discovery.declaration("fax")
    shutil.rmtree(site.path)
    assert discovery.declaration("fax") is first


def test_a_sync_type_of_another_package_is_found_and_a_broken_one_named(
    site: SitePackages,
) -> None:
    code = """
        from bothways.spec import SyncSpec
        SPEC = SyncSpec(name="faxes", title="Faxes", implementation="acme:SYNC", roles=())
    """
    points = {"faxes": "acme:SPEC", "calls": "acme:CALLS"}
    site.install("acme", {discovery.SYNC_TYPES: points}, code)
    assert discovery.sync_type("faxes").title == "Faxes"
    assert next(iter(discovery.sync_types())) == "suppressions"
    with pytest.raises(ConfigurationError, match="The sync type `calls` of the package acme"):
        discovery.sync_type("calls")
    with pytest.raises(ConfigurationError, match="no sync type `fax`; did you mean `faxes`"):
        discovery.sync_type("fax")


KIND = """
    from bothways.records import RecordColumn, RecordKind
    from bothways.spec import SyncSpec

    def kind(name, parent="", column="colour"):
        return RecordKind(
            name, "Fax", "Faxes", "Faxes.", (RecordColumn(column, "Colour"),), ("fax", "faxes"),
            parent=parent,
        )

    def spec(*records):
        return SyncSpec(name="faxes", title="", implementation="", roles=(), records=records)

    SPEC = {spec}
"""


def test_records_of_another_package_are_counted_by_its_words(site: SitePackages) -> None:
    code = KIND.replace("{spec}", "spec(kind('fax'), kind('fax_page', parent='fax'))")
    site.install("acme", {discovery.SYNC_TYPES: {"faxes": "acme:SPEC"}}, code)
    names = list(discovery.record_kinds())
    assert {"campaign", "campaign_event", "fax", "fax_page"} <= set(names)
    assert names.index("fax") < names.index("fax_page")
    assert operation("upsert", "fax").method == "write_records"
    assert (
        people_told({"things": {"fax": 2, "campaign": 1}}) == "1 campaign written, 2 faxes written"
    )


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("spec(kind('campaign'))", "there are other records of the name `campaign`"),
        ("spec(kind('fax_page'), kind('faxpage'))", "there are other records of the name"),
        ("spec(kind('page', parent='fax'), kind('fax'))", "nothing before its records `page`"),
        ("spec(kind('fax', parent='fax'))", "nothing before its records `fax` declares"),
        ("spec(kind('contact'))", "ValueError: `contact` is no name"),
        ("spec(kind('fax', column='e_mail'))", "ValueError: `e_mail` is no name for a column"),
    ],
)
def test_records_that_cannot_be_kept_break_their_package_alone(
    site: SitePackages, spec: str, reason: str
) -> None:
    code = KIND.replace("{spec}", spec)
    site.install("acme", {discovery.SYNC_TYPES: {"faxes": "acme:SPEC"}}, code)
    (found,) = discovery.broken()
    assert (found.package, found.name) == ("acme", "faxes")
    assert found.reason.startswith(reason)
    assert "campaigns" in discovery.sync_types()


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ("dynamic", "did you mean `dynamics`?"),
        ("fax", "use one of: dotdigital, dynamics, mailchimp."),
    ],
)
def test_an_unknown_name_says_what_would_be_right(wrong: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        discovery.declaration(wrong)
    assert str(caught.value) == f"There is no connector `{wrong}`; {remedy}"


def test_what_is_known_before_an_import_needs_nothing_heavy() -> None:
    script = (
        "import sys, bothways.discovery as d, bothways.provider as p\n"
        "d.declaration('dynamics'); p.get_provider_info()\n"
        "print([m for m in ('pandas', 'pyarrow', 'requests', 'airflow') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_a_declaration_needs_no_form() -> None:
    plain = Declaration(
        name="fax",
        title="Fax",
        roles=("crm",),
        connector="acme.Connector",
        hook="acme.Hook",
        capabilities=frozenset(),
        limits=discovery.declaration("dynamics").limits,
    )
    assert plain.form.hidden == ("schema",)
