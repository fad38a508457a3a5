"""Who may not be mailed, who joins nothing, and who came back by the platform's own means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from bothways.syncs.base import Inputs
from bothways.syncs.jobs import hints
from bothways.syncs.values import suppression_key
from bothways.tables.ledgers import ACCOUNT_WIDE
from bothways.transform.columns import looked_up
from bothways.transform.ignore import ignore_reasons
from bothways.vocabulary import MAILABLE_OR_PENDING, SIDES, Reason, RoleName, Status


@dataclass(frozen=True, slots=True)
class Judged:
    """People with what speaks against mailing them.

    Attributes:
        rows: Persons.rows with `consent`, why a person may not be mailed, and `left_out`, why one
            joins nothing (with `hint`, what would mend it), both null if there is no reason.
            `flagged`: one of the person's CRM records is flagged. `opted_out`: the platform or the
            ledger says that they may not be mailed, not only a flag, which somebody may clear.
        lifted: As `lifted` of Plan.keep.
    """

    rows: pd.DataFrame
    lifted: pd.DataFrame

    def notes(self, systems: Mapping[RoleName, str]) -> tuple[str, ...]:
        """Return a note on how many are mailable again: only a user clears a flag in the CRM."""
        heard = self.lifted[self.lifted["side"] == "marketing"]
        number = heard["email_key"].nunique()
        if not number:
            return ()
        who = "1 person is" if number == 1 else f"{number} people are"
        return (
            f"{who} mailable again in {systems['marketing']}; a flag in {systems['crm']} stays "
            "until somebody clears it there.",
        )


def judged(
    inputs: Inputs, rows: pd.DataFrame, silent: pd.Series, last_statuses: pd.Series
) -> Judged:
    """Look at what both sides and the ledger say of each person.

    Args:
        inputs: The plan's inputs.
        rows: Persons.rows.
        silent: Gathered.silent.
        last_statuses: Gathered.last_statuses.
    """
    rules = replace(
        inputs.rules, switches=inputs.rules.switches.model_copy(update={"duplicate": False})
    )
    by_crm = _contacts(rows, "crm", "marketing")
    keys = by_crm["email_key"]
    # A contact that has been given an erased address, and whose CRM record has another one yet,
    # would carry it over.
    erased = inputs.view.erased(keys) | inputs.view.erased(rows["marketing_email_key"])
    verdicts = ignore_reasons(by_crm, rules, erased=erased)
    left_out = verdicts["reason"].mask(_without_address(rows), Reason.EMPTY)
    told = inputs.view.suppressions(
        email_keys=pd.concat([keys, rows["marketing_email_key"]]),
        record_ids=rows["marketing_id"],
        list_ids=ACCOUNT_WIDE,
    )
    over = _over(inputs, told, rows)
    platform = rows["marketing_status"].where(~rows["marketing_status"].isin(MAILABLE_OR_PENDING))
    crm = rows["crm_status"].where(
        rows["crm_status"].ne(Status.MAILABLE.value) & ~rows["crm_deleted"].fillna(value=False)
    )
    crm = crm.mask(crm.isna() & keys.isin(silent), Status.UNSUBSCRIBED.value)
    platform = platform.fillna(looked_up(keys, last_statuses))
    opted_out = platform.fillna(_ledger_reasons(told[~over], rows, keys))
    # What one of a person's records says holds for all of them.
    reason = opted_out.fillna(crm).groupby(rows["person"]).transform("first")
    consent = reason.where(reason.isna() | reason.eq(Status.BOUNCED.value), "do_not_mail")
    flagged = crm.notna().groupby(rows["person"]).transform("any")
    return Judged(
        rows.assign(
            consent=consent,
            flagged=flagged,
            opted_out=opted_out.notna().groupby(rows["person"]).transform("any"),
            left_out=left_out,
            hint=hints(verdicts),
        ),
        told.loc[over, ["side", "email_key", "scope", "record_id", "told_at"]],
    )


def _without_address(rows: pd.DataFrame) -> pd.Series:
    """Return a mask of the pairs with a record without an address, which are never synced."""
    found = pd.Series(data=False, index=rows.index)
    for side in SIDES:
        there = rows[f"{side}_id"].notna() & ~rows[f"{side}_deleted"].fillna(value=False)
        found |= there & rows[f"{side}_email_key"].isna()
    return found


def _ledger_reasons(told: pd.DataFrame, rows: pd.DataFrame, keys: pd.Series) -> pd.Series:
    """Return the ledger's reason against each row: for either address, or for the contact.

    Somebody who unsubscribed may have another address by now, on both sides. A bounce concerns the
    address alone, and so does a suppression after which the contact came back under another one.

    Args:
        told: The suppressions of these people that are still in force.
        rows: Persons.rows.
        keys: Their addresses in the CRM, or on the platform if they are not in the CRM.
    """
    of_address = told.drop_duplicates("email_key").set_index("email_key")["reason"]
    personal = told["personal"].astype(bool) & (told["side"] == "marketing")
    theirs = told[personal & told["record_id"].notna() & ~_came_back(told, rows)]
    of_contact = theirs.drop_duplicates("record_id").set_index("record_id")["reason"]
    reason = looked_up(rows["marketing_email_key"], of_address)
    reason = reason.fillna(looked_up(keys, of_address))
    return reason.fillna(looked_up(rows["marketing_id"], of_contact))


def _over(inputs: Inputs, told: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """Return a mask of suppressions that ended: the same contact may be mailed again.

    A suppression record of the CRM that somebody has deleted ends with the platform's word on its
    address, or later, where it says no more than that word did: it is our record of it, or was
    there already when the person's return was heard.
    """
    addresses = _mailable(rows)["marketing_email_key"]
    same = looked_up(told["record_id"], addresses) == told["email_key"]
    back = (_came_back(told, rows) & same.fillna(value=False)).astype(bool)
    platform = told["side"] == "marketing"
    ended = ~told["email_key"].isin(told.loc[platform & ~back, "email_key"])
    ours = told["key"].isin(suppression_key(inputs.account.name, rows["marketing_id"]))
    answered = told["email_key"].isin(told.loc[back, "email_key"]) | ours | told["came_back"]
    return back | (~platform & told["deleted_at"].notna() & ended & answered)


def _came_back(told: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """Return a mask of suppressions whose contact is mailable and has changed since.

    Whatever makes a contact mailable again counts as the person's own act, as no sync does it. Both
    times are by the platform's clock; a suppression whose time is not known yet has not ended.
    """
    modified = looked_up(told["record_id"], _mailable(rows)["marketing_modified_at"])
    later = (modified > told["told_at"]).fillna(value=False)
    return ((told["side"] == "marketing") & later).astype(bool)


def _mailable(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the contacts that may be mailed, by id."""
    mailable = rows["marketing_status"].eq(Status.MAILABLE.value).fillna(value=False)
    return rows[mailable].drop_duplicates("marketing_id").set_index("marketing_id")


def _contacts(rows: pd.DataFrame, side: str, other: str) -> pd.DataFrame:
    """Return the people as CONTACTS: of one side, and of the other where that has no record."""
    return pd.DataFrame(
        {
            "id": rows[f"{side}_id"].fillna(rows[f"{other}_id"]),
            "email": rows[f"{side}_email"].fillna(rows[f"{other}_email"]),
            "email_key": rows[f"{side}_email_key"].fillna(rows[f"{other}_email_key"]),
            "status": rows[f"{side}_status"].fillna(Status.MAILABLE.value),
            "active": rows[f"{side}_active"].fillna(value=True),
            "modified_at": rows[f"{side}_modified_at"],
        }
    )
