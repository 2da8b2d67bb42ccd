"""A collection and a connector, in each format: what is in the file is what is in the plant."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kai_erp.app import App, Asked
from kai_erp.config import Settings
from kai_erp.connectors import OrdersQuery, ScheduleQuery
from kai_erp.errors import InvalidParameter
from kai_erp.exporting import Export, run_export, whole_collections
from kai_erp.exporting.targets import FileFormat, Target
from kai_erp.plugins import all_connectors
from kai_erp.simulator import Plant, RunningSimulator
from tests.conftest import SettingsFor
from tests.test_exporting.exporting import (
    JOBS,
    answer_export,
    in_order,
    job_export,
    jobs_of,
    read_back,
    read_csv,
    read_json,
)


@pytest.fixture
def pages_of_100(settings: Settings) -> Settings:
    return settings.model_copy(update={"sl10_page_size": 100})


@pytest.mark.parametrize("name", ["jobs.parquet", "jobs"])
async def test_a_collection_in_parquet_has_every_row_of_the_plant_with_its_type(
    name: str, plant: Plant, pages_of_100: Settings, tmp_path: Path
) -> None:
    export = job_export(tmp_path / name)
    finished = await run_export(export, pages_of_100)
    table = read_back(export.target)
    assert list(table.column_names) == list(JOBS)
    assert in_order(table) == jobs_of(plant)
    assert finished.rows == table.num_rows > 1_000
    assert table.schema.field("JschEndDate").type == pa.timestamp("us", "America/Chicago")


async def test_a_parquet_file_is_compressed(pages_of_100: Settings, tmp_path: Path) -> None:
    await run_export(job_export(tmp_path / "jobs.parquet"), pages_of_100)
    group = pq.ParquetFile(tmp_path / "jobs.parquet").metadata.row_group(0)
    assert {group.column(index).compression for index in range(group.num_columns)} == {"ZSTD"}


async def test_a_collection_in_json_lines_has_every_row_of_the_plant(
    plant: Plant, pages_of_100: Settings, tmp_path: Path
) -> None:
    await run_export(job_export(tmp_path / "jobs.jsonl"), pages_of_100)
    rows = read_json(tmp_path / "jobs.jsonl")
    expected = jobs_of(plant)
    assert sorted(str(row["Job"]) for row in rows) == sorted(map(str, expected["Job"]))
    by_key = {(row["Job"], row["Suffix"]): row for row in rows}
    for key in zip(expected["Job"], expected["Suffix"], strict=True):
        assert list(by_key[key]) == list(JOBS)
    ends = {row["JschEndDate"] and datetime.fromisoformat(str(row["JschEndDate"])) for row in rows}
    assert ends == set(expected["JschEndDate"])


async def test_a_collection_in_csv_has_one_header_and_exact_decimals(
    plant: Plant, pages_of_100: Settings, tmp_path: Path
) -> None:
    await run_export(job_export(tmp_path / "jobs.csv"), pages_of_100)
    rows = read_csv(tmp_path / "jobs.csv")
    expected = jobs_of(plant)
    assert (tmp_path / "jobs.csv").read_text().count("QtyReleased") == 1
    assert len(rows) == len(expected["Job"])
    quantities = {(row["Job"], row["Suffix"]): Decimal(row["QtyReleased"]) for row in rows if row["QtyReleased"]}
    keys = zip(expected["Job"], map(str, expected["Suffix"] or []), strict=True)
    assert quantities == {
        key: quantity for key, quantity in zip(keys, expected["QtyReleased"], strict=True) if quantity is not None
    }


async def test_every_collection_of_the_catalogue_can_be_exported(
    plant: Plant, settings: Settings, tmp_path: Path
) -> None:
    for name, spec in whole_collections(all_connectors()).items():
        export = Export(name, None, Target.of(str(tmp_path / f"{name}.parquet"), None))
        finished = await run_export(export, settings)
        assert finished.rows == len(plant.collections[name].visible()), name
        assert read_back(export.target).column_names == [prop.wire for prop in spec.properties]


async def test_an_answer_beyond_the_limits_of_a_question_is_exported_whole(
    app: App, settings: Settings, tmp_path: Path
) -> None:
    query = ScheduleQuery(include_completed=True)
    answer = await app.ask(Asked("production_schedule", query, limit=10_000))
    narrow = settings.model_copy(
        update={"rest_hard_max": 5, "rest_preferred_max": 5, "sl10_query_timeout_seconds": 0.001}
    )
    export = answer_export("production_schedule", query, tmp_path / "schedule.parquet")
    finished = await run_export(export, narrow)
    table = read_back(export.target)
    assert finished.rows == answer.meta.total_count > 100
    names = ["job", "suffix", "operation_num", "qty_remaining", "hours_remaining", "sched_start"]
    assert table.select(names).cast(answer.records.select(names).schema) == answer.records.select(names)


async def test_an_answer_in_csv_has_a_row_for_each_line_and_in_json_lines_a_list(
    app: App, settings: Settings, tmp_path: Path
) -> None:
    answer = await app.ask(Asked("open_orders", OrdersQuery(), limit=10_000))
    lines = [line for record in answer.records.to_pylist() for line in record["lines"]]
    for name in ("orders.csv", "orders.jsonl"):
        await run_export(answer_export("open_orders", OrdersQuery(), tmp_path / name), settings)
    assert len(read_csv(tmp_path / "orders.csv")) == len(lines)
    orders = read_json(tmp_path / "orders.jsonl")
    assert [order["order_num"] for order in orders] == answer.records["order_num"].to_pylist()
    assert sum(len(order["lines"]) for order in orders if isinstance(order["lines"], list)) == len(lines)


@pytest.mark.parametrize("name", ["none.parquet", "none.csv", "none.jsonl", "none"])
async def test_an_answer_without_a_record_is_a_file_without_rows(
    name: str, settings: Settings, tmp_path: Path
) -> None:
    export = answer_export("production_schedule", ScheduleQuery(work_center="WELT"), tmp_path / name)
    finished = await run_export(export, settings)
    assert finished.rows == 0
    assert any("no_match" in remark for remark in finished.remarks)
    if export.target.format is FileFormat.PARQUET:
        assert read_back(export.target).num_rows == 0
    else:
        header = "job,suffix,operation_num" if export.target.format is FileFormat.CSV else ""
        assert export.target.path.read_text().startswith(header)


async def test_hidden_fields_are_in_no_answer_and_forbid_whole_collections(
    settings_for: SettingsFor, simulator: RunningSimulator, tmp_path: Path
) -> None:
    settings = settings_for(simulator, hidden_fields="qty_on_hand")
    export = answer_export("production_schedule", ScheduleQuery(), tmp_path / "schedule.parquet")
    await run_export(export, settings)
    assert "qty_on_hand" not in read_back(export.target).column_names
    with pytest.raises(InvalidParameter, match="HIDDEN_FIELDS"):
        await run_export(job_export(tmp_path / "jobs.csv"), settings)
    assert not (tmp_path / "jobs.csv").exists()
