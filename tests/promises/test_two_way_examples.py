"""Histories that random search found, or that were thought of on the way: each stays for good."""

from __future__ import annotations

import pytest

from tests.promises.conftest import MakeWorld
from tests.soak.life import ACCOUNT, Life, Step
from tests.support.sandbox import SandboxServer

EXAMPLES: dict[str, list[Step]] = {
    "a record that we made is deleted before it was ever read": [
        ("crm_new", "contact", 4, True),
        ("pf_new", 4, (0, 1)),
        ("sync", "address_books", False, 55),
        ("crm_delete", 1),
        ("sync", "marketing_lists"),
    ],
    "a value that one side cannot hold stands beside fields that it can": [
        ("crm_new", "contact", 0, True),
        ("pf_new", 0, (0,)),
        ("pf_edit", 0, 1, 1),
        ("crm_edit", 0, 2, 0),
        ("crm_new", "lead", 0, True),
        ("sync", "marketing_lists"),
    ],
    "somebody unsubscribed from a list, and then a field changed": [
        ("crm_new", "contact", 0, True),
        ("sync", "marketing_lists"),
        ("wait",),
        ("sync", "marketing_lists"),
        ("pf_no_list", 0, 0),
        ("sync", "suppressions"),
        ("wait",),
        ("crm_edit", 0, 0, 1),
        ("sync", "marketing_lists"),
    ],
    "somebody unsubscribed from a list, and was put on it again in the CRM": [
        ("crm_new", "contact", 0, True),
        ("sync", "marketing_lists"),
        ("wait",),
        ("pf_no_list", 0, 0),
        ("sync", "marketing_lists", True),
        ("sync", "suppressions"),
        ("wait",),
        ("crm_join", 0),
        ("sync", "marketing_lists"),
    ],
    "an address is cleared in the CRM, and another record of the person has it": [
        ("pf_new", 4, (0, 1)),
        ("sync", "address_books"),
        ("crm_address", 0, None),
    ],
    "somebody's bounced address goes to somebody else before it was read": [
        ("pf_new", 1, ()),
        ("pf_new", 3, (1,)),
        ("pf_no", 0, "bounce"),
        ("pf_swap", 0, 1),
    ],
    "somebody takes the address of one who complained": [
        ("pf_new", 1, (0, 1)),
        ("pf_new", 2, (0, 1)),
        ("sync", "address_books"),
        ("pf_return", 3),
        ("pf_no", 2, "complain"),
        ("crm_address", 1, 3),
    ],
    "two linked people swap their addresses in the CRM": [
        ("crm_new", "contact", 0, True),
        ("crm_new", "contact", 1, True),
        ("sync", "marketing_lists"),
        ("crm_swap", 0, 1),
        ("sync", "marketing_lists"),
    ],
    "the process ends while people are created on both sides": [
        ("crm_new", "contact", 0, True),
        ("pf_new", 1, (0, 1)),
        ("sync", "marketing_lists", False, None, 60, "left"),
        ("sync", "marketing_lists", False, 7, 110, "closed"),
    ],
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_this_history_comes_to_rest(
    name: str, make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    life = Life(make_world(**ACCOUNT), sandbox)
    life.play(EXAMPLES[name])
    life.settle()
