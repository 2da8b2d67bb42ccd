"""The catalogue: what can be asked, made from the connectors' declarations."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from kai_erp.connectors import BaseConnector, Moment
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import IDOSpec


class CollectionEntry(BaseModel):
    """A collection that a connector reads, and the properties it reads of it."""

    name: str
    required: bool
    properties: list[str]
    required_properties: list[str] = Field(exclude=True)


class ConnectorEntry(BaseModel):
    """One connector."""

    name: str
    title: str
    description: str
    path: str
    tool: str
    parameters: dict[str, Any]
    record: dict[str, Any]
    collections: list[CollectionEntry]


def catalogue(connectors: Iterable[BaseConnector[ConnectorQuery]]) -> list[ConnectorEntry]:
    """Return an entry for each connector."""
    return [_entry(connector) for connector in connectors]


def _entry(connector: BaseConnector[ConnectorQuery]) -> ConnectorEntry:
    return ConnectorEntry(
        name=connector.name,
        title=connector.title,
        description=connector.description,
        path=connector.path,
        tool=connector.tool,
        parameters=connector.query.model_json_schema(),
        record=connector.record.model_json_schema(mode="serialization"),
        collections=collections_of(connector),
    )


def collections_of(connector: BaseConnector[ConnectorQuery]) -> list[CollectionEntry]:
    """Return the collections of a connector's example, each once, with the properties of all its reads."""
    spec = connector.get_rest_spec(connector.example, Moment(datetime.now(UTC), ZoneInfo("UTC")))
    entries: dict[str, CollectionEntry] = {}
    for read in spec.collections:
        _add(entries, read, required=read.required)
        if read.fallback is not None:
            _add(entries, read.fallback, required=False)
    return list(entries.values())


def _add(entries: dict[str, CollectionEntry], read: IDOSpec, *, required: bool) -> None:
    entry = entries.setdefault(
        read.name, CollectionEntry(name=read.name, required=required, properties=[], required_properties=[])
    )
    entry.required = entry.required or required
    for prop in read.properties:
        if prop.wire not in entry.properties:
            entry.properties.append(prop.wire)
        if required and prop.required and prop.wire not in entry.required_properties:
            entry.required_properties.append(prop.wire)
