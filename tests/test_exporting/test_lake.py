"""Exports from the data lake: the records of the running ERP, made page by page."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from kai_erp.config import Settings
from kai_erp.connectors import CustomerQuery, InventoryQuery, Moment, OrdersQuery, ScheduleQuery
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.lake_sql import LakeTables
from kai_erp.core.types import DataSource
from kai_erp.errors import InvalidParameter, QueryFailed
from kai_erp.exporting import Source, run_export
from kai_erp.exporting.streams import RECORDS_OF
from kai_erp.plugins import all_connectors
from kai_erp.simulator import RunningSimulator
from tests.conftest import SettingsFor
from tests.test_exporting.exporting import answer_export, job_export, read_back, read_csv

MOMENT = Moment(datetime(2026, 5, 20, tzinfo=UTC), ZoneInfo("UTC"))

QUERIES: Mapping[str, ConnectorQuery] = {
    "production_schedule": ScheduleQuery(include_completed=True),
    "open_orders": OrdersQuery(),
    "customer_search": CustomerQuery(query="a", active_only=False),
    "inventory_status": InventoryQuery(),
}


def order(table: pa.Table) -> list[tuple[str, ...]]:
    """Return the records as texts, in an order of their own."""
    return sorted(tuple(map(str, record.values())) for record in table.to_pylist())


@pytest.fixture
def settings(simulator: RunningSimulator, settings_for: SettingsFor) -> Settings:
    return settings_for(simulator, lake_enabled=True, lake_page_rows=150)


def test_every_built_in_connector_says_by_what_its_lake_rows_belong_together() -> None:
    built_in = [connector for connector in all_connectors() if type(connector).__module__.startswith("kai_erp.")]
    assert {connector.name for connector in built_in} == set(RECORDS_OF)
    for connector in built_in:
        spec = connector.get_lake_query(connector.example, MOMENT, LakeTables())
        assert spec is not None
        assert spec.sql.partition(" AS ")[2].startswith(f"{RECORDS_OF[connector.name]},")
        assert "ORDER BY 1" in spec.sql.splitlines()[-1]


@pytest.mark.parametrize("name", RECORDS_OF)
async def test_the_lake_gives_the_records_that_the_erp_gives(
    name: str, settings: Settings, now: datetime, tmp_path: Path
) -> None:
    tables = {}
    for source in (Source.REST, Source.AUTO):
        export = replace(answer_export(name, QUERIES[name], tmp_path / f"{source}.parquet"), source=source)
        finished = await run_export(export, settings, now=lambda: now)
        assert finished.source is (DataSource.REST if source is Source.REST else DataSource.LAKE)
        tables[source] = read_back(export.target)
    lake, rest = tables[Source.AUTO], tables[Source.REST]
    assert lake.num_rows > 10
    assert lake.schema == rest.schema
    assert order(lake) == order(rest)


async def test_a_small_answer_of_the_lake_is_whole_too(settings: Settings, now: datetime, tmp_path: Path) -> None:
    for name, center in (("one.csv", "WELD"), ("none.csv", "WELT")):
        export = answer_export("production_schedule", ScheduleQuery(work_center=center), tmp_path / name)
        finished = await run_export(export, settings, now=lambda: now)
        assert len(read_csv(tmp_path / name)) == finished.rows
        assert (finished.rows > 0) is (center == "WELD")


async def test_a_failing_lake_is_an_error_and_the_erp_is_not_asked_in_its_place(
    settings: Settings, simulator: RunningSimulator, tmp_path: Path
) -> None:
    broken = settings.model_copy(update={"lake_table_template": "nowhere_{table}"})
    export = answer_export("production_schedule", ScheduleQuery(), tmp_path / "schedule.csv")
    with pytest.raises(QueryFailed):
        await run_export(export, broken)
    assert not simulator.state.requests
    assert not export.target.path.exists()


async def test_a_connector_of_another_kind_comes_from_the_lake_in_one_piece(
    settings: Settings, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = answer_export("open_orders", OrdersQuery(), tmp_path / "pieces.parquet")
    await run_export(export, settings, now=lambda: now)
    monkeypatch.setattr("kai_erp.exporting.opening.RECORDS_OF", {})
    whole = answer_export("open_orders", OrdersQuery(), tmp_path / "whole.parquet")
    finished = await run_export(whole, settings, now=lambda: now)
    assert finished.source is DataSource.LAKE
    assert order(read_back(whole.target)) == order(read_back(export.target))


async def test_what_the_lake_does_not_have_is_refused(
    settings: Settings, settings_for: SettingsFor, simulator: RunningSimulator, tmp_path: Path
) -> None:
    jobs = replace(job_export(tmp_path / "jobs.csv"), source=Source.LAKE)
    with pytest.raises(InvalidParameter, match="--source: a collection"):
        await run_export(jobs, settings)
    orders = replace(answer_export("open_orders", OrdersQuery(), tmp_path / "orders.csv"), source=Source.LAKE)
    with pytest.raises(InvalidParameter, match="there is no data lake"):
        await run_export(orders, settings_for(simulator))
