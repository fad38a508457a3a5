"""What people said and meant, as the documents promise to honour it: what histories are judged by.

Knows no vendor and nothing of the library. There are records, of either side, that people change
and syncs write to; of each, matters that both sides are to agree on: a field, an address, or being
on a list (`ON` or None). A person is some CRM records and the contact that they are linked with.

    intent.says("crm:1", "city", "Oslo")
    intent.agrees(Person(("crm:1",), "pf:1"), "city", "Oslo", sure=True)
    intent.says("pf:1", "city", "Rome")
    assert intent.expected(Person(("crm:1",), "pf:1"), "city") == {"Rome"}

Where the documents leave it open what comes out, `expected` has several values: any of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Literal

Value = str | None
Policy = Literal["crm", "marketing", "newest"]
ON: Final = "on"
# The vendors tell times to the second, or better.
_AT_ONCE: Final = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Person:
    """CRM records and the contact that all of them are linked with.

    Attributes:
        records: Of the CRM.
        contact: Of the platform.
        beside: The contacts of other audiences that these records are linked with as well.
        open: Whether what is said there comes here is left open: not all of them may be mailed.
    """

    records: tuple[str, ...]
    contact: str
    beside: tuple[str, ...] = ()
    open: bool = False

    def pairs(self) -> list[tuple[str, str]]:
        """Return each record with the contact."""
        return [(record, self.contact) for record in self.records]

    def everywhere(self) -> list[Person]:
        """Return the person as each of the contacts."""
        everybody = (self.contact, *self.beside)
        return [
            Person(self.records, one, tuple(other for other in everybody if other != one))
            for one in everybody
        ]


@dataclass(frozen=True, slots=True)
class Word:
    """What a person gave a record.

    Attributes:
        value: The value; None where it was cleared.
        tick: When, in the order of the history.
        hasty: A run was under way that may have read the record already.
    """

    value: Value
    tick: int
    hasty: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """Both sides had one value; `sure` where a run is known to have noticed."""

    value: Value
    tick: int
    sure: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A person's change of a record.

    Attributes:
        at: When, by the clock of the record's vendor.
        tick: When, in the order of the history.
        hasty: As in a word.
    """

    at: datetime
    tick: int
    hasty: bool


