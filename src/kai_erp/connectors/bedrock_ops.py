"""The production schedule: what is being made, where, when, and how far it is.

Six collections. SLJobs and SLJobRoutes are required; SLJrtSchs, SLItems, SLItemwhses and SLWcs enrich, and when
one cannot be read its fields come from the properties that SLJobRoutes has joined, where it has them.

The scrap that lowers what remains at an operation may have been made at an earlier one, in another work center
or already complete. So scrap is read beside the operations, for all released jobs: few rows have any.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from kai_erp.connectors.base import BaseConnector, Moment, Words
from kai_erp.connectors.declaring import JOB_WIDTHS, code_is, key_is, keys, properties
from kai_erp.connectors.parameters import ConnectorQuery, FilterText
from kai_erp.connectors.schedule_sql import (
    SCHEDULE_COLUMNS,
    SCHEDULE_RECORDS,
    SCHEDULE_SQL,
    SCHEDULE_VOLUME,
    schedule_lake_sql,
)
from kai_erp.core.expressions import (
    AnyOf,
    Comparison,
    Expression,
    NullTest,
    Operator,
    all_of,
    equals,
)
from kai_erp.core.keys import expand_key, fold_key, fold_keys
from kai_erp.core.lake_sql import LakeTables, render
from kai_erp.core.types import IDOSpec, KeySource, LakeQuerySpec, Property, PropertyType, RestQuerySpec, SqlValue
from kai_erp.models.operations import ScheduledOperation, ScheduleSummary

_WC_WIDTH = 6
_OPERATION = ("Job", "Suffix", "OperNum")
_STATUSES = ("on_track", "behind", "complete", "unknown")


class ScheduleQuery(ConnectorQuery):
    """Which operations to show."""

    work_center: FilterText | None = Field(None, description="Only this work center, e.g. WELD.")
    job: FilterText | None = Field(None, description="Only this job, padded or short: J000000012, J12, 888.")
    include_completed: bool = Field(default=False, description="Show operations that are complete as well.")


_JOB = (*keys("Job"), Property("Suffix", PropertyType.INTEGER, required=True))
_OPER_NUM = Property("OperNum", PropertyType.INTEGER, required=True)
_JOBS = (
    *_JOB,
    Property("Type", required=True),
    Property("Stat", required=True),
    *keys("Item"),
    Property("QtyReleased", PropertyType.DECIMAL, required=True),
    *properties(PropertyType.KEY, "Whse", "CustNum", "OrdNum"),
    *properties(PropertyType.TEXT, "OrdType"),
    *properties(PropertyType.INTEGER, "OrdLine", "JschPriority"),
    *properties(PropertyType.DATETIME, "JschEndDate"),
)
_ROUTES = (
    *_JOB,
    _OPER_NUM,
    *keys("Wc"),
    Property("QtyComplete", PropertyType.DECIMAL, required=True),
    Property("QtyScrapped", PropertyType.DECIMAL, required=True),
    Property("Complete", PropertyType.FLAG, required=True),
    *properties(PropertyType.DECIMAL, "QtyReceived", "SetupHrsT", "Efficiency"),
)
_SCRAP = (*_JOB, _OPER_NUM, Property("QtyScrapped", PropertyType.DECIMAL, required=True))


def _schedule_properties(prefix: str = "") -> tuple[Property, ...]:
    return (
        *_JOB,
        _OPER_NUM,
        *properties(PropertyType.DATETIME, "StartDate", "EndDate", prefix=prefix),
        *properties(PropertyType.TEXT, "SchedDrv", prefix=prefix),
        *properties(PropertyType.DECIMAL, "SetupHrs", "RunLbrHrs", "RunMchHrs", "SchedHrs", prefix=prefix),
    )


def _job_is(text: str | None) -> Expression | None:
    return key_is("Job", text, JOB_WIDTHS) if text else None


def _work_center_is(text: str | None) -> Expression | None:
    return code_is("Wc", text, _WC_WIDTH) if text else None


_NOT_CLOSED = AnyOf((Comparison("Complete", Operator.NE, 1), NullTest("Complete")))


class BedrockOpsScheduler(BaseConnector[ScheduleQuery]):
    """The production schedule."""

    name = "production_schedule"
    title = "Production schedule"
    description = (
        "Operations of released jobs: what each work center makes, when it is scheduled, whether it is behind, "
        "what remains and what lies there to be worked on. Not for customer orders or stock as such."
    )
    path = "/bedrock/schedule"
    tool = "get_production_schedule"
    verb = "schedule"
    scope = "schedule:read"
    query = ScheduleQuery
    record = ScheduledOperation
    summary = ScheduleSummary
    example = ScheduleQuery(work_center="WELD")
    table_fields = (
        "job",
        "suffix",
        "operation_num",
        "work_center",
        "item",
        "item_description",
        "qty_remaining",
        "qty_here",
        "hours_remaining",
        "sched_start",
        "sched_finish",
        "status",
        "job_due",
        "order_num",
    )
    wide_fields = ("item_description",)
    headings: ClassVar = {
        "suffix": "suf",
        "operation_num": "op",
        "work_center": "wc",
        "item_description": "description",
        "qty_remaining": "left",
        "qty_here": "here",
        "hours_remaining": "hours",
        "sched_start": "start",
        "sched_finish": "finish",
        "job_due": "job due",
        "order_num": "order",
    }
    vocabulary: ClassVar = {
        "work_center": Words(("work_center",), staged=(("SLWcs", "Wc"),)),
        "job": Words(("job",)),
    }

    def get_rest_spec(self, query: ScheduleQuery, moment: Moment) -> RestQuerySpec:
        """Return six collections: operations and jobs first, the others for the jobs that these name."""
        job = _job_is(query.job)
        operations = all_of(equals("Type", "J"), equals("JobStat", "R"), job, _work_center_is(query.work_center))
        return RestQuerySpec(
            collections=(
                _operations(query, operations),
                _scrap(job),
                _jobs(query, job),
                _schedules(query, job, operations),
                *_item_collections(query, operations),
                _work_centers(operations),
            ),
            sql=SCHEDULE_SQL,
            parameters=_parameters(query, moment),
            zone=moment.zone,
        )

    def get_lake_query(self, query: ScheduleQuery, moment: Moment, lake: LakeTables) -> LakeQuerySpec:
        """Return the one query that joins the same tables in the lake."""
        wanted = all_of(_job_is(query.job), _work_center_is(query.work_center))
        condition = f" AND ({render(wanted, {'Job': 'r.job', 'Wc': 'r.wc'})})" if wanted else ""
        return LakeQuerySpec(
            sql=schedule_lake_sql(lake, condition),
            columns=SCHEDULE_COLUMNS,
            tables=("job", "jobroute", "jrt_sch", "itemwhse"),
            records=SCHEDULE_RECORDS,
            volume=SCHEDULE_VOLUME,
            parameters=_parameters(query, moment),
            zone=moment.zone,
        )

    def transform_result(self, table: pa.Table) -> pa.Table:
        """Return the rows in the fields of ScheduledOperation."""
        return table.select(list(ScheduledOperation.model_fields))

    def summarize(self, table: pa.Table) -> dict[str, Any]:
        """Return the counts of ScheduleSummary over all rows."""
        counts = {entry["values"]: entry["counts"] for entry in table["status"].value_counts().to_pylist()}
        centers = table["work_center"].unique().drop_null().to_pylist()
        folded = {text.casefold(): text for text in reversed(centers)}
        jobs = table.select(["job", "suffix"]).set_column(0, "job", fold_keys(table["job"].combine_chunks()))
        hours = pc.sum(table["hours_remaining"]).as_py()
        return {
            "total": table.num_rows,
            **{status: counts.get(status, 0) for status in _STATUSES},
            "jobs": jobs.group_by(jobs.column_names, use_threads=False).aggregate([]).num_rows,
            "hours_remaining": hours or 0,
            "work_centers": [folded[key] for key in sorted(folded)],
        }


def _parameters(query: ScheduleQuery, moment: Moment) -> dict[str, SqlValue]:
    return {
        "work_center": fold_key(query.work_center) if query.work_center else None,
        "jobs": tuple(map(fold_key, expand_key(query.job, JOB_WIDTHS))) if query.job else None,
        "include_completed": query.include_completed,
        "now": moment.now,
    }


def _operations(query: ScheduleQuery, operations: Expression | None) -> IDOSpec:
    item = properties(PropertyType.KEY, "JobItem") if query.work_center else ()
    return IDOSpec(
        "SLJobRoutes",
        (*_ROUTES, *item),
        all_of(operations, None if query.include_completed else _NOT_CLOSED),
        key=_OPERATION,
        driving=True,
    )


def _scrap(job: Expression | None) -> IDOSpec:
    some = Comparison("QtyScrapped", Operator.NE, 0)
    released = all_of(equals("Type", "J"), equals("JobStat", "R"), job, some)
    return IDOSpec("SLJobRoutes", _SCRAP, released, key=_OPERATION, table="Scrap")


def _jobs(query: ScheduleQuery, job: Expression | None) -> IDOSpec:
    """Return the read of jobs: all released ones, or those that have an operation in the work center."""
    return IDOSpec(
        "SLJobs",
        _JOBS,
        all_of(equals("Type", "J"), equals("Stat", "R"), job),
        key=("Job", "Suffix"),
        keys_from=(KeySource("SLJobRoutes", "Job", "Job"),) if query.work_center else (),
    )


def _schedules(query: ScheduleQuery, job: Expression | None, operations: Expression | None) -> IDOSpec:
    """Return the read of scheduled times; the rows of finished jobs stay in it, so that it may be very long."""
    jobs = KeySource("SLJobRoutes" if query.work_center else "SLJobs", "Job", "Job")
    return IDOSpec(
        "SLJrtSchs",
        _schedule_properties(),
        job,
        key=_OPERATION,
        required=False,
        keys_from=() if job else (jobs,),
        eager=_is_broad(query),
        maybe_whole=_is_broad(query),
        fallback=IDOSpec(
            "SLJobRoutes", _schedule_properties("Jsh"), operations, key=_OPERATION, table="SLJrtSchs"
        ),
    )


def _item_collections(query: ScheduleQuery, operations: Expression | None) -> tuple[IDOSpec, IDOSpec]:
    """Return the reads of items and their stock, for the items of the jobs."""
    early = (KeySource("SLJobRoutes", "JobItem", "Item"),) if query.work_center else ()
    items = (*early, KeySource("SLJobs", "Item", "Item"))
    described = (
        Property("Item", PropertyType.KEY, required=True, wire="JobItem"),
        Property("Description", wire="ItmDescription"),
    )
    stock = (*keys("Item", "Whse"), Property("QtyOnHand", PropertyType.DECIMAL))
    return (
        IDOSpec(
            "SLItems",
            (*keys("Item"), Property("Description")),
            key=("Item",),
            required=False,
            keys_from=items,
            eager=_is_broad(query),
            maybe_whole=_is_broad(query),
            fallback=IDOSpec("SLJobRoutes", described, operations, key=_OPERATION, table="SLItems"),
            reference=True,
            dated=True,
        ),
        IDOSpec(
            "SLItemwhses",
            stock,
            key=("Item", "Whse"),
            required=False,
            keys_from=items,
            eager=_is_broad(query),
            maybe_whole=_is_broad(query),
        ),
    )


def _work_centers(operations: Expression | None) -> IDOSpec:
    described = (*keys("Wc"), Property("Description", wire="WcDescription"))
    return IDOSpec(
        "SLWcs",
        (*keys("Wc"), Property("Description")),
        key=("Wc",),
        required=False,
        fallback=IDOSpec("SLJobRoutes", described, operations, key=_OPERATION, table="SLWcs"),
        reference=True,
        dated=True,
    )


def _is_broad(query: ScheduleQuery) -> bool:
    """Tell whether a question is about the whole plant, so that it needs most rows of most collections."""
    return not (query.work_center or query.job)
