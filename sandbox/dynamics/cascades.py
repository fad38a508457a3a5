"""What becomes of the rows that point at a row: the CascadeConfiguration of relationships.

PAD configure-entity-relationship-cascading-behavior; for the vendor's own relationships the
reference of its tables (CE).
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.dynamics.errors import VendorError
from sandbox.dynamics.model import Cascade, Column, Table

_SPREADING = ("Assign", "Reparent", "Share", "Unshare")
_ALLOWED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_SPREADING, ("Active", "Cascade", "NoCascade", "UserOwned")),
    "Delete": ("Cascade", "RemoveLink", "Restrict"),
    "Merge": ("Cascade", "NoCascade"),
}


def _configured(*, spread: str, delete: str, merge: str) -> Cascade:
    return {**dict.fromkeys(_SPREADING, spread), "Delete": delete, "Merge": merge}


_NONE = _configured(spread="NoCascade", delete="NoCascade", merge="NoCascade")
_REFERENTIAL = _configured(spread="NoCascade", delete="RemoveLink", merge="Cascade")
_RESTRICTING = _configured(spread="NoCascade", delete="Restrict", merge="NoCascade")
_PARENTAL = _configured(spread="Cascade", delete="Cascade", merge="Cascade")
_OF_ACTIVITIES = _configured(spread="Cascade", delete="Cascade", merge="NoCascade")
_HIERARCHICAL = _configured(spread="Cascade", delete="RemoveLink", merge="Cascade")
_MASTER = _configured(spread="NoCascade", delete="RemoveLink", merge="NoCascade")

_BY_NAME: Mapping[str, Cascade] = {
    "Campaign_CampaignActivities": _OF_ACTIVITIES,
    "Campaign_CampaignResponses": _OF_ACTIVITIES,
    "account_parent_account": _HIERARCHICAL,
    # A party goes with its activity, and stays, without a name, where the person is deleted.
    "campaignactivity_activity_parties": _PARENTAL,
    "campaignresponse_activity_parties": _PARENTAL,
    "contact_customer_accounts": _PARENTAL,
    "contact_customer_contacts": _HIERARCHICAL,
    "lead_customer_accounts": _PARENTAL,
    "lead_customer_contacts": _PARENTAL,
    "opportunity_customer_accounts": _PARENTAL,
    "opportunity_customer_contacts": _PARENTAL,
    # A solution goes before its publisher (fact sheet), and leaves what is in it.
    "publisher_solution": _RESTRICTING,
    "solution_solutioncomponent": _PARENTAL,
}
_BY_COLUMN: Mapping[str, Cascade] = {
    **dict.fromkeys(("createdby", "createdonbehalfby", "ownerid"), _NONE),
    **dict.fromkeys(("modifiedby", "modifiedonbehalfby"), _NONE),
    **dict.fromkeys(("owningbusinessunit", "transactioncurrencyid"), _RESTRICTING),
    "masterid": _MASTER,
}


def of_relationship(name: str, column: Column) -> Cascade:
    """Return the behaviour of a relationship.

    A custom one has its own; what it has without a CascadeConfiguration is not documented
    (assumed: referential).
    """
    own = column.cascade or _BY_NAME.get(name) or _BY_COLUMN.get(column.name)
    return _REFERENTIAL if own is None else own


def changed(before: Cascade, given: object) -> Cascade:
    """Return a behaviour after a request that names some of its parts.

    Raises:
        VendorError: A part has a behaviour that there is not.
    """
    if given is None:
        return before
    if not isinstance(given, dict):
        raise _invalid("CascadeConfiguration", given)
    for name, value in given.items():
        if name in _ALLOWED and value not in _ALLOWED[name]:
            raise _invalid(name, value)
    return {**before, **{name: given[name] for name in _ALLOWED if name in given}}


def new(given: object) -> Cascade:
    """Return the behaviour of a new custom relationship.

    Raises:
        VendorError: It cannot be.
    """
    return changed(_REFERENTIAL, given)


def check_parents(table: Table, column: Column) -> None:
    """Raise an error where a lookup would make its table go with the rows of a second one.

    A relationship is parental that passes on whatever happens to a row, be it its deletion only.
    Code and text are those that users report. Those of the vendor's own relationships are left
    out of account (assumed).
    """
    parents = [
        one
        for one in table.columns
        if one.name != column.name and one.relationship and _is_parental(one.cascade)
    ]
    if parents and _is_parental(column.cascade):
        raise VendorError(
            400,
            "0x80047007",
            f"Entity: {table.name} is parented to Entity with name {parents[0].targets[0]}."
            f" Cannot create another parental relation with Entity: {column.targets[0]}",
        )


def _is_parental(cascade: Cascade) -> bool:
    spreads = any(cascade.get(act, "NoCascade") != "NoCascade" for act in _SPREADING)
    return spreads or cascade.get("Delete") == "Cascade"


def _invalid(name: str, value: object) -> VendorError:
    # The code is that of an invalid cascade type; the text is assumed.
    return VendorError(400, "0x80048204", f"The cascade '{value}' of '{name}' is not valid.")
