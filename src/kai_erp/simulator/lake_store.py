"""The database of the lake: its tables are made of the plant when a query names them, and when it changed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from kai_erp.simulator.changes import Changes
from kai_erp.simulator.lake_jobs import Result
from kai_erp.simulator.lake_loading import SCHEMAS, Loading, load_table
from kai_erp.simulator.lake_tables import LakeTable, lake_tables
from kai_erp.simulator.lake_versions import LIVE, LakeTime, Landings
from kai_erp.simulator.options import Switches
from kai_erp.simulator.plant import Plant

INFORMATION = "lake_information"
# Functions of the dialect that the engine does not have.
_MACROS = (
    "isnumeric(x) AS CASE WHEN TRY_CAST(x AS DOUBLE) IS NULL THEN 0 ELSE 1 END",
    "lake_int(x) AS TRY_CAST(trunc(TRY_CAST(x AS DOUBLE)) AS BIGINT)",
    "from_utc_timestamp(x, zone) AS timezone(zone, timezone('UTC', CAST(x AS TIMESTAMP)))",
    "to_date(x) AS TRY_CAST(x AS DATE)",
    "unix_timestamp(x) AS CAST(epoch(CAST(x AS TIMESTAMP)) AS BIGINT)",
)


@dataclass(slots=True)
class LakeStore:
    """The lake of one plant; used by one thread at a time."""

    plant: Plant
    changes: Changes
    time: LakeTime
    tables: dict[str, LakeTable] = field(init=False)
    _made: dict[str, tuple[object, ...]] = field(default_factory=dict, init=False)
    _connection: duckdb.DuckDBPyConnection | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.tables = lake_tables(self.plant)

    def published(self, options: Switches) -> dict[str, dict[str, str]]:
        """Return the tables that are replicated, each with its columns and their types."""
        lacks = {name.lower() for name in options.lake_lacks}
        return {
            name: {
                column: kind for column, kind in table.types().items() if f"{name}.{column}".lower() not in lacks
            }
            for name, table in self.tables.items()
            if name not in lacks
        }

    def refresh(self, tables: Iterable[str], options: Switches) -> int:
        """Bring tables to the state that the lake has now, and return how many were not."""
        connection = self._connection or self._open()
        return sum(self._refresh(connection, name, options) for name in tables)

    def run(self, sql: str, options: Switches) -> Result:
        """Return the rows of a query in DuckDB's dialect; duckdb.Error when it fails."""
        connection = self._connection or self._open()
        if INFORMATION in sql:
            self._inform(connection, options)
        cursor = connection.execute(sql)
        described = cursor.description or []
        names, types = tuple(str(d[0]) for d in described), tuple(str(d[1]) for d in described)
        return Result(names, types, cursor.fetchall())

    def interrupt(self) -> None:
        """Stop the query that runs now."""
        if self._connection is not None:
            self._connection.interrupt()

    def _open(self) -> duckdb.DuckDBPyConnection:
        self._connection = connection = duckdb.connect(":memory:")
        connection.execute("SET TimeZone = 'UTC'; SET enable_external_access = false; SET threads = 1")
        for schema in (*SCHEMAS, INFORMATION):
            connection.execute(f"CREATE SCHEMA {schema}")
        for macro in _MACROS:
            connection.execute(f"CREATE MACRO {macro}")
        return connection

    def _refresh(self, connection: duckdb.DuckDBPyConnection, name: str, options: Switches) -> bool:
        """Make a table unless it stands as it is, and tell whether it was made."""
        table, shown = self.tables[name], self.published(options)[name]
        landings = self._landings(table, options)
        state = (
            table.collection.edits,
            sum(column.revision for column in table.columns.values()),
            landings.arrived(),
            tuple(shown),
            *(options.lake_site, options.lake_other_site, options.lake_timestamps, options.lake_zone),
        )
        if self._made.get(name) == state:
            return False
        versions = landings.versions(table.collection)
        kept = set(table.rows([version.row for version in versions if version.rank == LIVE]))
        versions = [version for version in versions if version.rank != LIVE or version.row in kept]
        load_table(connection, table, versions, shown, Loading(options, self.time.instant(0.0, options)))
        self._made[name] = state
        return True

    def _landings(self, table: LakeTable, options: Switches) -> Landings:
        mine = [change for change in self.changes.log if change.collection is table.collection]
        pairs = [(change, self.time.landing(change, options)) for change in mine]
        return Landings(pairs, self.time.now(options))

    def _inform(self, connection: duckdb.DuckDBPyConnection, options: Switches) -> None:
        """Make the tables of information_schema."""
        published = self.published(options)
        named = {options.lake_table_template.replace("{table}", name): types for name, types in published.items()}
        tables = [{**_PLACE, "table_name": name, "table_type": "BASE TABLE"} for name in named]
        columns = [
            {
                **_PLACE,
                "table_name": name,
                "column_name": c,
                "ordinal_position": n,
                "is_nullable": "YES",
                "data_type": t,
            }
            for name, types in named.items()
            for n, (c, t) in enumerate(types.items(), 1)
        ]
        for name, rows in (("tables", tables), ("columns", columns)):
            connection.register("source", pa.Table.from_pylist(rows))
            connection.execute(f"CREATE OR REPLACE TABLE {INFORMATION}.{name} AS FROM source")
            connection.unregister("source")


_PLACE = {"table_catalog": "datalake", "table_schema": "default"}
