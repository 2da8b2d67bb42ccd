"""Load a table of the lake: the plant's values as the lake stores them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import duckdb
import pyarrow as pa

from kai_erp.simulator.columns import NUMERIC, Column, Kind, Native
from kai_erp.simulator.lake_tables import DELETED, SITE, LakeTable
from kai_erp.simulator.lake_versions import GONE, LIVE, OLDER, Version
from kai_erp.simulator.options import Switches

STAMP = "__lastmodified"
_RANK, _LANDED, _UNKNOWN = "__rank", "__landed", "__unknown"
# The schemas under which queries find a table: live rows, deleted ones too, every version.
LIVE_ROWS, WITH_DELETED, ALL_VERSIONS = "lake", "lake_deleted", "lake_versions"
STORED = "lake_stored"
_VIEWS = {LIVE_ROWS: f'WHERE "{_RANK}" = {LIVE}', WITH_DELETED: f'WHERE "{_RANK}" < {OLDER}', ALL_VERSIONS: ""}
SCHEMAS = (*_VIEWS, STORED)
_FLAG_UNKNOWN_EVERY = 7
_ELSEWHERE_EVERY, _MORE_ELSEWHERE = 3, 7
_PLACES = 8
_DATE_FORMAT = "%Y%m%d %H:%M:%S.%g"


def load_table(
    connection: duckdb.DuckDBPyConnection,
    table: LakeTable,
    versions: Sequence[Version],
    shown: Mapping[str, str],
    loading: "Loading",
) -> None:
    """Make a table and its views with the columns that are `shown`."""
    connection.register("source", _source(table, versions))
    connection.execute(f'CREATE OR REPLACE TABLE {STORED}."{table.name}" AS {loading.select(table, shown)}')
    connection.unregister("source")
    if loading.options.lake_other_site is not None and SITE in shown:
        connection.execute(_elsewhere(table, shown, loading.options.lake_other_site))
    for schema, rows in _VIEWS.items():
        connection.execute(
            f'CREATE OR REPLACE VIEW {schema}."{table.name}" AS'  # noqa: S608 - names of our own
            f' SELECT * EXCLUDE ("{_RANK}") FROM {STORED}."{table.name}" {rows}'
        )


def _source(table: LakeTable, versions: Sequence[Version]) -> pa.Table:
    """Return the values of the versions as the plant holds them."""
    columns = {column.name: column for column in table.columns.values()}
    listed = [version.row for version in versions]
    every = range(len(listed))
    rows: Sequence[int] = every if listed == list(every) else listed
    patches = [(place, version) for place, version in enumerate(versions) if version.differs]
    values = {name: _values(column, rows, patches) for name, column in columns.items()}
    values[_RANK] = pa.array([version.rank for version in versions], pa.int8())
    landed = [version.landed and version.landed.replace(tzinfo=None) for version in versions]
    values[_LANDED] = pa.array(landed, pa.timestamp("us"))
    values[_UNKNOWN] = pa.array([row % _FLAG_UNKNOWN_EVERY == 0 for row in rows], pa.bool_())
    return pa.table(values)


def _values(column: Column, rows: Sequence[int], patches: Sequence[tuple[int, Version]]) -> pa.Array:
    natives = column.natives
    values: list[Native] = list(natives) if rows == range(len(natives)) else [natives[row] for row in rows]
    for place, version in patches:
        values[place] = version.differs.get(column.name, values[place])
    if column.shape.kind not in NUMERIC:
        return pa.array(values, pa.string())
    places = column.shape.places
    if column.shape.kind is Kind.DECIMAL and places < _PLACES:
        values = [value and round(float(value), places) for value in values]
    return pa.array(values, pa.float64())


class Loading:
    """How the lake writes what the plant holds: under which site, in which time."""

    def __init__(self, options: Switches, first: datetime) -> None:
        self.options, self._first = options, first

    def select(self, table: LakeTable, shown: Mapping[str, str]) -> str:
        """Return the query that makes the rows of a table from those of the plant."""
        columns = [f'{expression} AS "{name}"' for name, expression in self._expressions(table, shown)]
        return f'SELECT {", ".join(columns)}, {self._stamp()} AS "{STAMP}", "{_RANK}" FROM source'  # noqa: S608 - likewise

    def _expressions(self, table: LakeTable, shown: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        flag = f'CASE WHEN "{_RANK}" = {GONE} THEN TRUE WHEN NOT "{_UNKNOWN}" THEN FALSE END'
        fixed = {SITE: _quoted(self.options.lake_site), DELETED: flag}
        for name in shown:
            yield name, fixed.get(name) or self._expression(table.columns[name])

    def _expression(self, column: Column) -> str:
        kind, name = column.shape.kind, f'"{column.name}"'
        if kind in NUMERIC:
            return f"CAST(CAST({name} AS DECIMAL(28, {_PLACES})) AS DECIMAL(38, 15))"
        if kind is not Kind.DATE:
            return name
        wall_clock = f"strptime({name}, '{_DATE_FORMAT}')"
        return self._instant(wall_clock) if self.options.lake_timestamps == "utc" else wall_clock

    def _instant(self, wall_clock: str) -> str:
        """Return the instant at which a wall clock shows a time: the earlier when it shows it twice."""
        zone = _quoted(self.options.lake_zone)
        later = f"timezone({zone}, {wall_clock})"
        earlier = f"({later} - INTERVAL 1 HOUR)"
        instant = f"CASE WHEN timezone({zone}, {earlier}) = {wall_clock} THEN {earlier} ELSE {later} END"
        return f"CAST({instant} AS TIMESTAMP)"

    def _stamp(self) -> str:
        """Return when a row became visible: when it landed, or in the first load the end of its five minutes."""
        changed = self._instant(f"strptime(\"RecordDate\", '{_DATE_FORMAT}')")
        batch = f"time_bucket(INTERVAL 5 MINUTE, {changed}) + INTERVAL 5 MINUTE"
        first = f"TIMESTAMP '{self._first:%Y-%m-%d %H:%M:%S}'"
        return f'coalesce("{_LANDED}", least({batch}, {first}))'


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def _elsewhere(table: LakeTable, shown: Mapping[str, str], site: str) -> str:
    """Return the statement that adds the rows of another site: a third of them, with other quantities."""
    other = [f'{_quoted(site)} AS "{SITE}"']
    for name in shown:
        column = table.columns.get(name)
        if column is not None and column.shape.kind is Kind.DECIMAL:
            other.append(f'"{name}" + {_MORE_ELSEWHERE} AS "{name}"')
    stored = f'{STORED}."{table.name}"'
    rows = f"SELECT * REPLACE ({', '.join(other)}) FROM {stored}"  # noqa: S608 - likewise
    return f"INSERT INTO {stored} {rows} WHERE rowid % {_ELSEWHERE_EVERY} = 0"
