"""The values that connectors and engines exchange. No I/O, no behaviour beyond their own fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from enum import StrEnum
from typing import Literal

import pyarrow as pa

from kai_erp.core.expressions import Expression

Clock = Callable[[], float]
"""Seconds that only ever grow, as `time.monotonic` gives them."""

Now = Callable[[], datetime]
"""The present moment, aware."""

SqlValue = str | int | bool | date | datetime | tuple[str, ...] | None
"""What may enter the join as a parameter."""


class Freshness(StrEnum):
    """How old the data of an answer may be."""

    REALTIME = "realtime"
    NEAR_REALTIME = "near_realtime"
    BATCH_OK = "batch_ok"


class DataSource(StrEnum):
    """Where an answer is read from."""

    REST = "rest"
    LAKE = "lake"


class PropertyType(StrEnum):
    """What the text of a property means."""

    TEXT = "text"
    KEY = "key"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLAG = "flag"
    DATETIME = "datetime"


@dataclass(frozen=True, slots=True)
class Property:
    """A property that is read: `name` is the staged column, `wire` what the ERP calls it."""

    name: str
    type: PropertyType = PropertyType.TEXT
    required: bool = False
    wire: str = ""

    def __post_init__(self) -> None:
        if not self.wire:
            object.__setattr__(self, "wire", self.name)


@dataclass(frozen=True, slots=True)
class KeySource:
    """Only rows whose property `match` is among the values of `column` in another staged `table` are needed.

    With `widths`, those that the column may have, keys are looked for as they may be padded there as well; tables
    that the ERP writes together hold them alike.
    """

    table: str
    column: str
    match: str
    widths: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class IDOSpec:
    """One collection to read, and how.

    Args:
        name: the IDO, in the spelling of its metadata.
        properties: what to read of each row.
        filter: which rows; may be wider than the question.
        key: the natural key on the wire, by which pages are ordered and rows kept once.
        required: without it there is no answer; otherwise its columns are null and a warning says so.
        table: the staged table's name, when it is not the IDO's.
        keys_from: other tables whose rows say which rows are needed; the first that is complete is used.
        keys_of_all: rows that any of `keys_from` names are needed, not those of the first.
        maybe_whole: with many keys, all rows that the filter lets through are read if they are few enough pages.
        driving: its row count is the question's volume.
        limited: each of its rows stands for one of the driving collection at least, so its number is limited too.
        eager: where all of its rows are one page, they are read at once, and no keys are waited for.
        fallback: another read that gives the same columns when this one cannot be had.
        reference: master data, which may be kept for REFERENCE_TTL_SECONDS.
        dated: a change of any property shows in the row's RecordDate, as none is joined from another table; then
            what is kept can be brought up to date.
    """

    name: str
    properties: tuple[Property, ...]
    filter: Expression | None = None
    key: tuple[str, ...] = ()
    required: bool = True
    table: str = ""
    keys_from: tuple[KeySource, ...] = ()
    keys_of_all: bool = False
    maybe_whole: bool = False
    driving: bool = False
    limited: bool = False
    eager: bool = False
    fallback: IDOSpec | None = None
    reference: bool = False
    dated: bool = False

    def __post_init__(self) -> None:
        if not self.table:
            object.__setattr__(self, "table", self.name)


@dataclass(frozen=True, slots=True)
class RestQuerySpec:
    """What answers a question over REST: collections, and the SQL that joins their staged tables.

    `zone` is that of the ERP's wall clock, by which its dates become instants.
    """

    collections: tuple[IDOSpec, ...]
    sql: str
    zone: tzinfo
    parameters: Mapping[str, SqlValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LakeQuerySpec:
    """What answers a question from the data lake: one Compass query, and the SQL that makes records of its rows.

    Args:
        sql: the Compass query; it gives a column for each of `columns`, by name.
        columns: what the query gives.
        tables: lake objects that change whenever the answer does; how recent they are is how recent it is.
        records: the SQL over the staged rows, which are the table `facts`.
        volume: the SQL that counts among them the rows that the driving collection would have over REST.
        zone: that of the ERP's wall clock.
        parameters: the values that enter `records`.
    """

    sql: str
    columns: tuple[Property, ...]
    tables: tuple[str, ...]
    records: str
    volume: str
    zone: tzinfo
    parameters: Mapping[str, SqlValue] = field(default_factory=dict)


ReadStatus = Literal["ok", "cached", "denied", "unavailable", "fallback"]

NoticeCode = Literal[
    "collection_denied",
    "collection_unavailable",
    "property_missing",
    "filter_local",
    "large_fetch",
    "lake_unavailable",
    "bad_values",
    "no_match",
    "mixed_currencies",
    "job_allocation_unplaced",
    "shared_store_lost",
]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the reader of an answer must know; stands among the answer's warnings."""

    code: NoticeCode
    message: str
    collection: str | None = None


@dataclass(frozen=True, slots=True)
class CollectionReport:
    """What one collection contributed: rows, pages, milliseconds, outcome, and the moment it was read."""

    collection: str
    rows: int
    pages: int
    ms: float
    status: ReadStatus
    as_of: datetime


@dataclass(frozen=True, slots=True)
class CollectionRead:
    """The rows of one read as text columns named by property, untrimmed, nulls kept.

    `lacking` names the columns that are null because the tenant has no such property.
    """

    spec: IDOSpec
    table: pa.Table
    report: CollectionReport
    notices: tuple[Notice, ...] = ()
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LakeRead:
    """The rows of a lake query, typed: decimals, 64-bit integers, booleans, wall-clock times, trimmed texts."""

    table: pa.Table
    report: CollectionReport
    notices: tuple[Notice, ...] = ()


Progress = Callable[[CollectionReport], None]
"""Told after each page what a collection has given so far."""
