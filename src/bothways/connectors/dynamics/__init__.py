"""Dynamics 365 (Dataverse Web API v9.2).

Facts about the vendor come from the fact sheet on Dataverse; "PAD page" names a page of the
vendor's developer documentation.
"""

from __future__ import annotations
