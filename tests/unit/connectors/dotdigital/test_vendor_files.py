"""Every answer that the connector gets from the sandbox is as the vendor's files say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from bothways.errors import ConnectorError
from bothways.vocabulary import EventSet
from sandbox.dotdigital.app import endpoint
from tests.support.portal import PORTAL, Portal
from tests.support.sandbox import ROOT
from tests.unit.connectors.dotdigital.surface import LONG_AGO, read_everything, write_everything

pytestmark = pytest.mark.skipif(
    not PORTAL.is_dir(), reason="the vendor's files are not beside this checkout"
)

PAGE = (ROOT / "docs" / "least-privilege.md").read_text()
# Where an answer differs from an example, and is right all the same.
KNOWN = (
    r"score.* lacks engagement",  # it is not required, and absent where nothing is known of it
    r"givenAnswers\.value is",  # text, or the number of a choice
    r"roi-details.*\.value is",  # of any type that its marker has
    r"POST /v2/address-books: the status 201",  # as in the vendor's other file
    r"deletion/.* lacks (Id|Status)",  # in capitals here, in the other file not
)


@pytest.fixture
def answers(connect: Any) -> Iterator[tuple[Any, list[tuple[str, str, int, Any]]]]:
    """A connector, and the method, path, status and body of each answer that it gets.

    The connector's fixture holds what is accepted to the vendor's schemas.
    """
    got: list[tuple[str, str, int, Any]] = []
    connector = connect()

    def keep(answer: Any, **_options: Any) -> None:
        path = unquote(urlsplit(answer.request.url).path)
        try:
            body = answer.json()
        except ValueError:
            body = None
        got.append((answer.request.method, path, answer.status_code, body))

    connector._client._configured.session.hooks["response"].append(keep)
    return connector, got


def _be_refused(sandbox: Any, connector: Any, operations: Any) -> None:
    """Ask for what is not there, and write what cannot be."""

    def tried(pages: Any) -> None:
        with suppress(ConnectorError):
            list(pages)

    tried(connector.read_events(EventSet.CLICKS, "999999", since=None))
    tried(connector.read_form_responses("999999", since=None))
    tried(connector.read_preference_opt_ins("999999", since=None))
    tried(connector.read_list_suppressions("999999", since=None))
    tried(connector.find_contacts("contact", {}, ids=["999999"], emails=["a b@mail.example"]))
    connector.write_contacts(operations({"kind": "update", "record_id": "999999", "values": "{}"}))
    connector.write_list_members(
        operations({"kind": "join", "record_id": "999999", "list_id": "999999"})
    )
    tried(connector.create_list(name, None) for name in ("Newsletter", "Test"))
    bad = {"CITY": "string", "no good": "string", "BAD": "number"}
    connector.create_fields(
        operations(
            *(
                {"key": key, "values": json.dumps({"type": kind, "default": "x"})}
                for key, kind in bad.items()
            )
        )
    )
    sandbox.act("dotdigital", "program", name="Draft", status="Draft")
    drafts = [row["id"] for row in sandbox.table("dotdigital", "programs")][-1]
    for program in (drafts, 999999):
        values = json.dumps({"program_id": str(program)})
        connector.enrol(operations({"record_id": "1", "values": values}))
    features = ("contact_scoring", "pages_and_forms", "programs", "web_behaviour")
    sandbox.settings({"dotdigital": dict.fromkeys(features, False)})
    tried(connector.read_scores(since=None))
    tried(connector.read_forms(since=None))
    tried(connector.read_programs())
    tried(connector.read_visits(since=None))


def test_every_answer_is_as_the_vendors_files_say(
    sandbox: Any, answers: Any, operations: Any
) -> None:
    connector, got = answers
    sandbox.reset(people=150)
    ids = read_everything(connector, None)
    read_everything(connector, LONG_AGO)
    write_everything(connector, operations, ids)
    _be_refused(sandbox, connector, operations)

    portal = Portal()
    problems = {
        problem
        for method, path, status, body in got
        for problem in portal.problems(method, path, status, body)
        if not any(re.search(known, problem) for known in KNOWN)
    }
    assert sorted(problems) == []
    statuses = {status for _, _, status, _ in got}
    assert {200, 201, 202, 400, 403, 404, 422} <= statuses
    calls = {endpoint(method, path) for method, path, _, _ in got}
    assert len(calls) > 40
    assert sorted(call for call in calls if f"`{call}`" not in PAGE) == []
