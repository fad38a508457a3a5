"""Mailchimp: contacts of audiences, with tags and interests, over its Marketing API 3.0.

People are members of an audience, and their consent is a member's. A create never brings up to date
who is there already; an update never carries a status (facts 2). The API knows no idempotency key:
what makes repeats safe is that a member is found by address, and that all else sets values.
"""

from __future__ import annotations
