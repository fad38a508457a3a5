"""Dotdigital: contacts, lists, suppressions, over its v3 and v2 REST APIs.

v3 for contacts in bulk, v2 for what v3 does not have (facts 1.7). Neither knows an idempotency
key; what makes repeats safe is that imports are upserts and that jobs are polled.
"""

from __future__ import annotations
