"""One collection, from its declaration to its rows, whatever the tenant lets us have.

Tenants differ: one lacks a property, one refuses a filter, one takes too long over a large page. Each is learnt
from the failure it causes, and the read is made again without what stood in its way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from kai_erp.core import ido
from kai_erp.core.expressions import all_of, names_in, terms_of
from kai_erp.core.learning import Learning
from kai_erp.core.ranging import Cuts, RangedWalk
from kai_erp.core.traits import Trait, Traits
from kai_erp.core.types import Clock, CollectionRead, CollectionReport, IDOSpec, Notice, Now, Progress
from kai_erp.core.walking import KeyList, PageSource, Walk, keep_once, text_table
from kai_erp.errors import PageTimedOut, TooManyRows, UpstreamError, UpstreamFault

_IMPLAUSIBLE = 5  # so many keys that exist elsewhere have some rows


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """How collections are read: `page_size` rows at a time; the driving one to at most `row_limit` rows.

    With `cuts` long ones are read in parts. `one_page` gives up on a collection when a second page brings rows.
    """

    page_size: int
    clock: Clock
    now: Now
    traits: Traits
    cuts: Cuts | None = None
    row_limit: int | None = None
    one_page: bool = False
    progress: Progress | None = None
    reuse: bool = False


@dataclass(slots=True)
class Reading:
    """The reading of one collection: `run` once."""

    spec: IDOSpec
    source: PageSource
    rules: ReadingRules
    pages: int = field(default=0, init=False)
    rows: int = field(default=0, init=False)
    _trait: Trait = field(default=Trait(), init=False)
    _unlisted: bool = field(default=False, init=False)
    _tried_again: bool = field(default=False, init=False)
    _started: float = field(default=0.0, init=False)
    _as_of: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._started, self._as_of = self.rules.clock(), self.rules.now()

    async def run(self, keys: KeyList | None) -> CollectionRead:
        """Return all rows, each once; `keys` None reads whatever the filter of the collection lets through.

        Raises UpstreamError when nothing can be learnt from a failure, TooManyRows when the driving collection
        passes its limit.
        """
        read = await self._read(keys)
        implausible = self.spec.driving if keys is None else len(keys.keys) >= _IMPLAUSIBLE
        if read.table.num_rows or not implausible:
            return read
        return await self._read_unlisted(keys, otherwise=read)

    async def _read_unlisted(self, keys: KeyList | None, otherwise: CollectionRead) -> CollectionRead:
        """Read once more without naming properties: a tenant was met that gives no rows when they are named."""
        self._unlisted = True
        try:
            return self._read_of(keep_once(await self._walk().read(keys), self.spec.key))
        except UpstreamError:
            return otherwise

    async def _read(self, keys: KeyList | None) -> CollectionRead:
        """Return all rows, learning from each failure and trying again."""
        learning = Learning(self.spec, self.source, self.rules.traits, keyed=keys is not None)
        while True:
            self._trait = self.rules.traits.of(self.spec.name)
            try:
                rows = await self._rows(None if self._trait.unkeyed else keys)
            except (PageTimedOut, UpstreamFault) as failure:
                await learning.learn(failure, self._record_cap)
                if self._trait == self.rules.traits.of(self.spec.name) and not self._once_more(failure):
                    raise
            else:
                return self._read_of(keep_once(rows, self.spec.key))

    async def _rows(self, keys: KeyList | None) -> pa.Table:
        walk, cuts = self._walk(), self.rules.cuts
        if keys is None and cuts is not None and walk.first.record_cap and self.spec.key:
            return await RangedWalk(walk, cuts).read()
        return await walk.read(keys)

    def _once_more(self, failure: UpstreamError) -> bool:
        """Tell whether to read again although nothing was learnt: once, after a fault that nothing explains."""
        again = type(failure) is UpstreamFault and not self._tried_again
        self._tried_again = True
        return again

    @property
    def _record_cap(self) -> int:
        return self._trait.page_size or self.rules.page_size

    def _walk(self) -> Walk:
        self.rows = 0
        first = ido.LoadRequest(
            collection=self.spec.name,
            properties=tuple(prop.wire for prop in self.spec.properties if self._trait.has(prop)),
            order_by=self.spec.key,
            record_cap=self._record_cap,
            unlisted=self._unlisted,
        )
        accepted = (term for term in terms_of(self.spec.filter) if self._trait.accepts(term))
        return Walk(self.source, first, all_of(*accepted), self._count, self._has_room)

    @property
    def _limit(self) -> int | None:
        return self.rules.row_limit if self.spec.driving or self.spec.limited else None

    def _has_room(self, rows: int) -> bool:
        return self._limit is None or self.rows + rows <= self._limit

    def _count(self, rows: int) -> None:
        """Take note of a page. Raises TooManyRows as soon as the driving collection passes its limit."""
        self.rows += rows
        if rows < 0:
            return
        self.pages += 1
        if self.rules.progress is not None:
            self.rules.progress(self._report(self.rows))
        if self._limit is not None and self.rows > self._limit:
            raise TooManyRows(self.rows, self._limit)
        if self.rules.one_page and self.pages > 1 and rows:
            raise TooManyRows(self.rows, self.rows - rows)

    def _read_of(self, rows: pa.Table) -> CollectionRead:
        table = text_table(self.spec, rows)
        lacking = tuple(prop.name for prop in self._trait.lacking_of(self.spec))
        return CollectionRead(self.spec, table, self._report(table.num_rows), tuple(self._notices()), lacking)

    def _notices(self) -> list[Notice]:
        """Return what must be said about how this read, not the next one, was made."""
        name, notices = self.spec.name, []
        for prop in self._trait.lacking_of(self.spec):
            text = f"{name} has no property {prop.wire} on this tenant; what comes from it is null."
            notices.append(Notice("property_missing", text, name))
        for term in terms_of(self.spec.filter):
            if not self._trait.accepts(term):
                names = " and ".join(sorted(names_in(term)))
                text = f"{name} does not accept the filter on {names}; it was applied here instead."
                notices.append(Notice("filter_local", text, name))
        return notices

    def _report(self, rows: int) -> CollectionReport:
        ms = round((self.rules.clock() - self._started) * 1000, 1)
        return CollectionReport(self.spec.name, rows, self.pages, ms, "ok", self._as_of)
