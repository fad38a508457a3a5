"""Personal data stays out of logs, references between steps and texts of errors; so do secrets."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from bothways.engine import plan as plan_step
from bothways.errors import BothwaysError
from tests.promises.conftest import MakeWorld, every_platform
from tests.support.engine import World
from tests.support.people import Crm
from tests.support.sandbox import (
    DOTDIGITAL_PASSWORD,
    DYNAMICS_CLIENT_SECRET,
    MAILCHIMP_KEY,
    SandboxServer,
)
from tests.support.vendors import addresses

FAULTS = {
    "share": {"500": 0.1, "429": 0.05, "cut": 0.05},
    "rows_refused": 0.2,
    "import_faults": 0.2,
}


@every_platform
def test_nothing_of_a_person_is_logged_or_handed_on(
    make_world: MakeWorld, sandbox: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    world = make_world(people=80)
    crm, platform = Crm(sandbox), world.platform
    crm.suppression("secretive@mail.example")
    platform.contact("wanted@mail.example", "Newsletter", first_name="Xanthippe")
    personal = addresses(sandbox) | {"secretive", "wanted", "xanthippe"}
    told: list[Any] = []
    spied(world, told)
    caplog.set_level(logging.DEBUG)
    for sync_type in ("suppressions", "address_books", "marketing_lists"):
        sandbox.faults({"*": FAULTS})
        run = world.run(sync_type)
        refusals = run.jobs["error_message"].dropna()
        assert len(refusals) > 0 or sync_type != "suppressions"
        told += [run.message, *run.notes, *refusals]
        sandbox.faults()
    named = world.run("address_books", records=("wanted@mail.example",))
    told.append(named.message)
    assert len(caplog.records) > 50
    ours = [item for item in caplog.records if not item.name.startswith(("httpx", "httpcore"))]
    text = " ".join([*(item.getMessage() for item in ours), repr(told)]).lower()
    assert [item for item in personal if item in text] == []
    for secret in (DOTDIGITAL_PASSWORD, MAILCHIMP_KEY, DYNAMICS_CLIENT_SECRET):
        assert secret not in text
    assert not re.search(r"bearer [a-z0-9]", text)


def spied(world: World, told: list[Any]) -> None:
    """Keep what each step returns, which is what XCom would carry, and what it raises."""
    for name in ("open", "extract", "plan", "review", "apply"):
        act = getattr(world, name)

        def kept(*args: Any, act: Any = act, **kwargs: Any) -> Any:
            try:
                told.append(act(*args, **kwargs))
            except BothwaysError as error:
                told.append(str(error))
                raise
            return told[-1]

        setattr(world, name, kept)


def test_an_error_that_is_none_of_ours_is_told_by_its_type_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    row = "ann@mail.example"

    def fails(*_args: object) -> None:
        raise KeyError(row)

    monkeypatch.setattr(plan_step, "_inputs", fails)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(BothwaysError) as caught:
        world.steps("suppressions", "broken")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    _, message = world.close_run("suppressions", "broken")
    assert message == "Internal server error (KeyError); report it with the task's log."
    assert "test_9_privacy.py" in caplog.text
    assert "ann@mail" not in caplog.text + str(caught.value) + message
