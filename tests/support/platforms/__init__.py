"""The marketing platforms that the promises are made for, as the people who use them see them.

A promise is told in the words of `Platform`, and so holds for each of `PLATFORMS`:

    platform.contact("ann@mail.example", "Newsletter", first_name="Ann")
    platform.act("unsubscribe", "ann@mail.example")
    assert platform.statuses() == {"ann@mail.example": "unsubscribed"}
"""

from __future__ import annotations

from typing import Final

from tests.support.platforms.base import Platform, Refused
from tests.support.platforms.dotdigital import Dotdigital
from tests.support.platforms.mailchimp import Mailchimp

PLATFORMS: Final[dict[str, type[Platform]]] = {
    platform.name: platform for platform in (Dotdigital, Mailchimp)
}

__all__ = ["PLATFORMS", "Dotdigital", "Mailchimp", "Platform", "Refused"]
