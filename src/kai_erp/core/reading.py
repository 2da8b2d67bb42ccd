"""One collection, from its declaration to its rows, whatever the tenant lets us have.

Tenants differ: one lacks a property, one refuses a filter, one takes too long over a large page. Each is learnt
from the failure it causes, and the read is made again without what stood in its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from kai_erp.core import ido
from kai_erp.core.expressions import Expression, all_of, names_in, terms_of
from kai_erp.core.traits import Trait, Traits
from kai_erp.core.types import Clock, CollectionRead, CollectionReport, IDOSpec, Notice, Now, Progress, Property
from kai_erp.core.walking import Columns, KeyList, PageSource, Walk, keep_once, text_table
from kai_erp.errors import (
    FilterRefused,
    PageTimedOut,
    PropertyMissing,
    TooManyRows,
    UpstreamError,
    UpstreamFault,
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """How collections are read: `page_size` rows at a time; the driving one to at most `row_limit` rows."""

    page_size: int
    clock: Clock
    now: Now
    traits: Traits
    row_limit: int | None = None
    progress: Progress | None = None


@dataclass(slots=True)
class Reading:
    """The reading of one collection: `run` once."""

    spec: IDOSpec
    source: PageSource
    rules: ReadingRules
    pages: int = field(default=0, init=False)
    rows: int = field(default=0, init=False)
    _record_cap: int = field(default=0, init=False)
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
        while True:
            before = self._trait
            try:
                columns = await self._walk().read(keys)
            except (PageTimedOut, UpstreamFault) as failure:
                await self._learn(failure, keyed=keys is not None)
                learnt = self._trait != before or (isinstance(failure, PageTimedOut) and self._smaller_now())
                if not learnt and not self._once_more(failure):
                    raise
            else:
                if self.rows or not keys or not keys.keys or self._unlisted:
                    return self._read_of(keep_once(columns, self.spec.key))
                # A tenant was met that gives no rows when properties are listed; keys that exist have rows.
                self._unlisted = True

    def _smaller_now(self) -> bool:
        """Tell whether a smaller page has been learnt, perhaps by another read of the same collection."""
        known = self._trait.page_size
        return known is not None and known < self._record_cap

    def _once_more(self, failure: UpstreamError) -> bool:
        """Tell whether to read again although nothing was learnt: once, after a fault that nothing explains."""
        again = type(failure) is UpstreamFault and not self._tried_again
        self._tried_again = True
        return again

    @property
    def _trait(self) -> Trait:
        return self.rules.traits.of(self.spec.name)

    def _walk(self) -> Walk:
        self.rows = 0
        trait = self._trait
        self._record_cap = trait.page_size or self.rules.page_size
        first = ido.LoadRequest(
            collection=self.spec.name,
            properties=tuple(prop.wire for prop in self._properties(trait)),
            order_by=self.spec.key,
            record_cap=self._record_cap,
            unlisted=self._unlisted,
        )
        return Walk(self.source, first, all_of(*self._terms(trait)), self._count)

    def _properties(self, trait: Trait) -> list[Property]:
        return [prop for prop in self.spec.properties if prop.wire.casefold() not in trait.lacking]

    def _terms(self, trait: Trait) -> list[Expression]:
        """Return the terms of the filter that the tenant accepts; the others are decided after staging."""
        return [term for term in terms_of(self.spec.filter) if term not in trait.refused]

    def _count(self, rows: int) -> None:
        """Take note of a page. Raises TooManyRows as soon as the driving collection passes its limit."""
        self.rows += rows
        if rows < 0:
            return
        self.pages += 1
        if self.rules.progress is not None:
            self.rules.progress(self._report(self.rows))
        limit = self.rules.row_limit
        if self.spec.driving and limit is not None and self.rows > limit:
            raise TooManyRows(self.rows, limit)

    async def _learn(self, failure: UpstreamError, *, keyed: bool) -> None:
        """Note what a failure says about the tenant. Raises it when there is no doing without what is missing."""
        match failure:
            case PageTimedOut():
                self._learn_page_size()
            case PropertyMissing():
                self._learn_lacking(failure, [failure.property_name])
            case FilterRefused():
                await self._learn_refused(failure, keyed=keyed)
            case _ if type(failure) is UpstreamFault:
                await self._learn_from_metadata(failure, keyed=keyed)
            case _:
                raise failure

    def _learn_page_size(self) -> None:
        known = self._trait.page_size
        size = max(self._record_cap // 2, ido.SMALLEST_PAGE)
        if size < self._record_cap and (known is None or size < known):
            self.rules.traits.learn_page_size(self.spec.name, size)

    def _learn_lacking(self, failure: UpstreamError, names: Sequence[str]) -> None:
        lacking = {name.casefold() for name in names}
        needed = {prop.wire.casefold() for prop in self.spec.properties if prop.required}
        left = {prop.wire.casefold() for prop in self._properties(self._trait)} - lacking
        if not left or lacking & (needed | {name.casefold() for name in self.spec.key}):
            raise failure
        barred = {
            term for term in self._terms(self._trait) if lacking & {name.casefold() for name in names_in(term)}
        }
        self.rules.traits.learn_refused(self.spec.name, frozenset(barred))
        if lacking & {prop.wire.casefold() for prop in self.spec.properties}:
            self.rules.traits.learn_lacking(self.spec.name, frozenset(names))

    async def _learn_refused(self, failure: UpstreamError, *, keyed: bool) -> None:
        """Find out by small reads which terms of the filter are refused."""
        terms = self._terms(self._trait)
        refused = [term for term in terms if not await self._accepted(term)]
        remain = len(refused) < len(terms) or keyed
        if refused and not (remain or self.spec.required):
            raise failure
        self.rules.traits.learn_refused(self.spec.name, frozenset(refused))

    async def _learn_from_metadata(self, failure: UpstreamFault, *, keyed: bool) -> None:
        """Find out what a fault means whose text nobody knows, such as one in another language."""
        log.warning("unrecognised fault", collection=self.spec.name, said=str(failure))
        names = await self.source.property_names(self.spec.name)
        used = {prop.wire for prop in self._properties(self._trait)}
        used |= {name for term in self._terms(self._trait) for name in names_in(term)}
        lacking = [name for name in used if names and name.casefold() not in names]
        if lacking:
            self._learn_lacking(PropertyMissing(self.spec.name, lacking[0]), lacking)
        elif await self._accepted(None):
            await self._learn_refused(failure, keyed=keyed)

    async def _accepted(self, term: Expression | None) -> bool:
        """Tell whether the tenant answers a one-row read with this filter."""
        name = self.spec.key[:1] or tuple(prop.wire for prop in self._properties(self._trait)[:1])
        text = ido.render(term) if term is not None else None
        try:
            await self.source.page(ido.LoadRequest(self.spec.name, name, text, name, record_cap=1))
        except UpstreamFault as failure:
            if type(failure) not in {FilterRefused, UpstreamFault}:
                raise
            return False
        return True

    def _read_of(self, columns: Columns) -> CollectionRead:
        table = text_table(self.spec, columns)
        lacking = tuple(prop.name for prop in self.spec.properties if prop.wire.casefold() in self._trait.lacking)
        return CollectionRead(self.spec, table, self._report(table.num_rows), tuple(self._notices()), lacking)

    def _notices(self) -> list[Notice]:
        trait, name = self._trait, self.spec.name
        lacking = [prop.wire for prop in self.spec.properties if prop.wire.casefold() in trait.lacking]
        notices = [
            Notice(
                "property_missing",
                f"{name} has no property {wire} on this tenant; what comes from it is null.",
                name,
            )
            for wire in lacking
        ]
        for term in terms_of(self.spec.filter):
            if term in trait.refused:
                names = " and ".join(sorted(names_in(term)))
                text = f"{name} does not accept the filter on {names}; it was applied here instead."
                notices.append(Notice("filter_local", text, name))
        return notices

    def _report(self, rows: int) -> CollectionReport:
        ms = round((self.rules.clock() - self._started) * 1000, 1)
        return CollectionReport(self.spec.name, rows, self.pages, ms, "ok", self._as_of)
