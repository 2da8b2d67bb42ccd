"""A question of the benchmark's own: four collections, read independently, joined by operation and item."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from pydantic import BaseModel

from kai_erp.connectors import BaseConnector, Moment
from kai_erp.connectors.declaring import keys, properties
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import IDOSpec, Property, PropertyType, RestQuerySpec

_OPERATION = (
    *keys("Job"),
    Property("Suffix", PropertyType.INTEGER, required=True),
    Property("OperNum", PropertyType.INTEGER, required=True),
)
COLLECTIONS = (
    IDOSpec(
        "SLJobRoutes",
        (*_OPERATION, *keys("Wc", "JobItem"), *properties(PropertyType.DECIMAL, "QtyComplete", "QtyScrapped")),
        key=("Job", "Suffix", "OperNum"),
        driving=True,
    ),
    IDOSpec(
        "SLJrtSchs",
        (*_OPERATION, *properties(PropertyType.DATETIME, "StartDate", "EndDate")),
        key=("Job", "Suffix", "OperNum"),
    ),
    IDOSpec("SLItems", (*keys("Item"), Property("Description")), key=("Item",)),
    IDOSpec(
        "SLItemwhses",
        (*keys("Item", "Whse"), *properties(PropertyType.DECIMAL, "QtyOnHand")),
        key=("Item", "Whse"),
    ),
)
SQL = """
SELECT
    r.Job AS job, r.Suffix AS suffix, r.OperNum AS operation_num, r.JobItem AS item,
    i.Description AS item_description, r.Wc AS work_center, r.QtyComplete AS qty_complete,
    r.QtyScrapped AS qty_scrapped, w.QtyOnHand AS qty_on_hand,
    s.StartDate_at AS sched_start, s.EndDate_at AS sched_finish
FROM SLJobRoutes r
LEFT JOIN SLJrtSchs s ON s.Job_key = r.Job_key AND s.Suffix = r.Suffix AND s.OperNum = r.OperNum
LEFT JOIN SLItems i ON i.Item_key = r.JobItem_key
LEFT JOIN SLItemwhses w ON w.Item_key = r.JobItem_key AND w.Whse_key = 'main'
ORDER BY r.Job_key, r.Suffix, r.OperNum
"""
DLT_SQL = """
SELECT
    r.Job AS job, TRY_CAST(r.Suffix AS INTEGER) AS suffix, TRY_CAST(r.OperNum AS INTEGER) AS operation_num,
    trim(r.JobItem) AS item, i.Description AS item_description, trim(r.Wc) AS work_center,
    TRY_CAST(r.QtyComplete AS DECIMAL(19, 8)) AS qty_complete,
    TRY_CAST(r.QtyScrapped AS DECIMAL(19, 8)) AS qty_scrapped,
    TRY_CAST(w.QtyOnHand AS DECIMAL(19, 8)) AS qty_on_hand,
    timezone('UTC', s.StartDate) AS sched_start,
    timezone('UTC', s.EndDate) AS sched_finish
FROM SLJobRoutes r
LEFT JOIN SLJrtSchs s ON s.Job = r.Job AND s.Suffix = r.Suffix AND s.OperNum = r.OperNum
LEFT JOIN SLItems i ON i.Item = r.JobItem
LEFT JOIN SLItemwhses w ON w.Item = r.JobItem AND w.Whse = 'MAIN'
ORDER BY r.Job, r.Suffix, r.OperNum
"""
"""The same over the tables that dlt makes: texts, and moments that it has recognised and taken for UTC."""


class FourSummary(BaseModel):
    """The number of records."""

    total: int


class FourConnector(BaseConnector[ConnectorQuery]):
    """Operations with their times, items and stock."""

    name = "four_collections"
    query = ConnectorQuery
    summary = FourSummary

    def get_rest_spec(self, query: ConnectorQuery, moment: Moment) -> RestQuerySpec:  # noqa: ARG002
        """Return the four collections."""
        return RestQuerySpec(COLLECTIONS, SQL, moment.zone)

    def transform_result(self, table: pa.Table) -> pa.Table:
        """Return the rows as they are."""
        return table

    def summarize(self, table: pa.Table) -> dict[str, Any]:
        """Return the number of records."""
        return {"total": table.num_rows}
