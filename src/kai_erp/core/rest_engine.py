"""Several collections at once: independent reads together, dependent ones as soon as their keys are known."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from sys import maxsize
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from kai_erp.core import ido
from kai_erp.core.copies import RECORD_DATE, Copies
from kai_erp.core.expressions import Expression
from kai_erp.core.keeping import Keeping
from kai_erp.core.keys import stored_forms
from kai_erp.core.ranging import Cuts
from kai_erp.core.reading import Reading, ReadingRules
from kai_erp.core.traits import Traits
from kai_erp.core.types import (
    Clock,
    CollectionRead,
    CollectionReport,
    IDOSpec,
    KeySource,
    Notice,
    NoticeCode,
    Now,
    Progress,
    ReadStatus,
    RestQuerySpec,
)
from kai_erp.core.walking import KeyList, PageSource, text_table, ungrouped
from kai_erp.errors import (
    PageTimedOut,
    PropertyMissing,
    TooManyRows,
    UpstreamDenied,
    UpstreamError,
    UpstreamFault,
    UpstreamUnavailable,
)

__all__ = ["IDOSpec", "RestEngine", "RestQuerySpec"]

_GLANCE = 20_000  # rows that are asked for at once where pages have no limit
_SIZES, _SIZES_SECONDS = 256, 600.0
_KEYS_PER_REQUEST = 90  # of a usual length, in a request of 2,000 bytes

R = TypeVar("R")
Reads = Mapping[str, "asyncio.Task[CollectionRead]"]


@dataclass(frozen=True, slots=True)
class _Size:
    """How many rows a filter lets through: so many as a whole, or more than so many."""

    rows: int
    whole: bool


class RestEngine:
    """Reads collections over the IDO Request Service.

    Args:
        source: gives single pages.
        page_size: rows asked for per page; 0 asks for all at once.
        patience: seconds after which an answer does without an optional collection.
        key_ranges: parts in which one long collection is read at the same time, at most.
        clock: growing seconds.
        now: the present moment.

    Attributes:
        copies: reads of reference collections, which questions that allow it share; none is kept unless it is set.
    """

    def __init__(  # noqa: PLR0913  # each is named at the call
        self,
        source: PageSource,
        *,
        page_size: int,
        clock: Clock,
        now: Now,
        patience: float = 30.0,
        key_ranges: int = 1,
    ) -> None:
        self._source, self._patience = source, patience
        cuts = Cuts(key_ranges, clock) if key_ranges > 1 else None
        self._rules = ReadingRules(page_size, clock, now, Traits(clock), cuts)
        self.copies = Copies(clock)
        self._sizes: Keeping[_Size] = Keeping(clock, _SIZES_SECONDS, _SIZES, lambda _: 1)

    async def parallel_fetch(
        self,
        ido_specs: list[IDOSpec],
        *,
        row_limit: int | None = None,
        progress: Progress | None = None,
        reuse: bool = False,
    ) -> dict[str, CollectionRead]:
        """Return one read for each collection, by the name of its staged table.

        Those whose keys others wait for are asked for first. With `reuse` reference collections may be those of an
        earlier fetch, as long as they are kept.

        A collection that cannot be read is replaced by its fallback, or by no rows, unless it is required. When
        the call is cancelled, or a required collection fails, every request in flight is broken off.

        Raises UpstreamError for a required collection, TooManyRows when the driving one passes `row_limit`.
        """
        check_order(ido_specs)
        awaited = {source.table for spec in ido_specs for source in spec.keys_from}
        rules = replace(self._rules, row_limit=row_limit, progress=progress, reuse=reuse)
        reads: dict[str, asyncio.Task[CollectionRead]] = {}
        with ungrouped():
            async with asyncio.TaskGroup() as group:
                for spec in sorted(ido_specs, key=lambda spec: spec.table not in awaited):
                    reads[spec.table] = group.create_task(self._read(spec, reads, rules))
        return {spec.table: reads[spec.table].result() for spec in ido_specs}

    async def _read(self, spec: IDOSpec, reads: Reads, rules: ReadingRules) -> CollectionRead:
        if spec.eager:
            early = self._whole_at_once(spec, rules)
            whole = await (early if spec.required else self._optional(spec, early, rules))
            if whole is not None:
                return whole
        keys = await (_keys_of_all if spec.keys_of_all else _keys)(spec.keys_from, reads)
        rows = self._rows(spec, keys, rules)
        return await (rows if spec.required else self._optional(spec, rows, rules))

    async def _whole_at_once(self, spec: IDOSpec, rules: ReadingRules) -> CollectionRead | None:
        """Return all rows without waiting for keys, where they are one page, or were worth it before."""
        size = self._sizes.get(_rows_of(spec))
        if size is None:
            page = min(rules.page_size or _GLANCE, _GLANCE)
            return await self._whole(spec, page - 1, replace(rules, page_size=page, cuts=None, one_page=True))
        return await self._whole(spec, 2 * size.rows, rules) if size.whole else None

    async def _whole(self, spec: IDOSpec, limit: int, rules: ReadingRules) -> CollectionRead | None:
        """Return all rows of a collection; None where they are more than a limit, or none are seen."""
        try:
            read = await self._rows(replace(spec, limited=True), None, replace(rules, row_limit=limit))
        except TooManyRows:
            self._sizes.put(_rows_of(spec), _Size(limit, whole=False))
            return None
        self._sizes.put(_rows_of(spec), _Size(read.report.rows, whole=True))
        return read if read.table.num_rows else None

    async def _optional(self, spec: IDOSpec, rows: Awaitable[R], rules: ReadingRules) -> R | CollectionRead:
        """Return rows that an answer can do without, or what can be had in place of them."""
        try:
            return await self._within_patience(spec, rows)
        except UpstreamError as failure:
            return await self._instead(spec, failure, rules)

    async def _rows(self, spec: IDOSpec, keys: KeyList | None, rules: ReadingRules) -> CollectionRead:
        """Return the rows of a collection, of master data those that are kept where the question allows it."""
        if not spec.reference:
            return await self._read_rows(spec, keys, rules)
        copy = await self._copy(spec, keys, rules) if rules.reuse else None
        if copy is not None:
            return replace(copy, report=replace(copy.report, status="cached"))
        read = await self._dated_rows(spec, keys, rules)
        self.copies.put(spec, keys, read)
        return read

    async def _copy(self, spec: IDOSpec, keys: KeyList | None, rules: ReadingRules) -> CollectionRead | None:
        """Return what is kept of a read, with the rows that changed since it lapsed; None when it must be made."""
        copy = self.copies.good(spec, keys)
        changes = self.copies.changes(spec, keys, rules.now()) if copy is None else None
        if changes is None or not rules.traits.of(spec.name).accepts(changes.term):
            return copy
        rules = replace(rules, row_limit=changes.limit, one_page=False, cuts=None)
        try:
            copy = changes.merged(await Reading(changes.spec, self._source, rules).run(None))
        except TooManyRows:
            return None
        except (UpstreamFault, PageTimedOut):
            rules.traits.learn_refused(spec.name, frozenset({changes.term}))
            return None
        if copy is not None:
            self.copies.put(spec, keys, copy)
        return copy

    async def _dated_rows(self, spec: IDOSpec, keys: KeyList | None, rules: ReadingRules) -> CollectionRead:
        """Return the rows of a collection, with the dates of their changes where a copy needs them."""
        dated = self.copies.dated(spec)
        if rules.traits.of(spec.name).has(RECORD_DATE):
            try:
                return replace(await self._read_rows(dated, keys, rules), spec=spec)
            except PropertyMissing as failure:
                if dated is spec or failure.property_name.casefold() != RECORD_DATE.wire.casefold():
                    raise
            rules.traits.learn_lacking(spec.name, frozenset({RECORD_DATE.wire}))
        return await self._read_rows(spec, keys, rules)

    async def _read_rows(self, spec: IDOSpec, keys: KeyList | None, rules: ReadingRules) -> CollectionRead:
        """Return the rows of a collection; of many keys, by reading it whole while that takes fewer requests."""
        pages = len(keys.keys) // _KEYS_PER_REQUEST // 2 if keys is not None and spec.maybe_whole else 0
        limit = min(pages * rules.page_size, rules.row_limit or maxsize)
        size = self._sizes.get(_rows_of(spec))
        if limit and (size is None or size.whole or size.rows < limit):
            whole = await self._whole(spec, limit, rules)
            if whole is not None:
                return whole
        return await Reading(spec, self._source, rules).run(keys)

    async def _within_patience(self, spec: IDOSpec, rows: Awaitable[R]) -> R:
        try:
            async with asyncio.timeout(self._patience):
                return await rows
        except TimeoutError:
            text = f"{spec.name} did not come within the {self._patience:g} s that an answer waits for it"
            raise UpstreamUnavailable(text) from None

    async def _instead(self, spec: IDOSpec, failure: UpstreamError, rules: ReadingRules) -> CollectionRead:
        """Return what can be had in place of an optional collection: its fallback, or no rows, with a notice."""
        if spec.fallback is not None:
            try:
                read = await self._within_patience(spec.fallback, self._rows(spec.fallback, None, rules))
            except UpstreamError:
                return _absent(spec, failure, rules)
            report = replace(read.report, collection=spec.name, status="fallback")
            notice = _notice(spec, failure, f"its fields come from {spec.fallback.name} where that has them")
            return replace(read, report=report, notices=(notice, *read.notices))
        return _absent(spec, failure, rules)


def _rows_of(spec: IDOSpec) -> tuple[str, Expression | None]:
    """Return what tells which rows a collection's declaration is about, keys aside."""
    return spec.name, spec.filter


