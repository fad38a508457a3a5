"""A vendor that is running: its app, its database, its clock and its faults."""

from __future__ import annotations

from sandbox.population import people
from sandbox.vendor import Vendor, VendorContext


class Emulation:
    """A vendor that is running."""

    def __init__(self, vendor: Vendor, context: VendorContext) -> None:
        self.vendor = vendor
        self.context = context
        self.app = vendor.create(context)

    def reset(self, size: int, seed: int) -> None:
        """Empty the vendor, fill it again, put clock and switches back, and start its app anew."""
        self.context.clock.reset()
        self.context.faults.reset()
        self.context.settings.clear()
        self.context.settings.update(self.vendor.settings)
        self.context.database.reset()
        self.fill(size, seed)
        self.context.calls.reset()
        self.app = self.vendor.create(self.context)

    def fill(self, size: int, seed: int) -> None:
        """Fill the empty tables from the population."""
        self.vendor.seed(self.context, people(size, seed))
        self.context.database.seeded = True
