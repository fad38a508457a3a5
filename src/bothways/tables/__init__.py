"""Canonical tables: the only shapes in which connectors, store and transforms exchange rows.

Each table is an Arrow schema, in the module of its domain. Mapped fields follow the fixed columns
as ``field:<name>``; names are the vendor's on the way in and out of a connector, and the mapping's
in between. All times are UTC. Strings are nullable unless a comment says otherwise.
"""
