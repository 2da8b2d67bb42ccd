"""Answer queries of Compass: translate, load the tables that they name, run."""

from dataclasses import replace
from threading import Event

import duckdb

from kai_erp.simulator.changes import Changes
from kai_erp.simulator.lake_jobs import Result
from kai_erp.simulator.lake_messages import FAILED, LakeRefusal, engine_refusal
from kai_erp.simulator.lake_sql import Catalog, translate
from kai_erp.simulator.lake_store import LakeStore
from kai_erp.simulator.lake_versions import LakeTime
from kai_erp.simulator.options import Switches
from kai_erp.simulator.plant import Plant


class LakeQueries:
    """The lake of one plant, as queries see it; used by one thread at a time."""

    def __init__(self, plant: Plant, changes: Changes, time: LakeTime) -> None:
        self._store, self._time = LakeStore(plant, changes, time), time

    def interrupt(self) -> None:
        """Stop the query that runs now."""
        self._store.interrupt()

    def run(self, sql: str, options: Switches, stop: Event) -> Result:
        """Return the rows of a query, or raise LakeRefusal; `stop` stops it before it begins."""
        catalog = Catalog(options.lake_table_template, self._store.published(options))
        query = translate(sql, catalog, self._time.now(options))
        try:
            touched = self._store.refresh(query.tables, options)
            if stop.is_set():
                raise LakeRefusal(FAILED, "The query was cancelled.")
            return replace(self._store.run(query.sql, options), touched=touched)
        except duckdb.Error as error:
            raise engine_refusal(str(error), sql) from None
