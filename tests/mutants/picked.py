"""Changes of one expression that would cost somebody's consent or data, and the test that notices.

Each stands for a mistake that the suite once let pass. The text must occur once in its module: when
the code moves on, the mutant moves with it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes:
        name: What goes wrong then.
        module: Path below `src/bothways/`.
        code: What stands there.
        instead: What the mutant has instead.
        test: The test that fails.
    """

    name: str
    module: str
    code: str
    instead: str
    test: str


_MATCH = "tests/unit/transform/test_match.py"
_LEDGER = "tests/unit/store/test_suppressions.py"
_RETRIES = "tests/unit/store/test_retries.py"
_TWO_WAY = "tests/unit/syncs/test_marketing_lists.py"

_GUARD = "tests/unit/engine/test_guard.py"

PICKED = [
    # ── the guard ──
    Mutant(
        "the larger of number and share is allowed",
        "engine/guard.py",
        "min(absolute, share)",
        "max(absolute, share)",
        _GUARD,
    ),
    Mutant(
        "the guard allows ten times the share",
        "engine/guard.py",
        "int(known * percent / 100)",
        "int(known * percent / 10)",
        _GUARD,
    ),
    Mutant(
        "nobody who leaves a list is counted",
        "vocabulary.py",
        '"removals", PersonChange.REMOVED,',
        "None, PersonChange.REMOVED,",
        _GUARD,
    ),
    Mutant(
        "a list may be emptied",
        "engine/guard.py",
        "change.leaves >= change.members",
        "change.leaves > change.members",
        _GUARD,
    ),
    # ── who is who ──
    Mutant(
        "a follower leaves although nobody else holds the contact",
        "transform/match.py",
        "& ~is_primary & has_primary",
        "& ~is_primary",
        f"{_MATCH}::test_a_follower_that_nobody_speaks_beside_keeps_its_contact",
    ),
    Mutant(
        "a contact that its person left is offered before a free one",
        "transform/match.py",
        '{"key": keys, "closed": pa.array(~is_open), "name": names}',
        '{"key": keys, "name": names, "closed": pa.array(~is_open)}',
        f"{_MATCH}::test_of_two_contacts_with_one_address_the_one_that_nobody_left_is_meant",
    ),
    Mutant(
        "an address that both sides moved to counts as left",
        "transform/match.py",
        "moved_away = held.crm_moved & truths(pc.not_equal(held.crm_key, held.marketing_key))",
        "moved_away = held.crm_moved",
        f"{_MATCH}::test_an_address_that_both_sides_moved_to_is_still_the_persons_own",
    ),
    Mutant(
        "a new contact brings back who was deleted on both sides",
        "transform/match.py",
        "held.marketing_gone & ~held.crm_gone & (place >= 0)",
        "held.marketing_gone & (place >= 0)",
        f"{_MATCH}::test_who_is_gone_on_both_sides_is_not_brought_back_by_a_new_contact",
    ),
    # ── fields ──
    Mutant(
        "a value that cannot be read counts as cleared",
        "transform/merge.py",
        "np.flatnonzero(differ & ~unread)",
        "np.flatnonzero(differ)",
        "tests/properties/test_transform_plan.py::test_a_value_that_could_not_be_read_is_left_alone",
    ),
    Mutant(
        "a baseline outlives the pair that it was taken from",
        "store/baselines.py",
        "other = new.marketing_id != old.marketing_id",
        "other = sa.false()",
        "tests/unit/store/test_agreements.py"
        "::test_a_baseline_is_of_the_pair_that_it_was_taken_from",
    ),
    Mutant(
        "both sides agree on what one of them refused",
        "ledgers/baselines.py",
        'Entry(_BASELINES, about=("crm_id", "marketing_id")',
        'Entry(_BASELINES, about=("crm_id",)',
        "tests/unit/engine/test_keeping.py",
    ),
    # ── consent ──
    Mutant(
        "a deleted record of the CRM alone ends a suppression",
        "syncs/two_way/consent.py",
        'told["deleted_at"].notna() & ended & answered',
        'told["deleted_at"].notna() & ended',
        f"{_TWO_WAY}::test_a_membership"
        "[suppressed by a record of the CRM that somebody has deleted]",
    ),
    Mutant(
        "a contact that was read before the word ends it",
        "syncs/two_way/consent.py",
        'later = (modified > told["told_at"]).fillna(value=False)',
        "later = modified.notna()",
        f"{_TWO_WAY}::test_a_membership[read as mailable before the suppression]",
    ),
    Mutant(
        "a flag holds for one record of a person and not for the others",
        "syncs/two_way/consent.py",
        'reason = opted_out.fillna(crm).groupby(rows["person"]).transform("first")',
        "reason = opted_out.fillna(crm)",
        f"{_TWO_WAY}"
        "::test_a_flag_on_one_record_holds_for_the_persons_others_whatever_their_address",
    ),
    Mutant(
        "what the ledger says of the platform's address is not asked",
        "syncs/two_way/consent.py",
        'reason = looked_up(rows["marketing_email_key"], of_address)',
        'reason = looked_up(rows["crm_email_key"], of_address)',
        f"{_TWO_WAY}::test_a_suppression_of_the_platforms_address_counts_under_the_crms_new_one",
    ),
    Mutant(
        "a second unsubscribe is taken for the one that was lifted",
        "store/suppressions.py",
        "later = sa.func.coalesce(new.told_at > old.told_at, sa.false())",
        "later = sa.false()",
        f"{_LEDGER}::test_after_a_lifting_another_word_counts_and_the_same_does_not",
    ),
    Mutant(
        "a word that was told after the plan is lifted with the old one",
        "store/suppressions.py",
        'for name in ("record_id", "told_at")',
        'for name in ("record_id",)',
        f"{_LEDGER}::test_a_word_that_was_told_meanwhile_is_not_lifted",
    ),
    Mutant(
        "an older run replaces what a newer one has read",
        "store/suppressions.py",
        "latest = new.seen_run >= sa.func.coalesce(old.seen_run, 0)",
        "latest = sa.true()",
        f"{_LEDGER}::test_the_record_that_was_read_last_is_kept_and_an_older_run_changes_nothing",
    ),
    Mutant(
        "an older run drops a record that a newer one saw",
        "store/suppressions.py",
        "        sa.func.coalesce(ledger.c.seen_run, 0) <= run_id,\n",
        "",
        f"{_LEDGER}::test_an_older_run_does_not_drop_what_a_newer_one_saw",
    ),
    Mutant(
        "consent is given up",
        "store/retries.py",
        '"given_up": sa.and_(tries >= attempts, sa.not_(new.consent))',
        '"given_up": tries >= attempts',
        f"{_RETRIES}::test_consent_is_never_given_up_and_waits_an_hour_at_most",
    ),
    Mutant(
        "the wait before the next try does not grow",
        "store/retries.py",
        "sa.func.power(2, doublings, type_=sa.Float)",
        "sa.func.power(1, doublings, type_=sa.Float)",
        f"{_RETRIES}::test_each_wait_is_twice_the_one_before",
    ),
    Mutant(
        "an erased person is written back by a plan that waited",
        "engine/recheck.py",
        "reason = reason.mask(_erased(run, conn, side, operations), Reason.ERASED)",
        "reason = reason.mask(reason.isna() & False, Reason.ERASED)",
        "tests/promises/test_approved_plans.py"
        "::test_who_is_barred_while_a_run_is_approved_is_not_written_either",
    ),
    Mutant(
        "an erasure goes beyond what was reviewed",
        "engine/erase.py",
        "if unseen.any():",
        "if False:",
        "tests/promises/test_erase.py::test_what_turns_up_after_the_review_is_not_deleted_unseen",
    ),
    Mutant(
        "a pair is forgotten while one of its records is there",
        "store/retention.py",
        '_gone(before, table.c.account, "marketing", table.c.marketing_id),',
        "",
        "tests/unit/store/test_retention.py"
        "::test_what_is_known_of_a_pair_goes_once_both_records_have_been_gone",
    ),
    # ── reading ──
    Mutant(
        "a page that overlaps none before it is believed",
        "connectors/http/paging.py",
        "accepted = offset == 0 or len(fresh) < len(rows)",
        "accepted = True",
        "tests/properties/test_offset_paging.py::test_nothing_that_was_there_throughout_is_missed",
    ),
    Mutant(
        "a run for chosen records moves a watermark",
        "engine/close.py",
        "if not run.options.restricted and not",
        "if not",
        "tests/promises/test_by_hand.py::test_chosen_records_only_and_nothing_is_read_past",
    ),
    Mutant(
        "a list that waits for its other half is read past",
        "engine/close.py",
        "planned = _synced(run) - skipped",
        "planned = _synced(run)",
        "tests/promises/test_1_consent.py"
        "::test_a_list_that_the_crm_has_not_got_yet_is_not_read_past",
    ),
    Mutant(
        "a list that was refused is read past",
        "engine/close.py",
        'planned.issuperset(mark["lists"])',
        "True",
        "tests/promises/test_1_consent.py"
        "::test_an_unsubscribe_from_a_list_that_is_locked_is_not_read_past",
    ),
    Mutant(
        "a campaign whose events could not be read is read past",
        "engine/close.py",
        "dataset in again or ",
        "",
        "tests/unit/engine/test_slices.py"
        "::test_what_a_refused_slice_is_a_slice_of_is_read_again_by_the_next_run",
    ),
    Mutant(
        "a full read ends memberships that others made while it read",
        "store/members.py",
        "        members.c.seen_at < began,\n",
        "",
        "tests/unit/store/test_records.py::test_a_full_read_of_a_list_ends_what_it_has_not_seen",
    ),
]
