"""Exports from the shared simulator, and what they must hold: read from the plant by rules of our own."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.exporting import Export, Target
from kai_erp.simulator import Plant, RunningSimulator
from tests.conftest import ZONE
from tests.test_connectors.made_plants import raw_rows

Cell = str | int | bool | Decimal | datetime | None
Cells = dict[str, list[Cell]]

NO_DATE = 2049


def moment(text: str) -> datetime | None:
    """Return an ERP date as an instant; one far away is none."""
    wall = datetime.strptime(text, "%Y%m%d %H:%M:%S.%f")  # noqa: DTZ007  # it gets its zone below
    return None if wall.year >= NO_DATE else wall.replace(tzinfo=ZoneInfo(ZONE))


JOBS: Mapping[str, Callable[[str], Cell]] = {
    "Job": str,
    "Suffix": int,
    "Type": str,
    "Stat": str,
    "Item": str,
    "QtyReleased": Decimal,
    "Whse": str,
    "CustNum": str,
    "OrdNum": str,
    "OrdType": str,
    "OrdLine": int,
    "JschPriority": int,
    "JschEndDate": moment,
}


def jobs_of(plant: Plant) -> Cells:
    """Return the typed cells of all jobs of a plant, in order of their keys."""
    rows = sorted(raw_rows(plant, {"SLJobs": list(JOBS)})["SLJobs"], key=lambda row: str(row["Job"]))
    return {name: [_cell(read, row[name]) for row in rows] for name, read in JOBS.items()}


def _cell(read: Callable[[str], Cell], text: str | None) -> Cell:
    bare = (text or "").strip()
    return read(bare) if bare else None


def in_order(table: pa.Table) -> Cells:
    """Return the cells of an exported table of jobs, in order of their keys."""
    cells: Cells = table.take(pa.array(_order(table["Job"].to_pylist()))).to_pydict()
    return cells


def _order(keys: Sequence[str]) -> list[int]:
    return sorted(range(len(keys)), key=lambda index: f"{keys[index]:>10}")


def read_back(target: Target) -> pa.Table:
    """Return the rows of a Parquet target."""
    return ds.dataset(target.path, format="parquet").to_table() if target.folder else pq.read_table(target.path)


def read_json(path: Path) -> list[dict[str, object]]:
    """Return the objects of JSON Lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of CSV."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def job_export(path: Path) -> Export:
    """Return the export of all jobs to a path."""
    return Export("SLJobs", None, Target.of(str(path), None))


def answer_export(name: str, query: ConnectorQuery, path: Path) -> Export:
    """Return the export of a connector's answer to a path."""
    return Export(name, query, Target.of(str(path), None))


def asked_bookmarks(simulator: RunningSimulator) -> list[str | None]:
    """Return the bookmark of each page of jobs that was asked for, None for the first; trials apart."""
    return [
        request.params.get("bookmark")
        for request in simulator.state.requests
        if request.collection == "SLJobs" and request.fault is None
    ]
