"""Copies of master data, used again while they are good, then brought up to date by the rows that changed.

`RecordDate` is when the ERP last changed a row, by its own wall clock. What is asked for begins more than an hour
before the newest one that a copy has: clocks are put back, and a change shows only when its transaction ends. A
deleted row leaves no trace, so a copy is read whole again in time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

import pyarrow as pa
import pyarrow.compute as pc

from kai_erp.core import ido
from kai_erp.core.expressions import Comparison, Expression, Operator, all_of, names_in
from kai_erp.core.keeping import Keeping
from kai_erp.core.keys import fold_key, fold_keys
from kai_erp.core.types import Clock, CollectionRead, IDOSpec, Property, PropertyType
from kai_erp.core.walking import KeyList, keep_once

RECORD_DATE = Property("RecordDate", PropertyType.DATETIME, required=True)

_MARGIN = timedelta(minutes=70)
_TERMS, _LONGEST = 4, timedelta(hours=1)  # a copy is read whole after four times as long as it is good, or an hour
_SHARE = 4  # of so many rows one may have changed


@dataclass(frozen=True, slots=True)
class Changes:
    """What to ask for to bring a copy up to date: the rows of `spec`, at most `limit` of them, by `term`."""

    spec: IDOSpec
    term: Expression
    limit: int
    copy: CollectionRead
    keys: KeyList | None
    newest: datetime

    def merged(self, read: CollectionRead) -> CollectionRead | None:
        """Return the copy with the rows that were read in place of what they were.

        None when these cannot be all: they were read in another way than the copy, or lack its newest row.
        """
        newest = _newest(read)
        if newest is None or newest < self.newest or read.notices != self.copy.notices:
            return None
        rows = pa.concat_tables([self.copy.table, self._wanted(read.table)])
        table = keep_once(rows, [prop.name for prop in self.spec.properties if prop.wire in self.spec.key])
        return replace(self.copy, table=table, report=replace(self.copy.report, rows=table.num_rows))

    def _wanted(self, rows: pa.Table) -> pa.Table:
        """Return the rows that have one of the keys which the copy was read by."""
        if self.keys is None:
            return rows
        name = next(prop.name for prop in self.spec.properties if prop.wire == self.keys.match)
        wanted = pa.array({fold_key(key) for key in self.keys.keys}, pa.string())
        return rows.filter(pc.is_in(fold_keys(rows[name].combine_chunks()), wanted))


class Copies:
    """Reads of reference collections, to be used again.

    Args:
        clock: growing seconds.
        seconds: how long a read is good; 0 keeps none.
        room: how many bytes all of them may take.
        zone: that of the ERP's wall clock.
    """

    def __init__(self, clock: Clock, seconds: float = 0, room: int = 0, zone: tzinfo = UTC) -> None:
        linger = (_TERMS - 1) * seconds
        self._kept: Keeping[CollectionRead] = Keeping(clock, seconds, room, _size_of, linger=linger)
        self._zone = zone
        self._renewable = min(timedelta(seconds=linger), _LONGEST - timedelta(seconds=seconds))

    def good(self, spec: IDOSpec, keys: KeyList | None) -> CollectionRead | None:
        """Return the copy of a read that need not be made again."""
        return self._kept.get((spec, keys))

    def put(self, spec: IDOSpec, keys: KeyList | None, read: CollectionRead) -> None:
        """Keep a read."""
        self._kept.put((spec, keys), read)

    def dated(self, spec: IDOSpec) -> IDOSpec:
        """Return a declaration that asks for the dates of changes too, where its rows are kept and have some."""
        known = {prop.name for prop in spec.properties} | {prop.wire for prop in spec.properties}
        if not self._kept.used or not spec.dated or RECORD_DATE.name in known:
            return spec
        return replace(spec, properties=(*spec.properties, RECORD_DATE))

    def changes(self, spec: IDOSpec, keys: KeyList | None, now: datetime) -> Changes | None:
        """Return what to ask for to bring a lapsed copy up to date; None when it must be read whole."""
        copy = self._kept.lapsed((spec, keys))
        if copy is None or copy.report.pages <= 1 or not _changes_show(spec, keys):
            return None
        newest, read_at = _newest(copy), copy.report.as_of
        if newest is None or now - read_at > self._renewable:
            return None
        since = min(newest, read_at.astimezone(self._zone).replace(tzinfo=None)) - _MARGIN
        term = Comparison(RECORD_DATE.wire, Operator.GE, since)
        asked = replace(self.dated(spec), filter=all_of(spec.filter, term), required=True, limited=True)
        return Changes(asked, term, copy.table.num_rows // _SHARE, copy, keys, newest)


def _changes_show(spec: IDOSpec, keys: KeyList | None) -> bool:
    """Tell whether rows are known by their key, and remain among those of the filter whatever changes in them."""
    tested = {keys.match} if keys is not None else set()
    tested |= names_in(spec.filter) if spec.filter is not None else set()
    whole_key = spec.key and set(spec.key) <= {prop.wire for prop in spec.properties}
    return bool(whole_key) and tested <= set(spec.key) and not spec.driving


def _size_of(read: CollectionRead) -> int:
    return int(read.table.nbytes)


def _newest(read: CollectionRead) -> datetime | None:
    """Return when a row was last changed; None when that is not known of each, or there is none."""
    if RECORD_DATE.name not in read.table.column_names:
        return None
    dates = ido.typed(ido.trimmed(read.table[RECORD_DATE.name].combine_chunks()), RECORD_DATE.type).column
    newest: datetime | None = None if dates.null_count else pc.max(dates).as_py()
    return newest
