"""What must hold after every step of a sync, and what when both sides have come to rest.

What people do is learned from the difference that they make at the vendors; what a sync does is
held against it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace

from tests.soak.facts import Facts, facts, node, persons
from tests.soak.intent import ON, Consent, Intent, Person, Policy, Said, Value
from tests.soak.runs import Ended, Running
from tests.soak.setting import ListPair, Setting
from tests.soak.views import Row, View
from tests.support.engine import Finished

_MAILABLE = "mailable"
Links = Collection[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Write:
    """What a sync made of a record; `others` are the records that are the same person."""

    record: str
    matter: str
    value: Value
    others: set[str]


class Watch:
    """Knows what everybody said, and compares with it what syncs make of the vendors."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._ends_all = setting.ends_all
        self.intent = Intent(setting.policies)  # type: ignore[arg-type]
        self.consent = Consent()
        self._known_as: dict[str, set[str]] = defaultdict(set)
        # Silenced since the runs under way have read them, so that these cannot know.
        self._too_late: set[str] = set()
        self._said_before: dict[str, Said] = {}
        # Memberships, by record, of those who are to be on a tag and not in its audience.
        self._open: set[tuple[str, str]] = set()
        self._left_at: dict[tuple[str, str], int] = {}

    # ── people act ────────────────────────────────────────────────────────────────────────────

    def people(self, before: View, after: View, *, hasty: bool) -> None:
        """Learn what people said from what they changed."""
        old, new = facts(before, self._setting), facts(after, self._setting)
        for record, matters in new.items():
            for matter, value in matters.items():
                was = old[record].get(matter, value) if record in old else None
                if value != was:
                    self.intent.says(record, matter, value, hasty=hasty)
                    self._implied(record, matter, matters, hasty=hasty)
        for record in old.keys() - new.keys():
            self.intent.touches(record)
            for matter, value in old[record].items():
                if value == ON:
                    self.intent.says(record, matter, None, hasty=hasty)
        self._know(after)
        silent = set(self.consent.silent)
        self._changed(before, after, hasty=hasty)
        self._words(before, after)
        if hasty:
            self._too_late |= self.consent.silent - silent

    def _implied(self, record: str, matter: str, held: dict[str, Value], *, hasty: bool) -> None:
        """Whoever joins a tag joins its audience, and whoever leaves the audience loses the tag.

        What becomes of who is to leave the one and to be on the other is left open.
        """
        for whole, tag in self._setting.tags():
            if matter == tag and held.get(whole) is None:
                self.intent.says(record, whole, held[tag], hasty=hasty)
                self._open |= {(record, whole), (record, tag)}
            if matter == whole and held[whole] is None and held.get(tag) == ON:
                self._open |= {(record, whole), (record, tag)}

    def signs_up(self, address: str, scope: str) -> None:
        """Somebody says yes through a form: to the account, and to an audience with its lists."""
        self.consent.came_back(address, scope)
        if self._setting.terms.leaves_all:
            for matter in self._matters_in(scope):
                self.consent.came_back_to(address, matter)

    def begins(self, run: Running) -> None:
        """Remember what a run can hear."""
        self._said_before[run.name] = self.consent.said()

    def no_run_is_under_way(self) -> None:
        """Whatever was said until now, the next run reads."""
        self._too_late.clear()

    def _changed(self, before: View, after: View, *, hasty: bool) -> None:
        """Learn which records the vendors call newer now."""
        old = {node(side, row["id"]): row["modified"] for side, row in before.everybody()}
        for side, row in after.everybody():
            record = node(side, row["id"])
            if row["modified"] != old.get(record):
                self.intent.changes(record, row["modified"], hasty=hasty)

    def _know(self, view: View) -> None:
        """Remember the addresses that everybody ever had; a merged record's are its heir's too."""
        for side, row in view.everybody():
            self._known_as[node(side, row["id"])] |= {row["key"]} - {""}
        for row in view.records:
            if row["master"]:
                self._known_as[node("crm", row["master"])] |= self._known_as[node("crm", row["id"])]

    def _words(self, before: View, after: View) -> None:
        """Learn who said no and who said yes again."""
        old = {row["id"]: row for row in before.contacts}
        new = {row["id"]: row for row in after.contacts}
        for number in sorted(old.keys() - new.keys()):
            scope = self._setting.scope(number)
            self.consent.forgotten(old[number]["key"], scope, self._matters_in(scope))
        for number in sorted(old.keys() & new.keys()):
            self._contact_said(old[number], new[number])
        for pair in self._setting.lists:
            self._list_said(before, after, pair)
        for address, list_id in set(after.suppressions) - set(before.suppressions):
            if not list_id:
                self.consent.written_down(address)
                self._doubt(after, address)
        for address, list_id in set(before.suppressions) - set(after.suppressions):
            if not list_id:
                self.consent.taken_away(address)
        was = {row["id"]: row for row in before.records}
        for row in after.records:
            past = was.get(row["id"], row)
            if any(row[name] != past[name] for name in ("flagged", "statecode", "merged", "key")):
                self.intent.touches(node("crm", row["id"]))
                self._doubt(after, row["key"], past["key"])

    def _contact_said(self, old: Row, new: Row) -> None:
        scope = self._setting.scope(new["id"])
        if old["key"] != new["key"]:
            silent = new["status"] in self._ends_all
            lists = self._matters_in(scope)
            self.consent.moved(old["key"], new["key"], scope, lists, mailable=not silent)
        if old["status"] != new["status"]:
            if new["status"] == _MAILABLE:
                self.consent.came_back(new["key"], scope)
            elif new["status"] in self._ends_all:
                self.consent.silenced(new["key"], scope)
            self._doubt_record(node("pf", new["id"]))

    def _list_said(self, before: View, after: View, pair: ListPair) -> None:
        """Learn who unsubscribed from a list, or joined it again."""
        for row in after.contacts:
            was, now = (self._on_list(view, row["id"], pair) for view in (before, after))
            if was != now and now == "unsubscribed":
                self.consent.written_down(row["key"], pair.matter)
                self._left_at[row["id"], pair.matter] = self.intent.tick
            if was == "unsubscribed" and now == _MAILABLE:
                self._left_at.pop((row["id"], pair.matter), None)
                self.consent.came_back_to(row["key"], pair.matter)
            if was != now and "unsubscribed" in (was, now):
                self._doubt_record(node("pf", row["id"]))

    def _on_list(self, view: View, contact: str, pair: ListPair) -> str | None:
        """Return whether a list may mail a contact, whether they are on it or not."""
        if not self._setting.may_hold(pair, contact):
            return None
        if self._setting.terms.leaves_all:
            return next((row["status"] for row in view.contacts if row["id"] == contact), None)
        return view.memberships.get((str(pair.ids["marketing"]), contact))

    def _matters_in(self, scope: str) -> list[str]:
        """Return what is being on a list of an audience; a list that is gone was perhaps in it."""
        lists = [(pair.matter, pair.ids["marketing"]) for pair in self._setting.lists]
        return [matter for matter, own in lists if not own or self._setting.scope(own) == scope]

    def _doubt(self, view: View, *keys: str) -> None:
        for side, row in view.everybody():
            if row["key"] in keys:
                self._doubt_record(node(side, row["id"]))

    def _doubt_record(self, record: str) -> None:
        for pair in self._setting.lists:
            self.intent.doubts(record, pair.matter)

    # ── people in charge act ──────────────────────────────────────────────────────────────────

    def is_another_list(self, number: int, view: View) -> None:
        """A list stands for others than before: this is a first sync."""
        matter = self._setting.lists[number].matter
        self.intent.is_another(matter)
        self.consent.is_another(matter)
        self._seed(matter, view)

    def is_erased(self, address: str, before: View, after: View) -> None:
        """A person is erased on both sides, with whoever was linked."""
        gone = {node(side, row["id"]) for side, row in before.everybody()}
        gone -= {node(side, row["id"]) for side, row in after.everybody()}
        self.consent.erases(address, set().union(*(self._known_as[record] for record in gone)))

    def has_another_key(self, number: int) -> None:
        """Whether anything is remembered of a list that has another key is left open."""
        self.intent.may_be_another(self._setting.lists[number].matter)

    def is_another_field(self, name: str, view: View) -> None:
        """A field stands for others than before: what both agreed on was about something else."""
        self.intent.is_another(name)
        self._seed(name, view)

    def is_decided_anew(self, name: str, policy: Policy) -> None:
        """Somebody else wins a field's conflicts."""
        self.intent.policies[name] = policy
        self.intent.may_be_another(name)

    def _seed(self, matter: str, view: View) -> None:
        for record, matters in facts(view, self._setting).items():
            if matters.get(matter) is not None:
                self.intent.says(record, matter, matters[matter])

    # ── a sync writes ─────────────────────────────────────────────────────────────────────────

    def sync(self, run: Running, before: View, after: View, links: Links) -> None:
        """Hold what a part of a run wrote against what people said."""
        self._nobody_mailable_again(before, after, run)
        self._nobody_joined_against_their_word(before, after, run)
        self._nothing_doubled(before, after)
        self._nobody_brought_back(before, after)
        old, new = facts(before, self._setting), facts(after, self._setting)
        groups = self._groups(after, links)
        for record in new.keys() & old.keys():
            for matter, value in new[record].items():
                if value != old[record].get(matter, value):
                    write = Write(record, matter, value, groups[record] - {record})
                    self._justified(write, run, after)
                    self.intent.writes(record, matter, value, run=run.name)
        for record in old.keys() - new.keys():
            for matter in [matter for matter, value in old[record].items() if value == ON]:
                self._justified(Write(record, matter, None, groups[record] - {record}), run, after)
                self.intent.writes(record, matter, None, run=run.name)
        for record in new.keys() - old.keys():
            self._created(record, new, groups[record] - {record}, run, after)
        self._know(after)
        self._agree_perhaps(run, self._persons(after, links, new), new)

    def _agree_perhaps(self, run: Running, everybody: list[Person], new: Facts) -> None:
        """Take for agreed, perhaps, what both sides have now."""
        for person in everybody:
            for matter in self._matters(person, new):
                own, values = self._of(person, matter, new), self._values(person, matter, new)
                expected = self._expected(own, matter, run=run.name)
                # What a sync made equal in spite of what people said is no agreement of theirs.
                if len(values) == 1 and (not expected or values <= expected):
                    self.intent.agrees(own, matter, *values, sure=False)

    def _justified(self, write: Write, run: Running, view: View) -> None:
        """A sync writes only what somebody said on another record of the same person."""
        told = f"{write.matter} of {write.record} became {write.value!r}"
        brought_back = write.matter == "email" and write.value in self.consent.erased
        assert not brought_back, f"{told}, which was erased"
        if write.value is None:
            matters = {write.matter, *self._wholes(write.matter)}
            left = any(
                self.intent.cleared(other, matter)
                for other in {*write.others, write.record}
                for matter in matters
                if other != write.record or matter != write.matter
            )
            word = write.matter.startswith("list") and self._spoken_against(write, view)
            assert left or word, f"{told}, and nobody took it away"
            return
        assert self._said(write, run), f"{told}, and nobody said so"

    def _wholes(self, matter: str) -> list[str]:
        return [whole for whole, tag in self._setting.tags() if tag == matter]

    def _said(self, write: Write, run: Running) -> bool:
        """Another record of the person has the value, or had it since the run began."""
        return any(
            write.value in self.intent.held_since(other, write.matter, run.since)
            for other in write.others
        )

    def _created(self, record: str, new: Facts, others: set[str], run: Running, view: View) -> None:
        """Whom a sync creates, it makes of somebody; both agree on what was carried over."""
        if _is_kept(record, view):
            self.intent.writes(record, "email", new[record]["email"], run=run.name)
            return
        side = record.partition(":")[0]
        sources = [other for other in others if other.partition(":")[0] != side]
        assert sources, f"{record} was made of nobody: {new[record]}"
        tags = {tag for _, tag in self._setting.tags()}
        for matter, value in new[record].items():
            if value is None:
                continue
            self.intent.writes(record, matter, value, run=run.name)
            said = self._said(Write(record, matter, value, others), run)
            if not said and value in self.intent.held_since(record, matter, 0):
                said = True  # whoever comes back has the fields and tags that they had
                if matter in tags:
                    self._open.add((record, matter))
            assert said, f"{matter} of the new {record} is {value!r}, and nobody said so"
            for source in sources:
                held = self.intent.held_since(source, matter, run.since)
                if value in held:
                    pair = (record, source) if side == "crm" else (source, record)
                    person = Person((pair[0],), pair[1])
                    # Somebody may have changed it meanwhile, which the next run sees.
                    self.intent.agrees(person, matter, value, sure=held == {value})

    def _groups(self, view: View, links: Links) -> dict[str, set[str]]:
        """Return, by record, everybody whom links or an address make the same person."""
        group: dict[str, set[str]] = defaultdict(set)
        edges = [(node("crm", record), node("pf", contact)) for record, contact in links]
        by_key = defaultdict(list)
        for record, keys in self._known_as.items():
            for key in keys:
                by_key[key].append(record)
        edges += [(same[0], other) for same in by_key.values() for other in same]
        rows = view.everybody()
        edges += [(node(side, row["id"]), node(side, row["id"])) for side, row in rows]
        edges += [
            (found[0], node(side, row["id"]))
            for side, row in rows
            if (found := by_key.get(row["key"]))
        ]
        for one, other in edges:
            merged = (group[one] or {one}) | (group[other] or {other})
            for record in merged:
                group[record] = merged
        return group

    def _spoken_against(self, write: Write, view: View) -> bool:
        """Somebody's consent, or a flag, takes people off lists."""
        everybody, matter = {write.record, *write.others}, write.matter
        keys = set().union(*(self._known_as[one] for one in everybody))
        if keys & self.consent.silent or any((key, matter) in self.consent.left for key in keys):
            return True
        if keys & {address for address, _ in view.suppressions}:
            return True
        flagged = any(row["flagged"] for row in view.records if node("crm", row["id"]) in everybody)
        silent = any(
            row["status"] != _MAILABLE
            for row in view.contacts
            if node("pf", row["id"]) in everybody
        )
        own = self._list_ids(matter)["marketing"]
        left = any(
            status != _MAILABLE and list_id == own and node("pf", contact) in everybody
            for (list_id, contact), status in view.memberships.items()
        )
        return flagged or silent or left

    def _list_ids(self, matter: str) -> dict[str, str | None]:
        return next(pair.ids for pair in self._setting.lists if pair.matter == matter)

    def _nobody_mailable_again(self, before: View, after: View, run: Running) -> None:
        flagged = before.flagged if run.waited else run.flagged
        was = {row["id"]: row for row in before.contacts}
        for row in after.contacts:
            old = was.get(row["id"])
            if old is not None and old["status"] != _MAILABLE:
                assert row["status"] != _MAILABLE, f"{row['email']} was {old['status']}"
            if old is None and row["status"] == _MAILABLE:
                silent = self.consent.silent_in(self._setting.scope(row["id"]))
                assert row["key"] not in silent, f"{row['email']} is mailable again"
                assert row["key"] not in flagged, f"{row['email']} is flagged, and was created"
        flags = {row["id"] for row in before.records if row["flagged"]}
        for record in after.records:
            assert record["flagged"] or record["id"] not in flags, f"{record} lost its flag"
        for member, status in after.memberships.items():
            if before.memberships.get(member, _MAILABLE) != _MAILABLE:
                assert status != _MAILABLE, f"{member} is on the list again"

    def _nobody_joined_against_their_word(self, before: View, after: View, run: Running) -> None:
        keys = {row["id"]: row["key"] for row in after.records}
        for list_id, record in set(after.members) - set(before.members):
            self._may_join(keys[record], "crm", list_id)
            self._not_erased(node("crm", record), run)
        contacts = {row["id"]: row["key"] for row in after.contacts}
        joined = after.memberships.keys() - before.memberships.keys()
        # Whoever is put down as unsubscribed joins nothing.
        for list_id, contact in (key for key in joined if after.memberships[key] == _MAILABLE):
            self._may_join(contacts[contact], "marketing", list_id)
            self._not_erased(node("pf", contact), run)
            assert contacts[contact] not in run.flagged, f"{contacts[contact]} is flagged"

    def _may_join(self, key: str, side: str, list_id: str) -> None:
        pair = next((pair for pair in self._setting.lists if pair.ids[side] == list_id), None)
        scope = self._setting.scope(pair.ids["marketing"] if pair else None)
        silent = self.consent.silent_in(scope) - self._too_late
        assert key not in silent, f"{key} joined {pair} in spite of a suppression"
        left = pair is not None and (key, pair.matter) in self.consent.left
        assert not left, f"{key} joined {pair} again"

    def _not_erased(self, record: str, run: Running) -> None:
        held = self.intent.held_since(record, "email", run.since)
        assert not held or not held <= self.consent.erased, f"{record} joined, and was erased"

    def _nobody_brought_back(self, before: View, after: View) -> None:
        """Whoever asked to be forgotten is written nowhere again."""
        had = {node(side, row["id"]) for side, row in before.everybody()}
        made = {row["key"] for side, row in after.everybody() if node(side, row["id"]) not in had}
        made |= {address for address, _ in set(after.suppressions) - set(before.suppressions)}
        assert not made & self.consent.erased, f"{made & self.consent.erased} was erased"

    def _nothing_doubled(self, before: View, after: View) -> None:
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
        contacts = [(row["key"], self._setting.scope(row["id"])) for row in after.contacts]
        assert len(set(contacts)) == len(contacts), f"one contact is there twice: {contacts}"
        addresses = [key for key, list_id in after.suppressions if not list_id]
        new = len(addresses) - len([1 for _, list_id in before.suppressions if not list_id])
        assert (
            new == 0
            or len(set(addresses))
            - len({key for key, list_id in before.suppressions if not list_id})
            == new
        ), "a suppression record is doubled"

    # ── a run has ended ───────────────────────────────────────────────────────────────────────

    def ended(self, ended: Ended, view: View, links: Links) -> None:
        """Count its jobs, and take what both sides have after it for what they agree on."""
        run, audit = ended.run, ended.audit
        if audit is None:
            return
        assert "Internal server error" not in f"{audit.message} {audit.notes}", audit
        _counted(audit)
        if audit.status != "Completed":
            return
        if run.sync_type == "suppressions":
            self.consent.heard(self._said_before.pop(ended.run.name))
        if run.sync_type == "marketing_lists" and not run.troubled:
            self._agree(run, view, links)

    def _agree(self, run: Running, view: View, links: Links) -> None:
        """Where nobody acted meanwhile, what both have in the end is agreed, and must be right."""
        new = facts(view, self._setting)
        for person in self._persons(view, links, new):
            if self.intent.touched_since(person, run.since) or not self._fit(person, view):
                continue
            for matter in self._matters(person, new):
                if matter != "email" and not self._on_lists(person, new):
                    continue
                own, values = self._of(person, matter, new), self._values(person, matter, new)
                if len(values) == 1:
                    self._right(own, matter, *values, run=run.name)
                    self.intent.agrees(own, matter, *values, sure=True)
                    self._open -= {(record, matter) for record in (*own.records, own.contact)}

    def _right(
        self, person: Person, matter: str, value: str | None, *, run: str | None = None
    ) -> None:
        expected = self._expected(person, matter, run=run)
        assert not expected or value in expected, (
            f"{matter} of {person} is {value!r}; what people said is {sorted(map(repr, expected))}"
        )

    def _expected(self, person: Person, matter: str, *, run: str | None) -> set[Value]:
        """Return what both sides may have; nothing in particular where that is left open."""
        everybody = (*person.records, person.contact)
        if self._open.intersection((record, matter) for record in everybody):
            return set()
        return self.intent.expected(person, matter, run=run)

    @staticmethod
    def _matters(person: Person, new: Facts) -> list[str]:
        """Return what both sides of a person have in common."""
        ours = {matter for record in person.records for matter in new.get(record, {})}
        return sorted(ours & new.get(person.contact, {}).keys())

    @staticmethod
    def _of(person: Person, matter: str, new: Facts) -> Person:
        """Return a person with the records only that a matter is about."""
        records = tuple(one for one in person.records if matter in new.get(one, {}))
        beside = () if matter.startswith("list") else person.beside  # a list is in one audience
        return replace(person, records=records, beside=beside)

    def _values(self, person: Person, matter: str, new: Facts) -> set[str | None]:
        own = {new[record][matter] for record in self._of(person, matter, new).records}
        if matter.startswith("list") and ON in own:
            own = {ON}  # one of several records is enough
        return {*own, new[person.contact][matter]}

    def _on_lists(self, person: Person, new: Facts) -> bool:
        return all(
            any(
                matter.startswith("list") and value == ON and new[person.contact].get(matter) == ON
                for matter, value in new[record].items()
            )
            for record in person.records
        )

    def _persons(self, view: View, links: Links, new: Facts) -> list[Person]:
        """Return everybody; what an audience says that may not mail them need not reach others."""
        return [
            replace(person, open=not all(self._heard_in(one, view, new) for one in elsewhere))
            for person in persons(view, links, self._setting)
            for elsewhere in [person.everywhere()[1:]]
        ]

    def _heard_in(self, person: Person, view: View, new: Facts) -> bool:
        there = person.contact in new
        return there and self._fit(person, view) and self._on_lists(person, new)

    def _scope_of(self, person: Person) -> str:
        return self._setting.scope(person.contact.partition(":")[2])

    def _fit(self, person: Person, view: View) -> bool:
        """Nothing speaks against mailing a person, of whom there is one contact at the platform."""
        contact = next(row for row in view.contacts if node("pf", row["id"]) == person.contact)
        rows = [row for row in view.records if node("crm", row["id"]) in person.records]
        keys = {row["key"] for row in (contact, *rows)}
        # One flagged record speaks for its address, even if it is on no list.
        sharing = [row for row in view.records if row["key"] in keys and not row["merged"]]
        return (
            contact["status"] == _MAILABLE
            and not keys & {"", *self.consent.silent, *self.consent.perhaps_erased}
            and not any(row["flagged"] for row in sharing)
            and not any(row["flagged"] or row["statecode"] for row in rows)
        )

    # ── at rest ───────────────────────────────────────────────────────────────────────────────

    def at_rest(self, view: View, links: Links) -> None:
        """Both sides agree, and every word reached the other side.

        Args:
            view: What the vendors hold.
            links: CRM records and contacts that the store calls the same people.
        """
        for contact in view.contacts:
            given = (contact["key"], self._setting.scope(contact["id"])) in self.consent.given
            if contact["key"] in self.consent.silent and not given:
                assert contact["status"] != _MAILABLE, f"{contact} may be mailed"
        new = facts(view, self._setting)
        everybody = self._persons(view, links, new)
        linked = {
            (record, self._scope_of(person)) for person in everybody for record in person.records
        }
        for person in everybody:
            self._are_the_same(person)
            self._flagged(person, view)
            self._off_the_lists(person, new, view)
            if self._fit(person, view):
                self._agreed(person, new, view)
        elsewhere = {
            record
            for person in everybody
            for record in person.records
            if new[person.contact]["email"] != new[record]["email"]
        }
        for row in (row for row in view.records if row["key"] and not row["merged"]):
            # Whoever is linked with a contact of another address did not say what this one's did.
            if node("crm", row["id"]) not in elsewhere:
                self._heard(row)
            for pair in self._setting.lists_of(row["entity"]):
                scope = self._setting.scope(pair.ids["marketing"])
                if (node("crm", row["id"]), scope) not in linked:
                    self._reached(view, row, pair, new, links)

    def _are_the_same(self, person: Person) -> None:
        for record, contact in person.pairs():
            shared = self._known_as[record] & self._known_as[contact]
            assert shared, f"{record} and {contact} never had one address, and are linked"

    def _flagged(self, person: Person, view: View) -> None:
        """Whoever said no at the platform is flagged, whatever addresses are written down."""
        contact = next(row for row in view.contacts if node("pf", row["id"]) == person.contact)
        if contact["status"] not in self._ends_all - {"bounced"}:
            return
        for row in view.records:
            if node("crm", row["id"]) in person.records and _writable(row):
                assert row["flagged"], f"{row} may be mailed, and {contact} may not"

    def _off_the_lists(self, person: Person, new: Facts, view: View) -> None:
        """Nobody is mailed through a list whom the CRM flags, nor is on one that they left."""
        contact = person.contact.partition(":")[2]
        flagged = any(
            row["flagged"] and node("crm", row["id"]) in person.records for row in view.records
        ) and any(row["id"] == contact and row["status"] == _MAILABLE for row in view.contacts)
        for pair in (pair for pair in self._setting.lists if None not in pair.ids.values()):
            status = view.memberships.get((str(pair.ids["marketing"]), contact))
            assert not (flagged and status == _MAILABLE), f"{person} is flagged, and on {pair}"
            # What the CRM has of somebody may be carried over as the like.
            if status == "unsubscribed" and (contact, pair.matter) in self._left_at:
                for record in person.records:
                    self._left(record, contact, pair, new, view)

    def _left(self, record: str, contact: str, pair: ListPair, new: Facts, view: View) -> None:
        """Whoever unsubscribed from a list leaves the CRM's too, which keeps a record of it."""
        matter = pair.matter
        if matter in new[record]:
            again = self.intent.said(record, matter, ON, self._left_at[contact, matter])
            assert again or new[record][matter] != ON, f"{record} left {pair}, and is on it"
            # Where they left all lists at once, a record of all mail tells it as well.
            of_all = self._setting.terms.leaves_all
            kept = {address for address, list_id in view.suppressions if list_id or of_all}
            known_as = self._known_as[node("pf", contact)]
            kept |= self.consent.perhaps_erased
            assert known_as & kept, f"{record} left {pair}, and the CRM keeps no record of it"

    def _heard(self, row: Row) -> None:
        """A closed lead cannot be written; it is flagged when it is opened again."""
        if row["key"] in self.consent.silent and _writable(row):
            assert row["flagged"], f"{row} may be mailed"

    def _reached(self, view: View, row: Row, pair: ListPair, new: Facts, links: Links) -> None:
        """Whoever is on a list of the CRM and may be mailed is known to the platform.

        Records that followed one contact are one person, also once the contact is gone.
        """
        contacts = {contact for record, contact in links if record == row["id"]}
        beside = {record for record, contact in links if contact in contacts}
        same = [
            other
            for other in view.records
            if other["key"] == row["key"] or (other["id"] in beside and not other["merged"])
        ]
        silent = any(other["flagged"] or other["key"] in self.consent.silent for other in same)
        matter, whole = pair.matter, None not in pair.ids.values()
        if new[node("crm", row["id"])].get(matter) == ON and whole and not silent:
            left = (row["key"], matter) in self.consent.left
            left |= row["key"] in self.consent.perhaps_erased
            assert left or row["statecode"], f"{row} is not there"

    def _agreed(self, person: Person, new: Facts, view: View) -> None:
        """Both sides of a person have the same, and it is what people said."""
        for matter in self._matters(person, new):
            own, values = self._of(person, matter, new), self._values(person, matter, new)
            if self._left_alone(own, matter, new, view):
                continue
            told = {one: new[one][matter] for one in (*own.records, own.contact)}
            assert len(values) == 1, f"{matter} of one person: {told}"
            self._right(own, matter, *values)

    def _left_alone(self, person: Person, matter: str, new: Facts, view: View) -> bool:
        """Return where both sides of a person need not agree on a matter."""
        keys = self._known_as[person.contact].union(
            *(self._known_as[record] for record in person.records)
        )
        if matter.startswith("list"):
            ids = self._list_ids(matter)
            contact = person.contact.partition(":")[2]
            status = view.memberships.get((str(ids["marketing"]), contact))
            left = any((key, matter) in self.consent.left for key in keys)
            return None in ids.values() or left or status not in (None, _MAILABLE)
        if not self._on_lists(person, new):
            return True
        if matter == "email":
            contact_row = next(
                row for row in view.contacts if node("pf", row["id"]) == person.contact
            )
            own = {new[record]["email"] for record in person.records}
            others = {
                row["key"]
                for row in view.contacts
                if row is not contact_row
                and self._setting.scope(row["id"]) == self._scope_of(person)
            }
            return bool(own & others) or len(own) > 1
        return False


def _is_kept(record: str, view: View) -> bool:
    """Return whether a contact is there so that nobody adds one whom the CRM suppresses."""
    return any(
        row["status"] == "unsubscribed" and (row["key"], "") in view.suppressions
        for row in view.contacts
        if node("pf", row["id"]) == record
    )


def _writable(row: Row) -> bool:
    return bool(row["entity"] == "contact" or row["statecode"] == 0)


def _counted(run: Finished) -> None:
    counts = run.counts
    if not counts:
        return
    named = ("new", "updated", "re_added", "unchanged", "duplicate", "deleted", "errors")
    total = sum(counts[name] for name in named) + sum(counts["ignored"].values())
    assert counts["total"] == total + counts.get("planned", 0) == len(run.jobs), counts