class Intent:
    """Remembers words and agreements, and says what should come of them.

    Args:
        policies: Who wins where both sides changed a matter; the CRM, where nothing is said.
    """

    def __init__(self, policies: Mapping[str, Policy] | None = None) -> None:
        self.policies: dict[str, Policy] = dict(policies or {})
        self.tick = 0
        self._words: dict[tuple[str, str], list[Word]] = defaultdict(list)
        self._held: dict[tuple[str, str], list[tuple[int, Value]]] = defaultdict(list)
        self._touched: dict[str, int] = {}
        self._changed: dict[str, list[Change]] = defaultdict(list)
        self._written: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self._agreed: dict[tuple[str, str, str], list[Agreement]] = defaultdict(list)

    # ── what happens ──────────────────────────────────────────────────────────────────────────

    def says(self, record: str, matter: str, value: Value, *, hasty: bool = False) -> None:
        """Somebody gives a record a value."""
        self.touches(record)
        self._words[record, matter].append(Word(value, self.tick, hasty))
        self._held[record, matter].append((self.tick, value))

    def touches(self, record: str) -> None:
        """Somebody changes a record in any way."""
        self.tick += 1
        self._touched[record] = self.tick

    def changes(self, record: str, at: datetime, *, hasty: bool = False) -> None:
        """Somebody changes a record so that its vendor tells another time of its last change."""
        self.touches(record)
        self._changed[record].append(Change(at, self.tick, hasty))

    def writes(self, record: str, matter: str, value: Value, *, run: str = "") -> None:
        """A sync gives a record a value: nobody's word."""
        self.tick += 1
        self._written[record].append((self.tick, run))
        self._held[record, matter].append((self.tick, value))

    def agrees(self, person: Person, matter: str, value: Value, *, sure: bool) -> None:
        """Both sides of a person are seen to have one value."""
        self.tick += 1
        for record, contact in person.pairs():
            known = self._agreed[record, contact, matter]
            if sure:
                known.clear()
            if not known or (known[-1].value, known[-1].sure) != (value, sure):
                known.append(Agreement(value, self.tick, sure))

    def is_another(self, matter: str) -> None:
        """A matter is about something else from now on: nothing is agreed, and nothing was said."""
        for store in (self._words, self._held):
            for key in [key for key in store if key[1] == matter]:
                del store[key]
        for pair in [pair for pair in self._agreed if pair[2] == matter]:
            del self._agreed[pair]

    def may_be_another(self, matter: str) -> None:
        """Others decide on a matter from now on; whether what was agreed counts is left open."""
        for pair, known in self._agreed.items():
            if pair[2] == matter:
                self._agreed[pair] = [Agreement(one.value, one.tick, sure=False) for one in known]

    def doubts(self, record: str, matter: str) -> None:
        """Something beside a matter decided on it: whether what was agreed counts is left open."""
        for pair, known in self._agreed.items():
            if record in pair[:2] and pair[2] == matter:
                self._agreed[pair] = [Agreement(one.value, one.tick, sure=False) for one in known]

    # ── what should come of it ────────────────────────────────────────────────────────────────

    def touched_since(self, person: Person, tick: int) -> bool:
        """Return whether somebody changed a record of a person after a tick."""
        everybody = (*person.records, person.contact, *person.beside)
        return any(self._touched.get(record, 0) > tick for record in everybody)

    def held_since(self, record: str, matter: str, tick: int) -> set[Value]:
        """Return what a record held at a tick, and whatever it got after it."""
        held = [(0, None), *self._held[record, matter], (self.tick + 1, None)]
        return {value for (_, value), (until, _) in pairwise(held) if until > tick}

    def cleared(self, record: str, matter: str, tick: int = 0) -> bool:
        """Return whether somebody cleared a value of a record after a tick."""
        return self.said(record, matter, None, tick)

    def said(self, record: str, matter: str, value: Value, tick: int) -> bool:
        """Return whether somebody gave a record this value after a tick."""
        return any(word.value == value and word.tick > tick for word in self._words[record, matter])

    def last_sure(self, person: Person, matter: str) -> int:
        """Return when both sides surely agreed last; 0 where they never did."""
        return max(
            (
                one.tick
                for pair in person.pairs()
                for one in self._agreed[(*pair, matter)]
                if one.sure
            ),
            default=0,
        )

    def expected(self, person: Person, matter: str, *, run: str | None = None) -> set[Value]:
        """Return what both sides may have once they have come to rest.

        Args:
            person: Whose records.
            matter: Of what.
            run: It is judged what this run made of it, whose own writes came afterwards.
        """
        if not person.beside:
            return self._decided(person, matter, run)
        everywhere = person.everywhere()
        speaking = [one for one in everywhere if self._speaks(one, matter)] or everywhere
        # What one audience said reaches another one with the run after.
        if person.open or run is not None:
            speaking = [*speaking, person]
        return set().union(*(self._decided(one, matter, run) for one in speaking))

    def _decided(self, person: Person, matter: str, run: str | None) -> set[Value]:
        """Return what may become of a person's records and the one contact."""
        found: set[Value] = set()
        for record, contact in person.pairs():
            latest = self._latest(record, person, matter)
            for base in self._bases(record, contact, matter):
                ours, theirs = (self._stands(one, matter, base) for one in (record, contact))
                if latest and latest.tick > ours.tick:
                    ours = Word(latest.value, latest.tick)
                since = base.tick if base else 0
                winners = self._winners(record, contact, matter, since, run)
                found |= _outcome(base.value if base else None, ours, theirs, winners)
        return found

    def _bases(self, record: str, contact: str, matter: str) -> list[Agreement | None]:
        agreements: list[Agreement | None] = [*self._agreed[record, contact, matter]]
        if not any(one and one.sure for one in agreements):
            agreements.append(None)
        return agreements

    def _speaks(self, person: Person, matter: str) -> bool:
        """Return whether somebody may have changed the contact since it agreed with a record."""
        return any(
            self._stands(contact, matter, base).value != (base.value if base else None)
            for record, contact in person.pairs()
            for base in self._bases(record, contact, matter)
        )

    def _latest(self, record: str, person: Person, matter: str) -> Agreement | None:
        """Return what a record agreed on last with a contact of another audience."""
        known = [one for other in person.beside for one in self._agreed[record, other, matter]]
        return max((one for one in known if one.sure), key=lambda one: one.tick, default=None)

    def _stands(self, record: str, matter: str, base: Agreement | None) -> Word:
        """Return where a record stands: a word after the agreement, else what it had then."""
        words = self._words[record, matter]
        if base is None:
            tick, value = (
                self._held[record, matter][-1] if self._held[record, matter] else (0, None)
            )
            hasty = bool(words and words[-1].hasty)
            return Word(value, tick, hasty)
        if words and words[-1].tick > base.tick:
            return words[-1]
        return Word(base.value, base.tick)

    def _winners(
        self, crm: str, marketing: str, matter: str, since: int, run: str | None
    ) -> Collection[str]:
        policy = self.policies.get(matter, "crm")
        if policy != "newest":
            return [policy]
        if any(self._written_by_others(record, since, run) for record in (crm, marketing)):
            return ["crm", "marketing"]
        ours, theirs = self._changed[crm], self._changed[marketing]
        hasty = any(change.hasty for change in (*ours, *theirs) if change.tick > since)
        if hasty or not (ours and theirs) or abs(ours[-1].at - theirs[-1].at) < _AT_ONCE:
            return ["crm", "marketing"]
        return ["crm"] if ours[-1].at > theirs[-1].at else ["marketing"]

    def _written_by_others(self, record: str, since: int, run: str | None) -> bool:
        """Return whether a sync made a record look newer than the last edit by a person."""
        return any(tick > since and by != run for tick, by in self._written[record])


