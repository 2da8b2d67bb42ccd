"""A whole collection, page by page: what has been given is not kept."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import NamedTuple

import pyarrow as pa

from kai_erp.core import ido
from kai_erp.core.learning import Learning
from kai_erp.core.traits import Traits
from kai_erp.core.types import DataSource, IDOSpec, Notice, PropertyType
from kai_erp.core.walking import PageSource
from kai_erp.errors import BookmarkLoop, PageTimedOut, QueryTooLong, UpstreamError, UpstreamFault
from kai_erp.exporting.parts import Place


class PlaceLost(UpstreamFault):
    """The ERP does not go on from where an earlier run stopped."""


class _Step(NamedTuple):
    """A request and the page that it gave."""

    request: ido.LoadRequest
    page: ido.Page


@dataclass(slots=True)
class CollectionWalk:
    """A walk over a collection: `pages` once. Cells that cannot be read are null, and counted."""

    spec: IDOSpec
    client: PageSource
    traits: Traits
    page_size: int
    zone: tzinfo
    as_of: datetime
    source: DataSource = DataSource.REST
    _bad: dict[str, int] = field(default_factory=dict, init=False)

    def columns(self) -> list[str]:
        """Return the columns of the rows: they bear the names of the properties."""
        return [prop.wire for prop in self.spec.properties]

    async def pages(self, place: Place | None) -> AsyncGenerator[tuple[pa.Table, Place | None], None]:
        """Give the typed rows of each page, and where to go on after them; None after the last.

        Raises PlaceLost when the ERP does not take the place that is given, and what the client raises.
        """
        last, seen = None, set[int]()
        request: ido.LoadRequest | None = self._request(place)
        while request is not None:
            _check_new(request, seen)
            last = await (self._resumed(request) if place and last is None else self._step(request, last))
            request = _following(last)
            yield self._rows(last.page.columns, last.page.rows), self._place(request)

    def notices(self) -> list[Notice]:
        """Return what must be said about the rows."""
        name = self.spec.name
        lacking = [
            Notice("property_missing", f"{name} has no property {prop.wire} on this tenant; it is null.", name)
            for prop in self.traits.of(name).lacking_of(self.spec)
        ]
        bad = [
            Notice("bad_values", f"{count} values of {name}.{wire} cannot be read and count as null.", name)
            for wire, count in self._bad.items()
        ]
        return lacking + bad

    def _request(self, place: Place | None) -> ido.LoadRequest:
        """Return the request for the first page, or for the one at a place, in every respect as it was."""
        if place is not None and place.lacking:
            self.traits.learn_lacking(self.spec.name, frozenset(place.lacking))
        first = ido.LoadRequest(self.spec.name, self._wires(), order_by=self.spec.key)
        if place is None:
            return replace(first, record_cap=self.page_size)
        return place.lead(first)

    def _place(self, request: ido.LoadRequest | None) -> Place | None:
        if request is None:
            return None
        lacking = sorted(self.traits.of(self.spec.name).lacking)
        return Place.of(request, lacking)

    def _wires(self) -> tuple[str, ...]:
        trait = self.traits.of(self.spec.name)
        return tuple(prop.wire for prop in self.spec.properties if trait.has(prop))

    async def _resumed(self, request: ido.LoadRequest) -> _Step:
        """Return the first page of a walk that goes on."""
        try:
            return _Step(request, await self.client.page(request))
        except UpstreamFault as failure:
            raise PlaceLost(str(failure)) from failure

    async def _step(self, request: ido.LoadRequest, last: _Step | None) -> _Step:
        """Return the next page; on a page that takes too long, a smaller one after the last row's key."""
        if last is None:
            return await self._first(request)
        while True:
            try:
                return _Step(request, await self.client.page(request))
            except PageTimedOut:
                smaller = max((request.record_cap or last.page.rows) // 2, ido.SMALLEST_PAGE)
                if smaller >= request.record_cap > 0:
                    raise
                request = replace(ido.request_after(*last), record_cap=smaller)

    async def _first(self, request: ido.LoadRequest) -> _Step:
        """Return the first page, learning what the tenant lacks; if it is empty, that of unnamed properties."""
        learning = Learning(self.spec, self.client, self.traits, keyed=False)
        while True:
            known = self.traits.of(self.spec.name)
            try:
                page = await self.client.page(request)
                break
            except (PageTimedOut, UpstreamFault) as failure:
                await learning.learn(failure, request.record_cap)
                trait = self.traits.of(self.spec.name)
                if trait == known:
                    raise
            request = replace(request, properties=self._wires(), record_cap=trait.page_size or request.record_cap)
        if page.rows == 0 and not request.unlisted:
            whole = replace(request, unlisted=True)
            with suppress(UpstreamError):
                return _Step(whole, await self.client.page(whole))
        return _Step(request, page)

    def _rows(self, columns: Mapping[str, Sequence[str | None]], rows: int) -> pa.Table:
        """Return the rows of a page with typed columns, all of the declared ones."""
        made = {}
        for prop in self.spec.properties:
            texts = pa.array(columns.get(prop.wire, [None] * rows), pa.string())
            typed = ido.typed(ido.trimmed(texts), prop.type)
            made[prop.wire] = typed.column
            if typed.bad:
                self._bad[prop.wire] = self._bad.get(prop.wire, 0) + typed.bad
            if prop.type is PropertyType.DATETIME:
                made[prop.wire] = _in_zone(typed.column, self.zone)
        return pa.table(made)


def _in_zone(walls: pa.Array, zone: tzinfo) -> pa.Array:
    return ido.instants(walls, zone).cast(pa.timestamp("us", str(zone)))


def _check_new(request: ido.LoadRequest, seen: set[int]) -> None:
    """Raise BookmarkLoop when this was asked before; of what was asked, a number is kept."""
    mark = hash((request.bookmark, request.after))
    if mark in seen:
        raise BookmarkLoop(request.collection)
    seen.add(mark)


def _following(step: _Step) -> ido.LoadRequest | None:
    """Return the request for the page after one; by the last row's key when its bookmark cannot be followed."""
    request, page = step
    if page.more_rows is None and page.rows and page.bookmark in {None, "", request.bookmark}:
        return ido.request_after(request, page)
    following = ido.next_request(request, page)
    if following is None:
        return None
    try:
        ido.query_string(following)
    except QueryTooLong:
        return ido.request_after(request, page)
    return following
