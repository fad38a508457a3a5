"""A connector and sync types that no file of this repository knows, beside the library."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from textwrap import dedent

import psycopg
import pytest

from demo.connections import demo_connections
from tests.support.installation import PINNED, THIRD_PARTY, Installation
from tests.support.sandbox import SandboxServer

PEOPLE = """\
id,email,lists,first_name,last_name,title
1,ada@csv.example.com,news,Ada,Lovelace,Analyst
2,grace@csv.example.com,news other,Grace,Hopper,
3,alan@csv.example.com,other,Alan,Turing,Reader
"""
ACCOUNT = """
crm: {connector: dynamics, connection: demo_dynamics}
marketing: {connector: csv_folder, connection: people_files}
lists:
  news: {crm: News from files, marketing: News, create_missing: true}
mappings: {contact: csv/contact.yaml}
"""
IMPORT = """
systems:
  source: {connector: csv_folder, connection: people_files}
  marketing: {connector: csv_folder, connection: other_files}
"""
MAPPING = """
entity: contact
fields:
  first_name: {crm: firstname, marketing: first_name, direction: to_crm}
  last_name: {crm: lastname, marketing: last_name, direction: to_crm}
"""


@pytest.mark.slow
def test_its_people_and_their_titles_come_into_the_crm(
    wheels: dict[str, Path], postgres_url: str, tmp_path: Path
) -> None:
    files, others = tmp_path / "files", tmp_path / "others"
    for folder, people in ((files, PEOPLE), (others, PEOPLE.splitlines(keepends=True)[0])):
        folder.mkdir()
        (folder / "people.csv").write_text(people)
        (folder / "lists.csv").write_text("id,name\nnews,News\nother,Other\n")
    with SandboxServer() as sandbox:
        sandbox.reset(people=0)
        crm = demo_connections(sandbox.url)["demo_dynamics"]
        installed = Installation(
            tmp_path,
            PINNED,
            [wheels["bothways"], wheels["bothways_csv"]],
            {
                "AIRFLOW_CONN_BOTHWAYS_STORE": postgres_url,
                "AIRFLOW_CONN_DEMO_DYNAMICS": json.dumps(crm),
                "AIRFLOW_CONN_PEOPLE_FILES": json.dumps(
                    {"conn_type": "csv_folder", "host": str(files)}
                ),
                "AIRFLOW_CONN_OTHER_FILES": json.dumps(
                    {"conn_type": "csv_folder", "host": str(others)}
                ),
                "BOTHWAYS_STAGING": str(tmp_path / "staging"),
            },
        )
        installed.run("bothways", "init", "--account", "acme")
        include = installed.home / "include"
        (include / "accounts" / "acme.yaml").write_text(dedent(ACCOUNT))
        (include / "accounts" / "folders.yaml").write_text(dedent(IMPORT))
        (include / "mappings" / "csv").mkdir()
        for path in (THIRD_PARTY / "dags").glob("*.py"):
            shutil.copy(path, installed.home / "dags")
        (include / "mappings" / "csv" / "contact.yaml").write_text(dedent(MAPPING))
        installed.run("airflow", "db", "migrate")
        installed.run("bothways", "migrate")
        installed.run("bothways", "prepare", "acme", "--yes")
        assert "no problems" in installed.run("bothways", "check", "--live")

        for name in ("acme__address_books", "acme__job_titles", "folders__import_people"):
            installed.run("airflow", "dags", "test", name, seconds=300)

        contacts = sandbox.table("dynamics", "contact")
        changes = sandbox.table("dynamics", "bw_titlechange")
    assert {(row["emailaddress1"], row["lastname"], row["jobtitle"]) for row in contacts} == {
        ("ada@csv.example.com", "Lovelace", "Analyst"),
        ("grace@csv.example.com", "Hopper", None),
    }
    assert [(row["bw_name"], row["bw_email"]) for row in changes] == [
        ("Analyst", "ada@csv.example.com")
    ]
    assert changes[0]["bw_contactid"] in {row["contactid"] for row in contacts}
    imported = (others / "people.csv").read_text()
    assert [address in imported for address in ("ada@", "grace@", "alan@")] == [True] * 3
    with psycopg.connect(postgres_url) as connection:
        runs = connection.execute("SELECT sync_type, status FROM runs ORDER BY run_id").fetchall()
        jobs = connection.execute(
            "SELECT result, reason, count(*) FROM jobs JOIN runs USING (run_id) "
            "WHERE sync_type = 'job_titles' GROUP BY result, reason ORDER BY result"
        ).fetchall()
    assert runs == [
        ("address_books", "Completed"), ("job_titles", "Completed"), ("import_people", "Completed"),
    ]  # fmt: skip
    assert jobs == [
        ("ignored", "not_in_crm", 1), ("new", None, 1), ("unchanged", None, 1),
        ("updated", None, 1),
    ]  # fmt: skip
