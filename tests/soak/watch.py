"""What must hold after every sync, and what must hold when both sides have come to rest."""

from __future__ import annotations

from tests.soak.views import Row, View, key_of
from tests.support.engine import Finished

_LISTS = {"contact": "Newsletter", "lead": "Product updates"}
_MAILABLE = "subscribed"


class Watch:
    """Remembers who said no, and compares what syncs did with that."""

    def __init__(self) -> None:
        self._silent: set[str] = set()
        self._left: set[tuple[str, str]] = set()

    # ── the people's own words ────────────────────────────────────────────────────────────────

    def silenced(self, email: str) -> None:
        """An address may not be mailed any more."""
        self._silent.add(key_of(email))

    def left(self, email: str, list_name: str) -> None:
        """An address said no to a list."""
        self._left.add((key_of(email), list_name))

    def came_back(self, email: str, list_name: str | None = None) -> None:
        """Somebody said yes again by the platform's own means."""
        key = key_of(email)
        if list_name is None:
            self._silent.discard(key)
        else:
            self._left.discard((key, list_name))

    # ── after every sync ──────────────────────────────────────────────────────────────────────

    def after(self, before: View, after: View, run: Finished | None) -> None:
        """Compare what a sync made of the vendors with what it may do."""
        if run:
            assert "Internal server error" not in f"{run.message} {run.notes}", run
            self._counted(run)
        self._nobody_mailable_again(before, after)
        self._nobody_joined_against_their_word(before, after)
        self._nothing_doubled(before, after)

    @staticmethod
    def _counted(run: Finished) -> None:
        counts = run.counts
        if not counts:
            return
        named = ("new", "updated", "re_added", "unchanged", "duplicate", "deleted", "errors")
        total = sum(counts[name] for name in named) + sum(counts["ignored"].values())
        assert counts["total"] == total + counts.get("planned", 0) == len(run.jobs), counts

    def _nobody_mailable_again(self, before: View, after: View) -> None:
        was = {row["id"]: row for row in before.contacts}
        for row in after.contacts:
            old = was.get(row["id"])
            if old is not None and old["status"] != _MAILABLE:
                assert row["status"] != _MAILABLE, f"{row['email']} was {old['status']}"
            if old is None and row["status"] == _MAILABLE:
                assert row["key"] not in self._silent, f"{row['email']} is mailable again"
        flags = {row["id"] for row in before.records if row["flagged"]}
        for record in after.records:
            assert record["flagged"] or record["id"] not in flags, f"{record} lost its flag"
        for member, status in after.memberships.items():
            if before.memberships.get(member, _MAILABLE) != _MAILABLE:
                assert status != _MAILABLE, f"{member} is on the list again"

    def _nobody_joined_against_their_word(self, before: View, after: View) -> None:
        keys = {row["id"]: row["key"] for row in after.records}
        for list_id, record in set(after.members) - set(before.members):
            self._may_join(keys[record], after.crm_lists[list_id])
        contacts = {row["id"]: row["key"] for row in after.contacts}
        for list_id, contact in after.memberships.keys() - before.memberships.keys():
            self._may_join(contacts[contact], after.books[list_id])

    def _may_join(self, key: str, list_name: str) -> None:
        assert key not in self._silent, f"{key} joined {list_name} in spite of a suppression"
        assert (key, list_name) not in self._left, f"{key} joined {list_name} again"

    @staticmethod
    def _nothing_doubled(before: View, after: View) -> None:
        assert len(set(after.members)) == len(after.members), "a membership is doubled"
        had = {row["id"] for row in before.records}
        made = [row for row in after.records if row["id"] not in had]
        for row in made:
            same = [
                other
                for other in after.records
                if (other["entity"], other["key"]) == (row["entity"], row["key"])
                and not other["merged"]
            ]
            assert len(same) == 1, f"{row} was created beside {same}"
        addresses = [key for key, list_id in after.suppressions if not list_id]
        new = len(addresses) - len([1 for _, list_id in before.suppressions if not list_id])
        assert (
            new == 0
            or len(set(addresses))
            - len({key for key, list_id in before.suppressions if not list_id})
            == new
        ), "a suppression record is doubled"

    # ── at rest ───────────────────────────────────────────────────────────────────────────────

    def at_rest(self, view: View) -> None:
        """Both sides agree, and every word reached the other side."""
        by_key = {row["key"]: row for row in view.contacts}
        for row in view.records:
            if row["merged"] or not row["key"]:
                continue
            contact = by_key.get(row["key"])
            if row["key"] in self._silent:
                self._silent_everywhere(row, contact)
            elif contact and self._fit(row, contact):
                self._agree(view, row, contact)
        for contact in view.contacts:
            assert contact["key"] not in self._silent or contact["status"] != _MAILABLE, contact

    def _silent_everywhere(self, row: Row, contact: Row | None) -> None:
        readable = row["entity"] == "contact" or row["statecode"] == 0
        assert row["flagged"] or not readable, f"{row} is not flagged"

    @staticmethod
    def _fit(row: Row, contact: Row) -> bool:
        return contact["status"] == _MAILABLE and not row["flagged"] and row["statecode"] == 0

    def _agree(self, view: View, row: Row, contact: Row) -> None:
        for entity, name in _LISTS.items():
            status = view.on_platform(contact["id"], name)
            records = [
                other
                for other in view.records
                if other["key"] == row["key"] and other["entity"] == entity
            ]
            if any(other["merged"] or not self._fit(other, contact) for other in records):
                continue
            in_crm = any(view.on_crm(other["id"], name) for other in records)
            if (contact["key"], name) in self._left or status not in (None, _MAILABLE):
                continue
            assert in_crm == (status == _MAILABLE), (
                f"{row['key']} on {name}: CRM {in_crm}, platform {status}"
            )
