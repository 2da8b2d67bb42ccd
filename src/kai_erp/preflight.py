"""What a tenant lets us do: each collection and property that the connectors need, tried with one small read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from kai_erp.catalogue import CollectionEntry, collections_of
from kai_erp.connectors import BaseConnector, LakeSource, Moment
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core import ido
from kai_erp.errors import (
    CollectionMissing,
    PropertyMissing,
    UpstreamAuth,
    UpstreamDenied,
    UpstreamError,
    UpstreamFault,
)

_CLOCKS_DIFFER = timedelta(minutes=5)
_TOO_LATE = timedelta(hours=2)

Grant = Literal["granted", "empty", "denied", "missing", "failing"]
_GRANTS: dict[type[UpstreamError], Grant] = {UpstreamDenied: "denied", CollectionMissing: "missing"}


class Tenant(Protocol):
    """Lets us in, gives pages of collections, and says which properties they have."""

    async def log_on(self) -> None:
        """Return when there is a token."""
        ...

    async def page(self, request: ido.LoadRequest) -> ido.Page:
        """Return one page."""
        ...

    async def property_names(self, collection: str) -> frozenset[str]:
        """Return the properties that a collection has, case-folded; none when that cannot be known."""
        ...


@dataclass(frozen=True, slots=True)
class CollectionCheck:
    """How one collection stands: `missing` are the properties that the tenant lacks, `said` is what it says."""

    name: str
    grant: Grant
    missing: tuple[str, ...]
    ms: float
    said: str = ""

    @property
    def readable(self) -> bool:
        """Whether rows can be had."""
        return self.grant in {"granted", "empty"}


@dataclass(frozen=True, slots=True)
class ConnectorCheck:
    """How one connector stands: whether it can answer, and each of its collections."""

    name: str
    title: str
    collections: tuple[tuple[CollectionEntry, CollectionCheck], ...]

    @property
    def answers(self) -> bool:
        """Whether all that it cannot do without is there."""
        return all(
            check.readable and not set(check.missing) & set(entry.required_properties)
            for entry, check in self.collections
            if entry.required
        )


async def check_connectors(
    tenant: Tenant, connectors: Iterable[BaseConnector[ConnectorQuery]]
) -> list[ConnectorCheck]:
    """Return how each connector stands.

    Raises UpstreamAuth when the tenant does not let us in at all, UpstreamUnavailable when it cannot be reached.
    """
    await tenant.log_on()
    needed = {connector: collections_of(connector) for connector in connectors}
    wanted: dict[str, list[str]] = {}
    for entry in (entry for entries in needed.values() for entry in entries):
        properties = wanted.setdefault(entry.name, [])
        properties += [name for name in entry.properties if name not in properties]
    checks = dict(
        zip(wanted, await asyncio.gather(*(_check(tenant, name, wanted[name]) for name in wanted)), strict=True)
    )
    return [
        ConnectorCheck(connector.name, connector.title, tuple((entry, checks[entry.name]) for entry in entries))
        for connector, entries in needed.items()
    ]


async def _check(tenant: Tenant, name: str, properties: Sequence[str]) -> CollectionCheck:
    started, missing = time.perf_counter(), list[str]()
    grant, said = await _try(tenant, name, list(properties), missing)
    return CollectionCheck(name, grant, tuple(missing), (time.perf_counter() - started) * 1000, said)


async def _try(tenant: Tenant, name: str, left: list[str], missing: list[str]) -> tuple[Grant, str]:
    """Return how a collection stands; the tenant names one missing property at a time, which is then left out."""
    while left:
        try:
            page = await tenant.page(ido.LoadRequest(name, tuple(left), order_by=(left[0],), record_cap=1))
        except PropertyMissing as lack:
            named = [prop for prop in left if prop.casefold() == lack.property_name.casefold()]
            if not named:
                return "failing", str(lack)
            missing += named
            left = [prop for prop in left if prop not in named]
        except UpstreamAuth:
            raise
        except UpstreamError as failure:
            unknown = await _lacking(tenant, name, left) if type(failure) is UpstreamFault else []
            if unknown:
                missing += unknown
                left = [prop for prop in left if prop not in unknown]
                continue
            return _GRANTS.get(type(failure), "failing"), str(failure)
        else:
            return ("granted" if page.rows else "empty"), ""
    return "failing", "it has none of the properties"


async def _lacking(tenant: Tenant, name: str, properties: Sequence[str]) -> list[str]:
    """Return the properties that the metadata does not know, for a fault in words that nobody knows."""
    known = await tenant.property_names(name)
    return [prop for prop in properties if known and prop.casefold() not in known]


def rights_to_ask_for(checks: Iterable[ConnectorCheck]) -> list[str]:
    """Return the collections that are denied, each once."""
    return list(
        dict.fromkeys(check.name for one in checks for _, check in one.collections if check.grant == "denied")
    )


@dataclass(frozen=True, slots=True)
class LakeCheck:
    """How the data lake stands: how long ago its newest row came, and how long after the ERP changed it.

    `said` is what went wrong, if anything did; `advice` what its clocks say about the settings.
    """

    age: timedelta | None = None
    lag: timedelta | None = None
    said: str = ""
    advice: str = ""


async def check_lake(
    lake: LakeSource, connectors: Iterable[BaseConnector[ConnectorQuery]], now: datetime
) -> LakeCheck:
    """Return how the lake stands for the tables that the connectors need."""
    moment = Moment(now, ZoneInfo("UTC"))
    specs = [connector.get_lake_query(connector.example, moment, lake.tables) for connector in connectors]
    tables = [table for spec in specs if spec is not None for table in spec.tables]
    try:
        clocks = await lake.engine.clocks(tables)
    except UpstreamError as failure:
        return LakeCheck(said=f"{failure}. {failure.suggestion}")
    age = now - clocks.visible if clocks.visible else None
    lag = clocks.visible - clocks.changed if clocks.visible and clocks.changed else None
    return LakeCheck(age, lag, advice=_advice(lag))


def _advice(lag: timedelta | None) -> str:
    """Return what to do when rows seem to arrive before they were changed, or later by hours than they can."""
    if lag is None or -_CLOCKS_DIFFER < lag < _TOO_LATE:
        return ""
    if lag <= -_CLOCKS_DIFFER:
        return "Rows seem to arrive before they are changed: check SL10_TIMEZONE and LAKE_TIMESTAMPS."
    return "Rows arrive hours after they are changed: the queue is stuck, or LAKE_TIMESTAMPS is wrong."
