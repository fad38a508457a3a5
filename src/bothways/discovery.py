"""What installed packages bring to Bothways, by entry point.

An entry point's name is the name of what it brings, and its value names an object in a light
module. One that cannot be loaded fails alone: the others are found, and `broken` says which package
is at fault. DAG parsing comes through here, so everything is looked up once per process.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Final, Generic, Protocol, TypeVar

from bothways.errors import ConfigurationError
from bothways.records import RecordKind
from bothways.spec import ERASE, Declaration, SyncSpec
from bothways.vocabulary import DEFINITIONS, RoleName
from bothways.webhooks import Events

CONNECTORS: Final = "bothways.connectors"
"""The group of entry points whose objects are `spec.Declaration`s."""
SYNC_TYPES: Final = "bothways.sync_types"
"""The group of entry points whose objects are `spec.SyncSpec`s."""

_OWN: Final = "bothways"


class Named(Protocol):
    """What an entry point may bring."""

    @property
    def name(self) -> str:
        """The name of its entry point."""
        ...


T = TypeVar("T", bound=Named)


@dataclass(frozen=True, slots=True)
class Broken:
    """An entry point that brings nothing.

    Attributes:
        group: The entry point's group.
        name: Its name.
        package: The distribution that declares it.
        reason: Why it brings nothing.
    """

    group: str
    name: str
    package: str
    reason: str


@dataclass(frozen=True, slots=True)
class Entries(Generic[T]):
    """What a group of entry points brings.

    Attributes:
        found: The objects by name: our own first, then other packages' by package and name.
        broken: The entry points that bring nothing.
    """

    found: Mapping[str, T]
    broken: tuple[Broken, ...]


def entries(group: str, kind: type[T]) -> Entries[T]:
    """Return the objects of a group.

    Args:
        group: Of entry points, as `bothways.connectors`.
        kind: What each object must be an instance of.
    """
    found: dict[str, T] = {}
    owners: dict[str, str] = {}
    broken = []
    for name, package, loaded in _loaded(group):
        if name in found:
            reason = f"the package {owners[name]} brings one of that name"
        elif isinstance(loaded, _Failure):
            reason = loaded.reason
        elif not isinstance(loaded, kind):
            reason = f"it is a {type(loaded).__name__}, not a {kind.__name__}"
        elif loaded.name != name:
            reason = f"its object is named `{loaded.name}`"
        else:
            found[name], owners[name] = loaded, package
            continue
        broken.append(Broken(group, name, package, reason))
    return Entries(MappingProxyType(found), tuple(broken))


def connectors() -> Mapping[str, Declaration]:
    """Return the connectors that are installed, by name."""
    return entries(CONNECTORS, Declaration).found


def connector_names(role: RoleName) -> tuple[str, ...]:
    """Return the names of the connectors that can have a role."""
    return tuple(name for name, known in connectors().items() if role in known.roles)


def declaration(name: str) -> Declaration:
    """Return what is known of a connector.

    Raises:
        ConfigurationError: There is none of that name, or its package is broken.
    """
    installed = entries(CONNECTORS, Declaration)
    if name not in installed.found:
        raise _unknown("connector", name, installed.found, installed.broken)
    return installed.found[name]


def events_of(connector: str) -> Events | None:
    """Return what understands the events of a connector's vendor; None if nothing does.

    Raises:
        ConfigurationError: There is no such connector, or it has no events where it says so.
    """
    place = declaration(connector).events
    if not place:
        return None
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute, None)
    if not isinstance(found, Events):
        raise ConfigurationError(
            f"The connector `{connector}` names `{place}`, which understands no events."
        )
    return found


@cache
def sync_types() -> Mapping[str, SyncSpec]:
    """Return the sync types by name, with the comparisons that verify what they keep in sync.

    They come in the order in which a person would run them: who may not be mailed is read first,
    and comparisons are last.
    """
    specs = list(_specs().found.values())
    specs += [comparison for spec in specs if (comparison := spec.comparison())]
    specs.sort(key=lambda spec: (not spec.reads_consent, bool(spec.verifies), spec.name))
    return MappingProxyType({spec.name: spec for spec in specs})


def sync_type(name: str) -> SyncSpec:
    """Return a sync type, or `erase`, by name.

    Raises:
        ConfigurationError: There is none of that name, or its package is broken.
    """
    if name == ERASE.name:
        return ERASE
    if name not in sync_types():
        raise _unknown("sync type", name, sync_types(), _specs().broken)
    return sync_types()[name]


@cache
def record_kinds() -> Mapping[str, RecordKind]:
    """Return the kinds of records that sync types keep in a CRM, by name; parents come first."""
    found = {kind.name: kind for spec in _specs().found.values() for kind in spec.records}
    return MappingProxyType(dict(sorted(found.items(), key=lambda item: _depth(item[1], found))))


@cache
def definitions() -> frozenset[str]:
    """Return the entities that are no people and no records of them: campaigns, forms, columns."""
    return DEFINITIONS | {name for name, kind in record_kinds().items() if not kind.of_person}


def role_names() -> tuple[RoleName, ...]:
    """Return the roles of all sync types."""
    roles = (role.name for sync in sync_types().values() for role in sync.roles)
    return tuple(dict.fromkeys(roles))


def sync_types_that_read_consent() -> list[SyncSpec]:
    """Return the sync types that read who may not be mailed."""
    return [spec for spec in sync_types().values() if spec.reads_consent]


def broken() -> tuple[Broken, ...]:
    """Return the entry points of all groups that bring nothing."""
    return entries(CONNECTORS, Declaration).broken + _specs().broken


def forget() -> None:
    """Look everything up again when it is next asked for: a test installed something."""
    _loaded.cache_clear()
    sync_types.cache_clear()
    record_kinds.cache_clear()


def _specs() -> Entries[SyncSpec]:
    """Return the sync types; one whose records cannot be kept beside those of others is broken."""
    all_of = entries(SYNC_TYPES, SyncSpec)
    known: dict[str, RecordKind] = {}
    found, broken = {}, list(all_of.broken)
    for name, spec in all_of.found.items():
        if reason := _conflict(spec, known):
            broken.append(Broken(SYNC_TYPES, name, _owner(name), reason))
            continue
        found[name] = spec
        known |= {_word(kind.name): kind for kind in spec.records}
    return Entries(MappingProxyType(found), tuple(broken))


def _conflict(spec: SyncSpec, known: Mapping[str, RecordKind]) -> str:
    """Return why a sync type's records cannot be kept; "" if they can."""
    before = dict(known)
    for kind in spec.records:
        if before.setdefault(_word(kind.name), kind) != kind:
            return f"there are other records of the name `{kind.name}`"
        parent = before.get(_word(kind.parent))
        if kind.parent and (parent is None or parent is kind or parent.name != kind.parent):
            return f"nothing before its records `{kind.name}` declares their parent `{kind.parent}`"
    return ""


