"""Whole collections: what the connectors read of each, without their filters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from kai_erp.connectors import BaseConnector, Moment
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import IDOSpec, Property, PropertyType


def whole_collections(connectors: Iterable[BaseConnector[ConnectorQuery]]) -> dict[str, IDOSpec]:
    """Return, by name, each collection of the connectors with all properties that any of them declares.

    The columns bear the ERP's own names.
    """
    found: dict[str, IDOSpec] = {}
    for read in _reads(connectors):
        known = found.get(read.name, IDOSpec(read.name, (), key=read.key))
        properties = {prop.wire: prop for prop in (*_keys(known), *known.properties)}
        for prop in read.properties:
            properties[prop.wire] = _named(properties.get(prop.wire), prop)
        found[read.name] = replace(known, properties=tuple(properties.values()))
    return found


def _reads(connectors: Iterable[BaseConnector[ConnectorQuery]]) -> Iterator[IDOSpec]:
    moment = Moment(datetime.now(UTC), ZoneInfo("UTC"))
    for connector in connectors:
        for read in connector.get_rest_spec(connector.example, moment).collections:
            yield read
            if read.fallback is not None:
                yield read.fallback


def _keys(spec: IDOSpec) -> tuple[Property, ...]:
    return tuple(Property(name, PropertyType.KEY) for name in spec.key)


def _named(known: Property | None, declared: Property) -> Property:
    """Return a property under its own name; what one connector reads as more than text, all do."""
    texts = {PropertyType.TEXT, PropertyType.KEY}
    return Property(declared.wire, declared.type) if known is None or known.type in texts else known
