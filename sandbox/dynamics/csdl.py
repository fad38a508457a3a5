"""`$metadata`: the tables as CSDL."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from sandbox.dynamics.catalogue import Catalogue
from sandbox.dynamics.errors import type_name
from sandbox.dynamics.messages import Reply
from sandbox.dynamics.model import Table
from sandbox.dynamics.work import Work

_NAMESPACE = "Microsoft.Dynamics.CRM"


def document(work: Work, *, annotated: bool) -> Reply:
    """Answer `GET $metadata`; with annotations it says which tables track changes."""
    body = "".join(_lines(work.catalogue, annotated=annotated)).encode()
    return Reply(200, body, {"Content-Type": "application/xml", "OData-Version": "4.0"})


def service(work: Work) -> dict[str, object]:
    """Return the service document."""
    return {
        "@odata.context": f"{work.call.root}/$metadata",
        "value": [
            {"name": name, "kind": "EntitySet", "url": name} for name in sorted(work.catalogue.sets)
        ],
    }


def _lines(catalogue: Catalogue, *, annotated: bool) -> Iterator[str]:
    yield (
        '<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0"'
        ' xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>'
        f'<Schema Namespace="{_NAMESPACE}" Alias="mscrm"'
        ' xmlns="http://docs.oasis-open.org/odata/ns/edm">'
        '<EntityType Name="crmbaseentity" Abstract="true" />'
    )
    for table in catalogue.tables.values():
        yield from _entity(catalogue, table)
    yield '<EntityContainer Name="System">'
    for table in catalogue.tables.values():
        yield from _entity_set(catalogue, table, annotated=annotated)
    yield "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"


def _entity(catalogue: Catalogue, table: Table) -> Iterator[str]:
    yield f'<EntityType Name="{table.name}" BaseType="mscrm.crmbaseentity"><Key>'
    yield f'<PropertyRef Name="{table.key_name}" /></Key>'
    for column in table.columns:
        longest = f' MaxLength="{column.max_length}"' if column.max_length else ""
        name = quoteattr(column.property_name)
        yield f'<Property Name={name} Type="{column.edm}"{longest} Unicode="false" />'
    for navigation in catalogue.navigations(table).values():
        target = f"mscrm.{navigation.target}"
        name = quoteattr(navigation.name)
        if not navigation.single:
            yield f'<NavigationProperty Name={name} Type="Collection({target})" />'
            continue
        yield f'<NavigationProperty Name={name} Type="{target}">'
        yield (
            f'<ReferentialConstraint Property="_{navigation.column}_value"'
            f' ReferencedProperty="{catalogue.tables[navigation.target].primary_id}" />'
            "</NavigationProperty>"
        )
    yield "</EntityType>"


def _entity_set(catalogue: Catalogue, table: Table, *, annotated: bool) -> Iterator[str]:
    yield f'<EntitySet Name="{table.entity_set}" EntityType="{type_name(table.name)}">'
    for navigation in catalogue.navigations(table).values():
        target = catalogue.tables[navigation.target].entity_set
        yield f'<NavigationPropertyBinding Path="{navigation.name}" Target="{target}" />'
    if annotated and table.change_tracking:
        yield (
            '<Annotation Term="Org.OData.Capabilities.V1.ChangeTracking"><Record>'
            '<PropertyValue Property="Supported" Bool="true" /></Record></Annotation>'
        )
    yield "</EntitySet>"
