"""Staging: an ephemeral SQL area for one question. Create, use, discard.

One locked-down in-memory DuckDB serves the process; each question has a connection of its own on it, with views
of the Arrow tables in memory, which no other connection sees: nothing is copied. No file, network, extension or
setting can be reached.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import tzinfo
from types import TracebackType
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from kai_erp.core import ido
from kai_erp.core.keys import fold_keys
from kai_erp.core.types import (
    CollectionRead,
    LakeQuerySpec,
    Notice,
    Property,
    PropertyType,
    RestQuerySpec,
    SqlValue,
)
from kai_erp.errors import Overloaded, QueryError

if TYPE_CHECKING:
    import pandas as pd

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
    "memory_limit": "2GB",
    "threads": "1",
    "disabled_optimizers": "join_order,build_side_probe_side",  # joins are written in a good order
    "lock_configuration": "true",
}

_INTERRUPT_SECONDS = 0.02
_TYPING = 2  # reads of a question that are typed at the same time
_PARSED: dict[str, duckdb.Statement] = {}
_PARSED_MOST = 32
_KEYWORD = duckdb.token_type.keyword
_CHANGING = frozenset({"insert", "update", "delete", "merge", "copy", "create", "drop", "alter"})

_ANSWER = '"(answer)"'
_MACROS = """
CREATE MACRO half_up(n, d, shift) AS
    TRY(CAST(sign(n) * sign(d) * ((abs(n) * 2 * shift + abs(d)) // (2 * abs(d))) AS DECIMAL(38, 0)));
CREATE MACRO units(quantity) AS CAST(CAST(quantity AS DECIMAL(38, 8)) * 100000000 AS HUGEINT);
CREATE MACRO cents(worth, share) AS
    ((worth // 1000000000000) * share) // 1000000000000
    + (2 * ((((worth // 1000000000000) * share) % 1000000000000) * 1000000000000
            + (worth % 1000000000000) * share) + 1000000000000000000000000)
    // 2000000000000000000000000;
CREATE MACRO money(quantity, price, percent) AS
    TRY(CAST(sign(quantity) * sign(price) * sign(percent)
        * cents(abs(units(quantity) * units(price)), abs(units(percent))) AS DECIMAL(38, 0))) * 0.01;
"""


@dataclass(frozen=True, slots=True)
class Joined:
    """What a join gave, what had to be said about the values in it, and the rows of the driving collection."""

    table: pa.Table
    notices: tuple[Notice, ...]
    volume: int


@dataclass(frozen=True, slots=True)
class _Typed:
    """The columns of a read as they are staged, and notices on cells that cannot be read."""

    table: pa.Table
    notices: tuple[Notice, ...]


class StagingDatabase:
    """The one DuckDB instance of a process; opened and closed as a context manager."""

    def __init__(self) -> None:
        self._connection = _opened()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def area(self) -> StagingEngine:
        """Return a new area, seen by nobody else."""
        return StagingEngine(self._connection.cursor())

    async def join(self, spec: RestQuerySpec, reads: dict[str, CollectionRead]) -> Joined:
        """Return the join of some reads, off the event loop; broken off when the caller is cancelled.

        It takes them out of `reads`.
        """
        return await self._off_loop(lambda area: area.join(spec, reads))

    async def records(self, spec: LakeQuerySpec, rows: pa.Table) -> Joined:
        """Return what a lake question makes of the rows of its query, off the event loop likewise."""
        return await self._off_loop(lambda area: area.records(spec, rows))

    async def _off_loop(self, work: Callable[[StagingEngine], Joined]) -> Joined:
        with self.area() as area:
            task = asyncio.create_task(asyncio.to_thread(work, area))
            try:
                joined = await asyncio.shield(task)
            except asyncio.CancelledError:
                await _break_off(area, task)
                raise
        _hand_back()
        return joined


class StagingEngine:
    """A private area of staged tables: load, query, leave.

    Without a `connection` the area has a locked-down database of its own.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection | None = None) -> None:
        self._connection = connection or _opened()
        self._abandoned = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Discard the area and everything in it."""
        self._connection.close()

    def interrupt(self) -> None:
        """Break off what runs in the area; may be called from another thread."""
        self._connection.interrupt()

    def abandon(self) -> None:
        """Break off what runs in the area, and begin nothing more in it; may be called from another thread."""
        self._abandoned = True
        self.interrupt()

    def load_dataframe(self, name: str, df: pd.DataFrame) -> None:
        """Stage a DataFrame as the table `name`, with its own types."""
        self.load_table(name, pa.Table.from_pandas(df, preserve_index=False))

    def execute_query(self, sql: str) -> pd.DataFrame:
        """Return the answer of one SELECT over the staged tables as a DataFrame.

        Raises QueryError when `sql` is anything else, or is not understood.
        """
        frame: pd.DataFrame = self.query(sql).to_pandas()
        return frame

    def load_table(self, name: str, table: pa.Table) -> None:
        """Stage an Arrow table as `name`."""
        self._go_on()
        self._connection.register(name, table)

    def load_reads(self, reads: dict[str, CollectionRead], zone: tzinfo) -> tuple[Notice, ...]:
        """Stage reads by their names, with typed columns; return notices on cells that cannot be read.

        Two are typed at the same time. Each is taken out of `reads` meanwhile: its texts need not be held beside
        what is made of them.
        """
        notices: list[Notice] = []
        names = list(reads)
        with ThreadPoolExecutor(_TYPING, thread_name_prefix="typing") as threads:
            typing = threads.map(lambda name: _typed(reads.pop(name), zone), names)
            for name, typed in zip(names, typing, strict=True):
                self.load_table(name, typed.table)
                notices += typed.notices
        return tuple(notices)

    def query(self, sql: str, parameters: Mapping[str, SqlValue] | None = None) -> pa.Table:
        """Return the answer of one SELECT as an Arrow table; values enter as `$name` only.

        Raises QueryError when `sql` is anything else, or is not understood.
        """
        try:
            statements = self._connection.extract_statements(sql)
            selects = [statement.type for statement in statements] == [duckdb.StatementType.SELECT]
            if not selects or _changes(sql):
                raise QueryError("Staged data is read with exactly one SELECT")
            self._go_on()
            return self._connection.sql(sql, params=_bound(sql, parameters or {})).to_arrow_table()
        except duckdb.Error as failure:
            raise QueryError(f"The SQL is not understood: {failure}") from failure

    def join(self, spec: RestQuerySpec, reads: dict[str, CollectionRead]) -> Joined:
        """Return the join that a question declares over its reads, which are staged first.

        They are taken out of `reads`.
        Beside them stand the tables `reads(name, status)`, how each staged table was come by, and
        `lacking(name, property)`, which of its columns the tenant has nothing for.
        """
        volume = sum(read.report.rows for read in reads.values() if read.spec.driving)
        status = {name: read.report.status for name, read in reads.items()}
        self.load_table("reads", pa.table({"name": list(status), "status": list(status.values())}))
        lacking = [(name, column) for name, read in reads.items() for column in read.lacking]
        names, columns = ([pair[place] for pair in lacking] for place in (0, 1))
        texts = {"name": pa.array(names, pa.string()), "property": pa.array(columns, pa.string())}
        self.load_table("lacking", pa.table(texts))
        notices = self.load_reads(reads, spec.zone)
        _hand_back()
        return Joined(_in_zone(self._select(spec.sql, spec.parameters), spec.zone), notices, volume)

    def records(self, spec: LakeQuerySpec, rows: pa.Table) -> Joined:
        """Return what a lake question makes of the rows of its query, which are staged as `facts`."""
        self.load_table("facts", _comparable(rows, spec.columns, spec.zone))
        volume = self._select(spec.volume, spec.parameters).column(0)[0].as_py()
        return Joined(_in_zone(self._select(spec.records, spec.parameters), spec.zone), (), volume)

    def _select(self, sql: str, parameters: Mapping[str, SqlValue]) -> pa.Table:
        """Return the answer of our own SQL; kept as a table first, since a relation would be planned twice."""
        self._go_on()
        try:
            self._connection.execute(_keeping(self._connection, sql), _bound(sql, parameters))
            return self._connection.sql(f"FROM {_ANSWER}").to_arrow_table()
        except duckdb.OutOfMemoryException:
            raise Overloaded("The rows of this question do not fit into the memory set aside for joins") from None

    def _go_on(self) -> None:
        if self._abandoned:
            raise duckdb.InterruptException("abandoned")


def _typed(read: CollectionRead, zone: tzinfo) -> _Typed:
    """Return the columns of a read as what they mean, null where a cell cannot be read, which is counted."""
    columns, notices = {}, []
    for prop in read.spec.properties:
        cells = ido.typed(ido.trimmed(read.table[prop.name].combine_chunks()), prop.type)
        columns[prop.name] = cells.column
        if cells.bad:
            message = f"{cells.bad} values of {read.spec.name}.{prop.wire} cannot be read and count as null."
            notices.append(Notice("bad_values", message, read.spec.name))
    return _Typed(_comparable(pa.table(columns), read.spec.properties, zone), tuple(notices))


def _comparable(table: pa.Table, properties: Sequence[Property], zone: tzinfo) -> pa.Table:
    """Return typed columns with what they are compared by.

    Beside each key stands, as `NAME_key`, the form in which keys are compared; beside each date, which is the
    wall clock of `zone`, as `NAME_at` its instant.
    """
    columns = {}
    for prop in properties:
        columns[prop.name] = cells = table[prop.name].combine_chunks()
        if prop.type is PropertyType.KEY:
            columns[f"{prop.name}_key"] = fold_keys(cells)
        if prop.type is PropertyType.DATETIME:
            columns[f"{prop.name}_at"] = ido.instants(cells, zone)
    return pa.table(columns)


async def _break_off(area: StagingEngine, work: asyncio.Task[Joined]) -> None:
    """Return when the work in an area has ended; an interrupt that comes between two statements is repeated."""
    while not work.done():
        area.abandon()
        with contextlib.suppress(asyncio.CancelledError):  # the cancellation that led here is raised by the caller
            await asyncio.wait([work], timeout=_INTERRUPT_SECONDS)
    if not work.cancelled():
        work.exception()


def _hand_back() -> None:
    """Give the system what memory Arrow has taken in this thread and does not need any more."""
    pa.default_memory_pool().release_unused()


def _keeping(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """Return the statement that keeps the answer of our own SQL as a table, parsed once for all connections."""
    parsed = _PARSED.get(sql)
    if parsed is None:
        parsed = connection.extract_statements(f"CREATE OR REPLACE TEMP TABLE {_ANSWER} AS {sql}")[0]
        if len(_PARSED) >= _PARSED_MOST:
            _PARSED.clear()
        _PARSED[sql] = parsed
    return parsed


def _opened() -> duckdb.DuckDBPyConnection:
    """Return a new locked-down database that knows the macros, which all of its connections share."""
    connection = duckdb.connect(":memory:", config=_CONFIG)
    connection.execute(_MACROS)
    return connection


def _in_zone(table: pa.Table, zone: tzinfo) -> pa.Table:
    """Return a table whose instants are marked with the ERP's zone, not with that of this machine."""
    name = str(zone) if isinstance(zone, ZoneInfo) else "UTC"
    kinds = [pa.timestamp("us", name) if _is_instant(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))


def _is_instant(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) and kind.tz is not None


def _changes(sql: str) -> bool:
    """Tell whether a word of some SQL changes data, as it may within a WITH clause."""
    tokens = duckdb.tokenize(sql)
    ends = [*(start for start, _ in tokens[1:]), len(sql)]
    words = (
        sql[start:end].strip().lower() for (start, kind), end in zip(tokens, ends, strict=True) if kind == _KEYWORD
    )
    return any(word in _CHANGING for word in words)


def _bound(sql: str, parameters: Mapping[str, SqlValue]) -> dict[str, object]:
    """Return the values of the parameters that some SQL names."""
    named = {name: value for name, value in parameters.items() if f"${name}" in sql}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in named.items()}
