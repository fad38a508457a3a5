"""Mailchimp: an audience is a list, and somebody who is in two of them is two members.

`Newsletter / VIP` is the tag VIP in the audience Newsletter, and a list as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from hashlib import md5
from pathlib import Path
from typing import Any, ClassVar, Final

import yaml

from bothways.connectors.base import ConnectionSettings, Connector
from bothways.connectors.mailchimp.connector import MailchimpConnector
from tests.support.platforms.base import ENTITIES, Platform, Refused, Row
from tests.support.sandbox import MAILCHIMP_KEY

_CLIENT = "bothways.connectors.mailchimp.client"
_STATUSES = {
    "subscribed": "mailable",
    "pending": "pending",
    "transactional": "pending",
    "unsubscribed": "unsubscribed",
    "cleaned": "bounced",
}
_GRAVITY = ("mailable", "pending", "unsubscribed", "complained", "bounced")
_FIRST = "Newsletter"
_SEPARATOR: Final = " / "
_MADE_WITH = ("contact", "permission_reminder", "campaign_defaults", "email_type_option")
_OF_TESTS: Final = "mailchimp_of_tests"
COLUMNS: Final = {
    "first_name": "FNAME",
    "last_name": "LNAME",
    "phone": "PHONE",
    "company": "COMPANY",
    "job_title": "JOBTITLE",
    "gender": "GENDER",
    "city": "CITY",
    "country": "COUNTRY",
    "postcode": "POSTCODE",
    "birth_date": "BIRTHDATE",
    "rating": "RATING",
}
_OWN = ("COMPANY", "JOBTITLE", "GENDER", "CITY", "COUNTRY", "POSTCODE", "BIRTHDATE", "RATING")


class Mailchimp(Platform):
    """What a person does in Mailchimp, in an account that has a merge field for each mapped field.

    What a new account has would not do for every promise: its address takes no city alone, its
    birthday no year.
    """

    name = "mailchimp"
    title = "Mailchimp"
    words = ("complain", "bounce")
    keeps_leavers = False
    ends_all = frozenset({"bounced", "complained"})
    # A word against all mail is carried to the other audiences, and is theirs from then on.
    rounds = 3
    people_at = "GET /lists/{id}/members"
    suppressions_at = "status=unsubscribed"
    campaigns_have = "title"
    beside = "Newsletter / VIP"
    # Two to a bulk call, and two calls about single members are handed in as a batch.
    small_writes: ClassVar[dict[str, int]] = {
        "bothways.connectors.mailchimp.writes._BULK": 2,
        "bothways.connectors.mailchimp.bulk.FEW": 1,
    }
    at_once: ClassVar[dict[str, Any]] = {"batch_seconds": 0.0}

    def mapping(self, entity: str) -> str:
        return f"{_OF_TESTS}/{entity}.yaml"

    def write_mappings(self, folder: Path) -> None:
        (folder / _OF_TESTS).mkdir(exist_ok=True)
        for entity in ENTITIES:
            mapping = yaml.safe_load(
                (folder / "dynamics_dotdigital" / f"{entity}.yaml").read_text()
            )
            for name, field in mapping["fields"].items():
                if "marketing" in field:
                    field["marketing"] = COLUMNS[name]
            path = folder / self.mapping(entity)
            path.write_text(yaml.safe_dump(mapping, sort_keys=False))

    def furnish(self) -> None:
        for audience in self._lists():
            self._add_fields(audience)

    def connector(self, **quick: Any) -> Connector:
        return MailchimpConnector(ConnectionSettings(self._sandbox.url, "", MAILCHIMP_KEY), **quick)

    @staticmethod
    def short_pages(rows: int) -> dict[str, int]:
        return {f"{_CLIENT}.PAGE": rows, f"{_CLIENT}._SAME_ROWS": min(2, rows - 1)}

    def contact(self, email: str, *lists: str, **fields: Any) -> str:
        body = {"email_address": email, "status": "subscribed"}
        body |= {"merge_fields": self._written(fields)}
        audiences = dict.fromkeys(name.partition(_SEPARATOR)[0] for name in lists or (_FIRST,))
        made = [
            self._call("POST", f"/lists/{self._audience(name)}/members", body) for name in audiences
        ]
        for name in lists:
            if _SEPARATOR in name:
                self._tag(email, name, "active")
        return _id(made[0])

    def signs_up(self, email: str, name: str = _FIRST) -> None:
        self.act("return", email, list=name)

    def edit(self, email: str, **fields: Any) -> None:
        self._call("PATCH", self._path(email), {"merge_fields": self._written(fields)})

    def readdress(self, email: str, to: str) -> None:
        for row in self._members():
            if _is(row, email):
                path = f"/lists/{row['list_id']}/members/{row['contact_id']}"
                self._call("PATCH", path, {"email_address": to})

    def join(self, email: str, name: str = _FIRST) -> None:
        if _SEPARATOR in name:
            self._tag(email, name, "active")
        else:
            body = {"email_address": email, "status": "subscribed"}
            self._call("POST", f"/lists/{self._audience(name)}/members", body)

    def leave(self, email: str, name: str = _FIRST) -> None:
        if _SEPARATOR in name:
            self._tag(email, name, "inactive")
        else:
            self.act("archive", email, list=name)

    def act(self, act: str, email: str, **what: object) -> None:
        """Consent is given to an audience, whichever of its tags is named."""
        if "list" in what:
            what["list"] = str(what["list"]).partition(_SEPARATOR)[0]
        super().act(act, email, **what)

    def delete(self, email: str) -> None:
        if self.scope(email):
            self.act("archive", self._member(email)["email"], list=self.scope(email))
        else:
            self.act("archive", email)

    def list(self, name: str) -> None:
        audience, _, tag = name.partition(_SEPARATOR)
        if tag:
            body: dict[str, Any] = {"name": tag, "static_segment": []}
            self._call("POST", f"/lists/{self._audience(audience)}/segments", body)
            return
        made_with = self._made_with(f"/lists/{next(iter(self._lists()))}")
        made = self._call("POST", "/lists", {"name": name, **made_with})
        self._add_fields(made["id"])

    def delete_list(self, name: str) -> None:
        self._call("DELETE", self._list_path(name))

    def rename_list(self, name: str, to: str) -> None:
        body: dict[str, Any] = {"name": to.rpartition(_SEPARATOR)[2]}
        path = self._list_path(name)
        if _SEPARATOR not in name:
            body |= self._made_with(path)
        self._call("PATCH", path, body)

    def add_field(self, column: str) -> None:
        for audience in self._lists():
            self._add_fields(audience, [column])

    def delete_field(self, column: str, of: str | None = None) -> None:
        """Delete a merge field of one audience, or of all that there are."""
        for audience in [self._audience(of)] if of else self._lists():
            for field in self._merge_fields(audience):
                if field["tag"] == column:
                    path = f"/lists/{audience}/merge-fields/{field['merge_id']}"
                    self._call("DELETE", path)

    def confirms(self) -> None:
        """Each audience says so for itself; a change has to repeat what it was made with."""
        for audience, name in self._lists().items():
            body = {"name": name, "double_optin": True, **self._made_with(f"/lists/{audience}")}
            self._call("PATCH", f"/lists/{audience}", body)

    def field_names(self) -> set[str]:
        """Of the merge fields that every audience has."""
        each = [{row["tag"] for row in self._merge_fields(key)} for key in self._lists()]
        return set.intersection(*each)

    def list_id(self, name: str) -> str:
        return next(number for number, title in self.lists().items() if title == name)

    def lists(self) -> dict[str, str]:
        audiences = self._lists()
        tags = {
            f"{row['list_id']}:tag:{row['id']}": (
                f"{audiences[row['list_id']]}{_SEPARATOR}{row['name']}"
            )
            for row in self._sandbox.table("mailchimp", "segments")
            if row["type"] == "static" and row["list_id"] in audiences
        }
        return audiences | tags

    @staticmethod
    def scope(number: str) -> str:
        return "" if "@" in number else number.partition(":")[0]

    def statuses(self) -> dict[str, str]:
        """Of somebody who is several members, how far any of them may be mailed."""
        found: dict[str, str] = {}
        for row in self._members():
            status = _status(row)
            known = found.get(row["email"], status)
            found[row["email"]] = min(status, known, key=_GRAVITY.index)
        return found

    def addresses(self) -> list[str]:
        """Everybody, the archived included, who have not been deleted."""
        return sorted({row["email"] for row in self._sandbox.table("mailchimp", "members")})

    def fields(self, email: str) -> dict[str, Any]:
        return self._neutral(json.loads(self._member(email)["merge_fields"]))

    def contact_id(self, email: str) -> str:
        return _id(self._member(email))

    def members(self, name: str = _FIRST) -> list[str]:
        """Those who are yet to confirm are among them: nothing else brings anybody back."""
        own = self.list_id(name)
        return sorted(
            row["email"]
            for list_id, row in self._on_lists()
            if list_id == own and _STATUSES[row["status"]] in ("mailable", "pending")
        )

    def contacts(self) -> list[Row]:
        return [
            {
                "id": _id(row),
                "email": row["email"],
                "status": _status(row),
                "modified": datetime.fromisoformat(row["last_changed"]),
                "fields": json.loads(row["merge_fields"]),
            }
            for row in self._members()
        ]

    def memberships(self) -> dict[tuple[str, str], str]:
        return {
            (list_id, _id(row)): ("unsubscribed" if _status(row) == "unsubscribed" else "mailable")
            for list_id, row in self._on_lists()
        }

    def state(self) -> dict[str, list[str]]:
        names, tags = self._lists(), self._tags()
        return {
            "members": sorted(
                json.dumps(
                    [
                        names[row["list_id"]],
                        row["email"],
                        row["status"],
                        row["unsubscribe_reason"],
                        json.loads(row["merge_fields"]),
                        tags.get(row["id"], []),
                    ]
                )
                for row in self._sandbox.table("mailchimp", "members")
            )
        }

    def _made_with(self, path: str) -> dict[str, Any]:
        """What an audience is made with, which a change of it has to repeat."""
        there = self._call("GET", path)
        return {key: there[key] for key in _MADE_WITH}

    def _lists(self) -> dict[str, str]:
        """Names of the audiences by id, the oldest first."""
        return {row["id"]: row["name"] for row in self._sandbox.table("mailchimp", "lists")}

    def _tags(self) -> dict[int, list[str]]:
        """Names of the tags that members have, in order, by the members' numbers."""
        names = {row["id"]: row["name"] for row in self._sandbox.table("mailchimp", "segments")}
        found: dict[int, list[str]] = {}
        for row in self._sandbox.table("mailchimp", "member_tags"):
            found.setdefault(row["member_id"], []).append(names[row["segment_id"]])
        return {member: sorted(tags) for member, tags in found.items()}

    def _on_lists(self) -> list[tuple[str, Row]]:
        """Members by what they are on: their audience, and its tags."""
        members = {row["id"]: row for row in self._members()}
        tagged = self._sandbox.table("mailchimp", "member_tags")
        tags = [(row["segment_id"], row["member_id"]) for row in tagged]
        return [(row["list_id"], row) for row in members.values()] + [
            (f"{members[member]['list_id']}:tag:{tag}", members[member])
            for tag, member in tags
            if member in members
        ]

    def _members(self) -> list[dict[str, Any]]:
        rows = self._sandbox.table("mailchimp", "members")
        return [row for row in rows if row["status"] != "archived"]

    def _member(self, email: str) -> dict[str, Any]:
        """The member with an address: one who is not archived, of the first audience."""
        order = [*self._lists()]
        rows = self._sandbox.table("mailchimp", "members")
        return min(
            (row for row in rows if _is(row, email)),
            key=lambda row: (row["status"] == "archived", order.index(row["list_id"])),
        )

    def _path(self, email: str) -> str:
        row = self._member(email)
        return f"/lists/{row['list_id']}/members/{row['contact_id']}"

    def _audience(self, name: str) -> str:
        return next(number for number, title in self._lists().items() if title == name)

    def _list_path(self, name: str) -> str:
        return f"/lists/{self.list_id(name).replace(':tag:', '/segments/')}"

    def _tag(self, email: str, name: str, status: str) -> None:
        audience, _, tag = name.partition(_SEPARATOR)
        path = f"/lists/{self._audience(audience)}/members/{_hash(email)}/tags"
        self._call("POST", path, {"tags": [{"name": tag, "status": status}]})

    def _written(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {name: "" if value is None else value for name, value in self._own(fields).items()}

    def _columns(self) -> dict[str, str]:
        return COLUMNS

    def _add_fields(self, audience: str, tags: Iterable[str] = _OWN) -> None:
        path = f"/lists/{audience}/merge-fields"
        there = {row["tag"] for row in self._merge_fields(audience)}
        for tag in tags:
            if tag not in there:
                kind = "date" if tag == "BIRTHDATE" else "text"
                self._call("POST", path, {"tag": tag, "name": tag.title(), "type": kind})

    def _merge_fields(self, audience: str) -> list[dict[str, Any]]:
        path = f"/lists/{audience}/merge-fields?count=1000"
        found: list[dict[str, Any]] = self._call("GET", path)["merge_fields"]
        return found

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        with self._sandbox.mailchimp() as api:
            answer = api.request(method, path, json=body)
            if not answer.is_success:
                raise Refused(answer.text)
            return answer.json() if answer.content else None


def _id(row: Row) -> str:
    return f"{row['list_id']}:{row['contact_id']}"


def _is(row: Row, who: str) -> bool:
    return who.lower() in (row["email"].lower(), _id(row))


def _status(row: Row) -> str:
    return "complained" if row["unsubscribe_reason"] == "ABUSE" else _STATUSES[row["status"]]


def _hash(email: str) -> str:
    return md5(email.lower().encode(), usedforsecurity=False).hexdigest()
