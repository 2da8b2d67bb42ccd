"""Stand-ins of a few lines, shared by the tests of the engines."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import httpx2
import pyarrow as pa

from kai_erp.core import ido
from kai_erp.core.auth import Token
from kai_erp.core.types import CollectionRead, CollectionReport, IDOSpec, ReadStatus
from kai_erp.core.walking import Ahead, text_table
from kai_erp.simulator.collection import Collection, Table
from kai_erp.simulator.columns import Column, key, text
from kai_erp.simulator.conditions import Scope, select
from kai_erp.simulator.filters import parse
from kai_erp.simulator.plant import Plant

Row = Mapping[str, str | None]
MOMENT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def now() -> datetime:
    return MOMENT


@dataclass
class Clock:
    """Seconds that move when they are told to."""

    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class NumberedTokens:
    """A grant that gives t1, t2, … and counts how often it was asked."""

    life: float | None = 7_200.0
    asked: int = 0
    scheme: str = "Bearer "

    async def obtain(self) -> Token:
        self.asked += 1
        number = self.asked
        await asyncio.sleep(0)
        return Token(f"t{number}", self.life)


class Pieces(httpx2.AsyncByteStream):
    """A body that arrives in pieces, each after some seconds; a failure among them is raised."""

    def __init__(self, *pieces: bytes | Exception, seconds: float = 0.0) -> None:
        self._pieces, self._seconds = pieces, seconds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            await asyncio.sleep(self._seconds)
            if isinstance(piece, Exception):
                raise piece
            yield piece


def collection_of(rows: Sequence[Row], name: str = "SLThings") -> Collection:
    """Return rows of texts as a collection of the simulator, which knows how to filter them."""
    names = list(rows[0]) if rows else ["Key"]
    columns = [Column(column, text(200), [row.get(column) for row in rows]) for column in names]
    return Collection(name, Table("thing", (names[0],)), columns)


def matching(rows: Sequence[Row], filter_text: str | None) -> list[Row]:
    """Return the rows that the simulator's own reading of a filter lets through."""
    if not rows or filter_text is None:
        return list(rows)
    collection = collection_of(rows)
    scope = Scope(collection, collection.find, MOMENT)
    return [rows[index] for index in select(scope, parse(filter_text), range(len(rows)))]


@dataclass
class Tables:
    """A source of pages: rows by collection; bookmarks are positions; `troubles` are raised, once each.

    When `glimpsed` the next request is told of before a page is there.
    """

    rows: Mapping[str, Sequence[Row]]
    troubles: dict[str, list[Exception]] = field(default_factory=dict)
    asked: list[ido.LoadRequest] = field(default_factory=list)
    glimpsed: bool = False

    async def property_names(self, collection: str) -> frozenset[str]:
        return frozenset(name.casefold() for row in self.rows.get(collection, ()) for name in row)

    async def page(self, request: ido.LoadRequest, ahead: Ahead | None = None) -> ido.Page:
        self.asked.append(request)
        await asyncio.sleep(0)
        if troubles := self.troubles.get(request.collection):
            raise troubles.pop(0)
        start = int(request.bookmark or 0)
        rows = matching(self.rows[request.collection], request.filter)
        end = start + request.record_cap if request.record_cap else len(rows)
        if self.glimpsed and ahead is not None and end < len(rows):
            ahead(replace(request, bookmark=str(end), load_type="NEXT"))
            await asyncio.sleep(0)
        return page_of(rows[start:end], request.properties, str(end), more=end < len(rows))

    def filters(self, collection: str) -> list[str | None]:
        return [request.filter for request in self.asked if request.collection == collection]


def page_of(
    rows: Sequence[Row], names: Sequence[str], bookmark: str | None = None, *, more: bool = False
) -> ido.Page:
    return ido.Page({name: [row.get(name) for row in rows] for name in names}, len(rows), bookmark, more)


def read_of(
    spec: IDOSpec, columns: Mapping[str, Sequence[str | None]], status: ReadStatus = "ok"
) -> CollectionRead:
    """Return a read with these columns, as the REST engine gives it."""
    table = text_table(spec, pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()}))
    return CollectionRead(spec, table, CollectionReport(spec.name, table.num_rows, 1, 0.0, status, MOMENT))


def small_plant(rows: int = 5) -> Plant:
    """Return a plant of one collection with keys 00, 01 and so on."""
    keys = [f"{number:02}" for number in range(rows)]
    columns = [
        Column("Wc", key(text(6)), keys),
        Column("Description", text(40), [f"Centre {k} ü" for k in keys]),
        Column("RowPointer", text(36), keys),
    ]
    collection = Collection("SLWcs", Table("wc", ("Wc",)), columns)
    return Plant({"SLWcs": collection}, datetime(2026, 11, 24, 10))  # noqa: DTZ001  # the ERP's clock has no zone
