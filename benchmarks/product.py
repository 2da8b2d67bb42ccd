"""The product as a contender: a question asked in this process, its answer encoded as the REST envelope is."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar, cast

import pandas  # noqa: F401, ICN001  # servers have none; Arrow would load it in the first turn, and the rival has it
import pyarrow.compute as pc

from benchmarks.four import FourConnector
from benchmarks.rivals.serving import Record, alone, serve
from kai_erp import formats
from kai_erp.api.answers import envelope
from kai_erp.app import App, Asked, open_app
from kai_erp.config import load_settings
from kai_erp.connectors import BaseConnector, ConnectorResult, Moment, ScheduleQuery
from kai_erp.connectors.declaring import keys, properties
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.lake_engine import DataLakeEngine
from kai_erp.core.types import PropertyType
from kai_erp.logs import configure_logs

LARGEST = 10_000_000
LAKE_COLUMNS = (
    *keys("job", "item"),
    *properties(PropertyType.INTEGER, "suffix"),
    *properties(PropertyType.DECIMAL, "qty_released", "qty_complete", "unit_cost"),
    *properties(PropertyType.FLAG, "complete"),
    *properties(PropertyType.DATETIME, "start_date"),
)
Q = TypeVar("Q", bound=ConnectorQuery)


@dataclass(frozen=True, slots=True)
class Task:
    """What to do in each round, by the name of a method of `Product`, and the settings of the app."""

    what: str
    settings: dict[str, object] = field(default_factory=dict)


class Product:
    """An app that has been opened, and what is asked of it."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ask(self) -> list[bytes]:
        """Return the envelope of the whole schedule, in the parts that a caller is sent."""
        answer = await self._app.ask(Asked("production_schedule", ScheduleQuery(), limit=LARGEST))
        connector = self._app.connectors["production_schedule"]
        return list(envelope(answer, connector.summary, self._app.settings.zone))

    async def engine(self) -> bytes:
        """Read, join and sum up the whole schedule; nothing is encoded."""
        await self._execute(self._app.connectors["production_schedule"], ScheduleQuery())
        return b"[]"

    async def four(self) -> bytes:
        """Return the records of four collections."""
        result = await self._execute(FourConnector(), ConnectorQuery())
        return formats.json_array(result.records, self._app.settings.zone)

    async def lake(self) -> bytes:
        """Read every page of a lake query, typed, and return the number of rows and the sum of a column."""
        engine, rows, quantity = self._lake(in_flight=8), 0, Decimal(0)
        async with aclosing(engine.pages("SELECT * FROM job", LAKE_COLUMNS)) as pages:
            async for table in pages:
                rows += table.num_rows
                quantity += pc.sum(table["qty_released"]).as_py()
        return json.dumps([{"item": str(rows), "qty_released": float(quantity)}]).encode()

    def _lake(self, in_flight: int) -> DataLakeEngine:
        tenant = self._app._tenant  # noqa: SLF001  # as below
        engine = tenant.sources.lake.engine if tenant and tenant.sources.lake else None
        if not isinstance(engine, DataLakeEngine):
            raise TypeError("there is no lake")
        engine._jobs._in_flight = in_flight  # noqa: SLF001  # no setting leads to it
        return engine

    async def _execute(self, connector: BaseConnector[Q], query: Q) -> ConnectorResult:
        tenant = self._app._tenant  # noqa: SLF001  # the engine alone has no door
        if tenant is None:
            raise RuntimeError("there is no ERP")
        moment = Moment(datetime.now(UTC), self._app.settings.zone)
        return await connector.execute(query, tenant.sources, moment)


def records(answer: bytes) -> list[Record]:
    """Return the records in an envelope."""
    parsed = json.loads(answer)
    return cast("list[Record]", parsed["data"] if isinstance(parsed, dict) else parsed)


def main() -> None:
    """Serve rounds; the first argument is the task, as JSON."""
    task = Task(**json.loads(sys.argv[1]))
    settings = load_settings(task.settings)
    configure_logs(settings, quiet=True)
    with asyncio.Runner() as runner:
        opened = open_app(settings)
        app = runner.run(opened.__aenter__())
        work = getattr(Product(app), task.what)
        serve(lambda: alone(runner, work()), records)
        runner.run(opened.__aexit__(None, None, None))


if __name__ == "__main__":
    main()