def _outcome(before: Value, ours: Word, theirs: Word, winners: Collection[str]) -> set[Value]:
    """Return what comes of two sides that agreed on a value before."""
    if ours.value == theirs.value:
        return {ours.value}
    if theirs.value == before:
        return {ours.value}
    if ours.value == before:
        return {theirs.value}
    if ours.hasty or theirs.hasty:
        return {ours.value, theirs.value}
    values = {"crm": ours.value, "marketing": theirs.value}
    return {values[side] for side in winners}


@dataclass(frozen=True, slots=True)
class Said:
    """What had been said at a moment, and which of it nobody had heard."""

    words: frozenset[tuple[str, str]]
    unheard: tuple[tuple[str, str | None], ...]


class Consent:
    """Who said no, of which address, who has taken it back, and who asked to be forgotten.

    A word on the whole account silences an address until its person comes back by the platform's
    own means. One that is written down somewhere (in the CRM, or against one list) is known to
    others only once the suppressions sync has run to its end.
    """

    def __init__(self) -> None:
        # Addresses, with the audiences in which it was said; "" where it was in the CRM.
        self._words: set[tuple[str, str]] = set()
        self.left: set[tuple[str, str]] = set()
        self.erased: set[str] = set()
        self.perhaps_erased: set[str] = set()
        self._unheard: list[tuple[str, str | None]] = []
        self._kept: set[tuple[str, str]] = set()
        # Addresses that somebody gave a mailable contact of an audience in spite of a word on them.
        self.given: set[tuple[str, str]] = set()

    @property
    def silent(self) -> set[str]:
        """Addresses that may not be mailed, whichever audience it was said in."""
        return {address for address, _ in self._words}

    def silent_in(self, scope: str) -> set[str]:
        """Addresses that no sync may mail in an audience.

        What was said in another one is known once the suppressions sync has heard it.
        """
        words = self._words
        return {word[0] for word in words if word[1] in ("", scope) or word in self._kept}

    def silenced(self, address: str, scope: str = "") -> None:
        """An address may not be mailed any more."""
        self._words.add((address, scope))
        self.given.discard((address, scope))

    def written_down(self, address: str, matter: str | None = None) -> None:
        """A word on the account, or on one list, that only the suppressions sync reads.

        Whether the CRM's word on an erased address is heard depends on whether the platform is
        known to have it again, and is left open.
        """
        if matter is None and address in self.perhaps_erased:
            return
        self._unheard.append((address, matter))

    def taken_away(self, address: str) -> None:
        """What the CRM keeps on an address is deleted; it was heard, or it never counts."""
        self._unheard = [word for word in self._unheard if word != (address, None)]

    def said(self) -> Said:
        """Return what a run that begins now can hear."""
        return Said(frozenset(self._words), tuple(self._unheard))

    def heard(self, said: Said) -> None:
        """The suppressions sync has run to its end, and heard what was said before it began."""
        for address, matter in set(self._unheard) & set(said.unheard):
            if matter is None:
                self.silenced(address)
                self._kept.add((address, ""))
            else:
                self.left.add((address, matter))
        self._unheard = [word for word in self._unheard if word not in said.unheard]
        self._kept |= self._words & said.words

    def forgotten(self, address: str, scope: str = "", lists: Collection[str] = ()) -> None:
        """The platform deletes a contact, and with it every word that nobody has read yet.

        Args:
            address: The contact's.
            scope: The audience that it was in.
            lists: That it may have been on.
        """
        self._unread(address, scope)
        gone = {(address, matter) for matter in lists}
        self._unheard = [word for word in self._unheard if word not in gone]

    def moved(
        self,
        before: str,
        after: str,
        scope: str = "",
        lists: Collection[str] = (),
        *,
        mailable: bool,
    ) -> None:
        """A contact takes its words along to another address; those that were read stay as well."""
        self._unread(before, scope)
        if not mailable:
            self.silenced(after, scope)
        elif after in self.silent:
            self.given.add((after, scope))
        self._unheard = [
            (after if address == before and matter in lists else address, matter)
            for address, matter in self._unheard
        ]

    def _unread(self, address: str, scope: str) -> None:
        self._words -= {(address, where) for where in ("", scope)} - self._kept

    def came_back(self, address: str, scope: str = "") -> None:
        """Somebody said yes again to an audience, by the platform's own means."""
        back = {(address, where) for where in ("", scope)}
        self._unheard = [word for word in self._unheard if word != (address, None)]
        self._words -= back
        self._kept -= back
        if address in self.silent:
            self.given.add((address, scope))

    def came_back_to(self, address: str, matter: str) -> None:
        """Somebody said yes again to a list, by the platform's own means."""
        self._unheard = [word for word in self._unheard if word != (address, matter)]
        self.left.discard((address, matter))

    def erases(self, address: str, others: Collection[str]) -> None:
        """A person is forgotten, with every word; no sync brings the address back.

        Args:
            address: Under which the person asked for it.
            others: What the person was ever called beside it; whether all are barred is open.
        """
        self.erased.add(address)
        everything = {address, *others}
        self.perhaps_erased |= everything
        for words in (self._words, self._kept, self.given):
            words -= {word for word in words if word[0] in everything}
        self.left = {word for word in self.left if word[0] not in everything}
        self._unheard = [word for word in self._unheard if word[0] not in everything]

    def is_another(self, matter: str) -> None:
        """A list is another one from now on: who left the old one did not leave this one."""
        self.left = {word for word in self.left if word[1] != matter}
        self._unheard = [word for word in self._unheard if word[1] != matter]
