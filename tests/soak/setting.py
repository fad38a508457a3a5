"""The account between the vendors: which lists and fields are mapped to each other, as of now.

People who are in charge of it change it in between: at the vendors, in its file, and in its
mappings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import yaml

from tests.support.engine import World
from tests.support.people import Crm
from tests.support.sandbox import SandboxServer

ADDRESSES = [f"{name}@mail.example" for name in ("ann", "bob", "cleo")]
ADDRESSES += ["ANN@mail.example", " Bob@Mail.example"]
# One address each in two spellings, for histories that are about these.
ADDRESSES += ["zo\u00eb@mail.example", "zoe\u0308@mail.example"]
ADDRESSES += ["ann@b\u00fccher.example", "ann@xn--bcher-kva.example"]

# A field's names in the mappings and in the CRM, and the values that people give it on each side.
FIELDS: list[tuple[str, str, list[tuple[Any, Any]]]] = [
    ("first_name", "firstname", [("Ann", "Ann"), ("Bea", " Bea "), (None, None)]),
    ("city", "address1_city", [("Oslo", "Oslo"), ("Rome", "rome"), (None, None)]),
    ("gender", "gendercode", [(1, "Male"), (2, "Female"), (None, None)]),
]
GENDERS = {1: "Male", 2: "Female"}
# The platform's columns of a field: the one that is mapped at first, and one to map it to later.
COLUMNS = {
    "first_name": ("FIRSTNAME", "NICKNAME"),
    "city": ("CITY", "TOWN"),
    "gender": ("GENDER", "SEX"),
}
POLICIES = ("crm", "marketing", "newest")
ENTITIES = ("contact", "lead")
ACCOUNT = {
    "lists": {
        "newsletter": {"crm": "Newsletter", "marketing": "Newsletter"},
        "product": {"crm": "Product updates", "marketing": "Product updates", "entity": "lead"},
    },
    "settings": {"retry_minutes": 0, "retry_attempts": 100, "on_guard": "ask"},
    "guard": {},
}
# Whatever a run would do, it asks first.
_ASKS: Final = dict.fromkeys(("free", "removals", "suppressions", "overwrites", "creations"), 0)


@dataclass(slots=True)
class ListPair:
    """Two lists that are mapped to each other.

    Attributes:
        key: Its name in the account.
        entity: What the marketing list holds.
        names: Of the list on each side, as the account's file has them.
        ids: Of the list on each side, as texts; None where somebody deleted it.
    """

    key: str
    entity: str
    names: dict[str, str]
    ids: dict[str, str | None]

    @property
    def matter(self) -> str:
        """What being on it is called in the model of intent; the same whatever its key becomes."""
        return f"list of {self.entity}s"


class Setting:
    """The account as it stands, and what may be changed about it."""

    def __init__(self, world: World, sandbox: SandboxServer, crm: Crm) -> None:
        self._world = world
        self._sandbox = sandbox
        self._crm = crm
        self._made = 0
        self._account: dict[str, Any] = dict(ACCOUNT)
        books = {row["name"]: str(row["id"]) for row in sandbox.table("dotdigital", "lists")}
        names = {row["listname"]: row["listid"] for row in sandbox.table("dynamics", "list")}
        self.lists = [
            ListPair(
                key,
                str(item.get("entity", "contact")),
                {side: str(item[side]) for side in ("crm", "marketing")},
                {"crm": names[item["crm"]], "marketing": books[item["marketing"]]},
            )
            for key, item in ACCOUNT["lists"].items()  # type: ignore[attr-defined]
        ]
        self.columns = {name: columns[0] for name, columns in COLUMNS.items()}
        self.policies = {"first_name": "crm", "city": "newest", "gender": "crm"}

    def list_of(self, entity: str) -> ListPair:
        """Return the lists that hold records of this entity."""
        return next(pair for pair in self.lists if pair.entity == entity)

    # ── lists ─────────────────────────────────────────────────────────────────────────────────

    def delete_list(self, number: int, side: str) -> None:
        """Somebody deletes a list at the vendor."""
        pair = self.lists[number]
        if pair.ids[side] is None:
            return
        if side == "crm":
            self._crm.delete("lists", str(pair.ids[side]))
        else:
            self._platform("DELETE", f"/v2/address-books/{pair.ids[side]}")
        pair.ids[side] = None

    def make_list(self, number: int, side: str) -> None:
        """Somebody makes a list that is gone again, under its name."""
        pair = self.lists[number]
        if pair.ids[side] is None:
            pair.ids[side] = self._new_list(side, pair.names[side], pair.entity)

    def map_list(self, number: int, side: str) -> None:
        """Somebody maps a list to another one, which is new and empty."""
        pair = self.lists[number]
        self._made += 1
        pair.names[side] = f"Another {self._made}"
        pair.ids[side] = self._new_list(side, pair.names[side], pair.entity)
        self._write()

    def rename_list(self, number: int, side: str) -> None:
        """Somebody gives a list another name, and writes that into the account's file."""
        pair = self.lists[number]
        if pair.ids[side] is None:
            return
        self._made += 1
        pair.names[side] = f"Renamed {self._made}"
        if side == "crm":
            self._crm.change("lists", str(pair.ids[side]), listname=pair.names[side])
        else:
            body = {"name": pair.names[side], "visibility": "Private"}
            self._platform("PUT", f"/v2/address-books/{pair.ids[side]}", body)
        self._write()

    def rename_key(self, number: int) -> None:
        """Somebody gives a mapped list another key in the account's file."""
        self._made += 1
        self.lists[number].key = f"list_{self._made}"
        self._write()

    # ── runs ──────────────────────────────────────────────────────────────────────────────────

    def guard(self, *, asks: bool) -> None:
        """Somebody wants to be asked about everything, or no more than usually."""
        self._account["guard"] = _ASKS if asks else {}
        self._write()

    def tries(self, number: int) -> None:
        """Somebody says how often something is tried before it is given up."""
        self._account["settings"] = {**self._account["settings"], "retry_attempts": number}
        self._write()

    # ── fields ────────────────────────────────────────────────────────────────────────────────

    def map_field(self, number: int) -> str:
        """Somebody maps a field to the platform's other column; return the field's name."""
        name = FIELDS[number][0]
        first, other = COLUMNS[name]
        self.columns[name] = other if self.columns[name] == first else first
        with self._sandbox.dotdigital() as api:
            # The second time it is there already.
            api.post("/v2/data-fields", json={"name": other, "type": "String"})
        self._write()
        return name

    def decide(self, number: int, policy: int) -> str:
        """Somebody says who wins a field's conflicts from now on; return the field's name."""
        name = FIELDS[number][0]
        self.policies[name] = POLICIES[policy]
        self._write()
        return name

    def _write(self) -> None:
        """Write the account's file and its mappings anew."""
        lists = {pair.key: {**pair.names, "entity": pair.entity} for pair in self.lists}
        self._world.configure(**{**self._account, "lists": lists})
        for entity in ENTITIES:
            path = self._world.include / "mappings" / "dynamics_dotdigital" / f"{entity}.yaml"
            mapping = yaml.safe_load(path.read_text())
            for name in mapping["fields"].keys() & self.columns.keys():
                field = mapping["fields"][name]
                field |= {"marketing": self.columns[name], "conflict": self.policies[name]}
            path.write_text(yaml.safe_dump(mapping, sort_keys=False))

    def _new_list(self, side: str, name: str, entity: str) -> str:
        if side == "crm":
            return self._crm.list(name, code=2 if entity == "contact" else 4)
        body = {"name": name, "visibility": "Private"}
        return str(self._platform("POST", "/v2/address-books", body)["id"])

    def _platform(self, method: str, path: str, body: Any = None) -> Any:
        with self._sandbox.dotdigital() as api:
            answer = api.request(method, path, json=body)
            assert answer.is_success, answer.text
            return answer.json() if answer.content else None
