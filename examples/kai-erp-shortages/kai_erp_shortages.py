"""Material shortages: what released jobs still need that the job's warehouse does not hold.

SLJobmatls, SLJobs and SLItemwhses are required. SLItems gives the descriptions; without it they come from what
SLJobmatls has joined.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from kai_erp.connectors import BaseConnector, Moment
from kai_erp.connectors.base import Words
from kai_erp.connectors.declaring import JOB_WIDTHS, key_is, keys, properties
from kai_erp.connectors.parameters import ConnectorQuery, FilterText
from kai_erp.core.expressions import AnyKey, Expression, Like, all_of, equals
from kai_erp.core.keys import expand_key, fold_key
from kai_erp.core.types import IDOSpec, KeySource, Property, PropertyType, RestQuerySpec
from kai_erp.models.numbers import Quantity


class ShortagesQuery(ConnectorQuery):
    """Which shortages to show."""

    item: FilterText | None = Field(None, description="Only this material; * stands for any text: HY-*.")
    job: FilterText | None = Field(None, description="Only this job, padded or short: J000000012, J12, 888.")


class MaterialShortage(BaseModel):
    """A material that an operation of a released job still needs, and that is not there."""

    model_config = ConfigDict(frozen=True)

    job: str = Field(description="Job order number, trimmed.")
    suffix: int = Field(description="Split or sub-job number; 0 for the main job.")
    operation_num: int = Field(description="Operation that uses the material.")
    sequence: int = Field(description="Number of the material within the operation.")
    item: str | None = Field(description="The material.")
    item_description: str | None = Field(description="Description of the material.")
    warehouse: str | None = Field(description="Warehouse of the job.")
    qty_required: Quantity = Field(description="What the whole job needs of it.")
    qty_issued: Quantity = Field(description="What has been issued to the job.")
    qty_on_hand: Quantity = Field(description="Stock in the job's warehouse; 0 when the item has no row there.")
    qty_short: Quantity = Field(description="Required, less issued, less on hand.")


class ShortagesSummary(BaseModel):
    """Counts over the whole answer."""

    total: int = Field(description="Materials that are short.")
    items: int = Field(description="Distinct items among them.")
    jobs: int = Field(description="Distinct jobs that wait for them, by number and suffix.")


_MATERIAL = ("Job", "Suffix", "OperNum", "Sequence")
_MATERIALS = (
    *keys("Job", "Item"),
    *properties(PropertyType.INTEGER, "Suffix", "OperNum", "Sequence", required=True),
    *properties(PropertyType.DECIMAL, "MatlQty", "QtyReleased", "QtyIssued", required=True),
    Property("Units", required=True),
)
_JOBS = (
    *keys("Job", "Whse"),
    *properties(PropertyType.INTEGER, "Suffix", required=True),
    *properties(PropertyType.TEXT, "Type", "Stat", required=True),
)
_STOCK = (*keys("Item", "Whse"), Property("QtyOnHand", PropertyType.DECIMAL, required=True))
_ITEMS = (*keys("Item"), Property("Description"))
_JOINED_ITEMS = (*keys("Item"), Property("Description", wire="ItmDescription"))

_SQL = r"""
WITH stock AS (
    SELECT Item_key, Whse_key, sum(coalesce(QtyOnHand, 0)) AS on_hand FROM SLItemwhses GROUP BY ALL
), items AS (
    SELECT Item_key, max(Description) AS description FROM SLItems GROUP BY ALL
), needs AS (
    SELECT
        m.Job AS job, m.Job_key, m.Suffix AS suffix, m.OperNum AS operation_num, m.Sequence AS sequence,
        m.Item AS item, i.description AS item_description, j.Whse AS warehouse,
        CASE WHEN upper(m.Units) = 'L' THEN 1 ELSE coalesce(m.QtyReleased, 0) END AS times,
        half_up(units(coalesce(m.MatlQty, 0)) * units(times), units(1), 1) * 0.00000001 AS qty_required,
        coalesce(m.QtyIssued, 0) AS qty_issued,
        coalesce(s.on_hand, 0) AS qty_on_hand
    FROM SLJobmatls m
    JOIN SLJobs j ON j.Job_key = m.Job_key AND j.Suffix = m.Suffix
    LEFT JOIN stock s ON s.Item_key = m.Item_key AND s.Whse_key = j.Whse_key
    LEFT JOIN items i ON i.Item_key = m.Item_key
    WHERE upper(j."Type") = 'J' AND upper(j.Stat) = 'R'
      AND ($item IS NULL OR m.Item_key LIKE $item ESCAPE '\')
      AND ($jobs IS NULL OR list_contains($jobs, m.Job_key))
)
SELECT * EXCLUDE (Job_key, times), qty_required - qty_issued - qty_on_hand AS qty_short
FROM needs
WHERE qty_required > qty_issued AND qty_required - qty_issued > qty_on_hand
ORDER BY Job_key, suffix, operation_num, sequence
"""


class MaterialShortages(BaseConnector[ShortagesQuery]):
    """The material shortages."""

    name = "material_shortages"
    title = "Material shortages"
    description = (
        "Materials that operations of released jobs still need and that are not on hand in the job's warehouse. "
        "Not for stock levels as such, and not for purchase orders."
    )
    path = "/materials/shortages"
    tool = "get_material_shortages"
    verb = "shortages"
    scope = "material_shortages:read"
    query = ShortagesQuery
    record = MaterialShortage
    summary = ShortagesSummary
    example = ShortagesQuery(item="HY-*")
    table_fields = (
        "job",
        "suffix",
        "operation_num",
        "item",
        "item_description",
        "warehouse",
        "qty_required",
        "qty_issued",
        "qty_on_hand",
        "qty_short",
    )
    wide_fields = ("item_description",)
    headings: ClassVar = {"suffix": "suf", "operation_num": "op", "item_description": "description"}
    vocabulary: ClassVar = {"item": Words(("item",)), "job": Words(("job",))}

    def get_rest_spec(self, query: ShortagesQuery, moment: Moment) -> RestQuerySpec:
        """Return the materials of released jobs, and the jobs, stock and items that these name."""
        job = key_is("Job", query.job, JOB_WIDTHS) if query.job else None
        materials = all_of(equals("JobType", "J"), equals("JobStat", "R"), job, _item_is(query.item))
        items = (KeySource("SLJobmatls", "Item", "Item"),)
        joined = IDOSpec("SLJobmatls", _JOINED_ITEMS, materials, key=_MATERIAL, table="SLItems")
        return RestQuerySpec(
            collections=(
                IDOSpec("SLJobmatls", _MATERIALS, materials, key=_MATERIAL, driving=True),
                _jobs(query, job),
                IDOSpec("SLItemwhses", _STOCK, key=("Item", "Whse"), keys_from=items),
                IDOSpec("SLItems", _ITEMS, key=("Item",), required=False, keys_from=items, fallback=joined),
            ),
            sql=_SQL,
            parameters={
                "item": _pattern(query.item) if query.item else None,
                "jobs": tuple(map(fold_key, expand_key(query.job, JOB_WIDTHS))) if query.job else None,
            },
            zone=moment.zone,
        )

    def transform_result(self, table: pa.Table) -> pa.Table:
        """Return the rows in the fields of MaterialShortage."""
        return table.select(list(MaterialShortage.model_fields))

    def summarize(self, table: pa.Table) -> dict[str, Any]:
        """Return the counts of ShortagesSummary over all rows."""
        return {
            "total": table.num_rows,
            "items": pc.count_distinct(pc.utf8_lower(table["item"])).as_py(),
            "jobs": table.group_by(["job", "suffix"]).aggregate([]).num_rows,
        }


def _jobs(query: ShortagesQuery, job: Expression | None) -> IDOSpec:
    """Return the read of jobs: all released ones, or those that use the material asked for."""
    return IDOSpec(
        "SLJobs",
        _JOBS,
        all_of(equals("Type", "J"), equals("Stat", "R"), job),
        key=("Job", "Suffix"),
        keys_from=(KeySource("SLJobmatls", "Job", "Job"),) if query.item else (),
    )


def _item_is(text: str | None) -> Expression | None:
    """Return the test for an item; with a wildcard it lets blanks follow, as the ERP may have stored them."""
    if text is None:
        return None
    return Like("Item", text.rstrip("*") + "*", wildcard=True) if "*" in text else AnyKey("Item", (text,))


def _pattern(text: str) -> str:
    """Return the same test for the folded item in SQL, where it is exact."""
    return re.sub(r"[\\%_]", r"\\\g<0>", fold_key(text)).replace("*", "%")