def _word(name: str) -> str:
    """Return what a table's name has of a kind's: two kinds may not share it."""
    return name.replace("_", "")


def _depth(kind: RecordKind, known: Mapping[str, RecordKind]) -> int:
    return 1 + _depth(known[kind.parent], known) if kind.parent else 0


def _owner(name: str) -> str:
    return next(package for point, package, _ in _loaded(SYNC_TYPES) if point == name)


def _unknown(
    what: str, name: str, known: Collection[str], broken: Iterable[Broken]
) -> ConfigurationError:
    for entry in broken:
        if entry.name == name:
            return ConfigurationError(
                f"The {what} `{name}` of the package {entry.package} cannot be used: "
                f"{entry.reason}; repair, upgrade or uninstall the package."
            )
    near = get_close_matches(name, known, n=1)
    remedy = f"did you mean `{near[0]}`?" if near else f"use one of: {', '.join(known)}."
    return ConfigurationError(f"There is no {what} `{name}`; {remedy}")


@dataclass(frozen=True, slots=True)
class _Failure:
    reason: str


@cache
def _loaded(group: str) -> tuple[tuple[str, str, object], ...]:
    """Return name, package, and object or `_Failure` of each entry point of a group."""
    points = sorted(entry_points(group=group), key=_order)
    return tuple((point.name, _package(point), _load(point)) for point in points)


def _order(point: EntryPoint) -> tuple[bool, str, str]:
    package = _package(point)
    return package != _OWN, package, point.name


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else ""


def _load(point: EntryPoint) -> object:
    try:
        return point.load()
    except Exception as error:  # noqa: BLE001 - another's code; whatever it does, it fails alone
        sentence = " ".join(str(error).split())
        return _Failure(f"{type(error).__name__}: {sentence}")
