"""A vendor that is running: its app, its database, its clock and its faults."""

from __future__ import annotations

import sqlite3

from sandbox.population import people
from sandbox.vendor import Vendor, VendorContext

_COPIES = 20


class Emulation:
    """A vendor that is running."""

    def __init__(self, vendor: Vendor, context: VendorContext) -> None:
        self.vendor = vendor
        self.context = context
        self.app = vendor.create(context)
        self._copies: dict[str, sqlite3.Connection] = {}

    def reset(self, size: int, seed: int) -> None:
        """Empty the vendor, fill it again, put clock and switches back, and start its app anew."""
        self._switch_back()
        self.context.database.reset()
        self.fill(size, seed)
        self._start_anew()

    def keep(self, name: str) -> None:
        """Keep a copy of what the vendor holds; of too many copies the oldest goes."""
        self._copies[name] = self.context.database.copy()
        if len(self._copies) > _COPIES:
            self._copies.pop(next(iter(self._copies))).close()

    def restore(self, name: str) -> bool:
        """Do as `reset`, but go back to a copy; tell whether there is one of that name."""
        copy = self._copies.get(name)
        if copy is None:
            return False
        self._switch_back()
        self.context.database.restore(copy)
        self._start_anew()
        return True

    def fill(self, size: int, seed: int) -> None:
        """Fill the empty tables from the population."""
        self.vendor.seed(self.context, people(size, seed))
        self.context.database.seeded = True

    def _switch_back(self) -> None:
        self.context.clock.reset()
        self.context.faults.reset()
        self.context.settings.clear()
        self.context.settings.update(self.vendor.settings)

    def _start_anew(self) -> None:
        self.context.calls.reset()
        self.app = self.vendor.create(self.context)