def check_order(specs: Sequence[IDOSpec]) -> None:
    """Raise ValueError unless each table is declared once and after those whose keys it needs."""
    known: set[str] = set()
    for spec in specs:
        if spec.table in known:
            raise ValueError(f"the table {spec.table} is declared twice")
        unknown = [source.table for source in spec.keys_from if source.table not in known]
        if unknown:
            raise ValueError(f"{spec.table} takes keys from {unknown[0]}, which must be declared before it")
        known.add(spec.table)


async def _keys(sources: Sequence[KeySource], reads: Reads) -> KeyList | None:
    """Return the keys of the first source that knows them all; None when none does, and all must be read."""
    best: KeyList | None = None
    for source in sources:
        read = await reads[source.table]
        if read.report.status in {"denied", "unavailable"}:
            continue
        column = read.table[source.column]
        known = [key for key in pc.unique(column).to_pylist() if key and key.strip() and "\0" not in key]
        if source.widths:
            known = [form for key in known for form in stored_forms(key, source.widths)]
        best = KeyList(source.match, tuple(sorted(set(known))))
        if ido.trimmed(column.combine_chunks()).null_count == 0:
            return best
    return best


async def _keys_of_all(sources: Sequence[KeySource], reads: Reads) -> KeyList | None:
    """Return the keys that any source knows; None when a source is not there."""
    lists = [await _keys([source], reads) for source in sources]
    known = [keys for keys in lists if keys is not None]
    if len(known) < len(lists):
        return None
    return KeyList(sources[0].match, tuple(dict.fromkeys(key for keys in known for key in keys.keys)))


def _absent(spec: IDOSpec, failure: UpstreamError, rules: ReadingRules) -> CollectionRead:
    status: ReadStatus = "denied" if isinstance(failure, UpstreamDenied) else "unavailable"
    report = CollectionReport(spec.name, 0, 0, 0.0, status, rules.now())
    return CollectionRead(
        spec, text_table(spec, pa.table({})), report, (_notice(spec, failure, "its fields are null"),)
    )


def _notice(spec: IDOSpec, failure: UpstreamError, consequence: str) -> Notice:
    denied = isinstance(failure, UpstreamDenied)
    code: NoticeCode = "collection_denied" if denied else "collection_unavailable"
    advice = f" {failure.suggestion}" if denied else ""
    return Notice(code, f"{failure}; {consequence}.{advice}", spec.name)
