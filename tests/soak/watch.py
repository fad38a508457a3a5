"""What must hold after every sync, and what must hold when both sides have come to rest."""

from __future__ import annotations

from tests.soak.views import Row, View, key_of
from tests.support.engine import Finished

_LISTS = {"contact": "Newsletter", "lead": "Product updates"}
_MAILABLE = "subscribed"
_FIELDS = {"firstname": "FIRSTNAME", "address1_city": "CITY", "gendercode": "GENDER"}
_GENDERS = {1: "Male", 2: "Female"}


class Watch:
    """Remembers who said no, and compares what syncs did with that."""

    def __init__(self) -> None:
        self._silent: set[str] = set()
        self._left: set[tuple[str, str]] = set()
        self._unheard: list[tuple[str, str | None]] = []
        self._kept: set[str] = set()

    # ── the people's own words ────────────────────────────────────────────────────────────────

    def silenced(self, email: str) -> None:
        """An address may not be mailed any more."""
        self._silent.add(key_of(email))

    def written_down(self, email: str, list_name: str | None = None) -> None:
        """A word that only the suppressions sync reads: others know it once that one has run."""
        self._unheard.append((key_of(email), list_name))

    def heard(self) -> None:
        """The suppressions sync has run to its end."""
        for key, list_name in self._unheard:
            if list_name is None:
                self._silent.add(key)
            else:
                self._left.add((key, list_name))
        self._unheard.clear()
        self._kept |= self._silent

    def forgotten(self, email: str) -> None:
        """The platform deletes a contact, and with it every word that nobody has read yet."""
        key = key_of(email)
        if key not in self._kept:
            self._silent.discard(key)
        self._unheard = [word for word in self._unheard if word[0] != key or word[1] is None]

    def moved(self, before: str, after: str, status: str) -> None:
        """A contact takes its words along to another address; those that were read stay as well."""
        old, new = key_of(before), key_of(after)
        if old not in self._kept:
            self._silent.discard(old)
        if status != _MAILABLE:
            self._silent.add(new)
        self._unheard = [(new if key == old and name else key, name) for key, name in self._unheard]

    def came_back(self, email: str, list_name: str | None = None) -> None:
        """Somebody said yes again by the platform's own means."""
        key = key_of(email)
        self._unheard = [word for word in self._unheard if word != (key, list_name)]
        if list_name is None:
            self._silent.discard(key)
            self._kept.discard(key)
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

    def at_rest(self, view: View, links: dict[str, str]) -> None:
        """Both sides agree, and every word reached the other side.

        Args:
            view: What the vendors hold.
            links: By CRM record, the contact that the store calls the same person.
        """
        for contact in view.contacts:
            if contact["key"] in self._silent:
                assert contact["status"] != _MAILABLE, f"{contact} may be mailed"
        people = _people(view, links)
        for row in (row for row in view.records if row["key"] and not row["merged"]):
            self._heard(row)
            contact = people.get(row["id"])
            if contact is None:
                self._reached(view, row)
            elif self._fit(row, contact):
                same = [other for other in view.records if people.get(other["id"]) is contact]
                self._same_lists(view, contact, same)
                self._same_fields(view, row, contact)
                self._same_address(view, row, contact)

    def _heard(self, row: Row) -> None:
        """A closed lead cannot be written; it is flagged when it is opened again."""
        open_ = row["entity"] == "contact" or row["statecode"] == 0
        if row["key"] in self._silent and open_:
            assert row["flagged"], f"{row} may be mailed"

    def _reached(self, view: View, row: Row) -> None:
        """Whoever is on a list of the CRM and may be mailed is known to the platform."""
        flagged = any(other["flagged"] for other in view.records if other["key"] == row["key"])
        silent = flagged or row["statecode"] or row["key"] in self._silent
        if self._on_list(view, row) and not silent:
            assert (row["key"], _LISTS[row["entity"]]) in self._left, f"{row} is not there"

    def _fit(self, row: Row, contact: Row) -> bool:
        return (
            contact["status"] == _MAILABLE
            and contact["key"] not in self._silent
            and row["key"] not in self._silent
            and not row["flagged"]
            and row["statecode"] == 0
        )

    @staticmethod
    def _on_list(view: View, row: Row) -> bool:
        return view.on_crm(row["id"], _LISTS[row["entity"]])

    def _same_lists(self, view: View, contact: Row, same: list[Row]) -> None:
        if not all(self._fit(row, contact) for row in same):
            return
        for entity, name in _LISTS.items():
            status = view.on_platform(contact["id"], name)
            if (contact["key"], name) in self._left or status not in (None, _MAILABLE):
                continue
            in_crm = any(self._on_list(view, row) for row in same if row["entity"] == entity)
            assert in_crm == (status == _MAILABLE), (
                f"{contact} on {name}: CRM {in_crm}, platform {status}"
            )

    def _same_fields(self, view: View, row: Row, contact: Row) -> None:
        status = view.on_platform(contact["id"], _LISTS[row["entity"]])
        if status != _MAILABLE or not self._on_list(view, row):
            return
        for ours, theirs in _FIELDS.items():
            if ours == "gendercode" and row["entity"] == "lead":
                continue
            mine = _GENDERS.get(row[ours]) if ours == "gendercode" else row[ours]
            other = contact["fields"].get(theirs)
            assert (mine or "").strip() == (other or "").strip(), (
                f"{ours} of {row} and {contact} differ"
            )

    def _same_address(self, view: View, row: Row, contact: Row) -> None:
        """Both have one address, unless somebody else has it on the platform already."""
        taken = any(row["key"] == other["key"] for other in view.contacts if other is not contact)
        if self._on_list(view, row) and not taken:
            assert contact["key"] == row["key"], f"{row} and {contact} are one person"


def _people(view: View, links: dict[str, str]) -> dict[str, Row]:
    """The contact of each CRM record: the linked one, else the one with its address."""
    contacts = {str(row["id"]): row for row in view.contacts}
    by_key = {row["key"]: row for row in view.contacts}
    found = {}
    for row in view.records:
        contact = contacts.get(links.get(row["id"], "")) or by_key.get(row["key"])
        if contact and not row["merged"]:
            found[row["id"]] = contact
    return found
