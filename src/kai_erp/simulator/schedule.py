"""SLJobs, SLJobRoutes and SLJrtSchs over the jobs and operations of a plant."""

from operator import attrgetter

from kai_erp.simulator.blueprint import Blueprint
from kai_erp.simulator.collection import Collection, SubCollection, Table
from kai_erp.simulator.columns import (
    DATE,
    FLAG,
    INTEGER,
    QUANTITY,
    SHORT,
    Column,
    Native,
    Origin,
    alias,
    decimal,
    derived,
    fold,
    joined,
    key,
    right,
    text,
)
from kai_erp.simulator.jobs import Job
from kai_erp.simulator.operation_times import schedule_columns
from kai_erp.simulator.operations import Operation
from kai_erp.simulator.views import View
from kai_erp.simulator.work_orders import WorkOrders

_HOURS = QUANTITY
_BY_JOB = (("Job", "Job"), ("Suffix", "Suffix"))
_BY_OPERATION = (*_BY_JOB, ("OperNum", "OperNum"))


def jobs_collection(plan: Blueprint, orders: WorkOrders, items: Collection) -> Collection:
    """Return SLJobs."""
    view = View(orders.jobs)
    columns = [
        *_job_identity(view),
        *_job_references(view),
        *_job_schedule(plan, view),
        joined("ItemDescription", items.columns["Description"], [job.item_row for job in orders.jobs]),
        *plan.audit("job", len(orders.jobs), orders.ages),
    ]
    children = (SubCollection("SLJobRoutes", _BY_JOB), SubCollection("SLJobmatls", _BY_JOB))
    return Collection("SLJobs", Table("job", ("Job", "Suffix"), children), columns)


def _job_identity(view: View[Job]) -> list[Column]:
    return [
        view.column("Job", key(right(10)), lambda job: job.job),
        view.column("Suffix", key(SHORT), lambda job: job.suffix),
        view.column("Type", text(1), lambda job: job.type),
        view.column("Stat", text(1), lambda job: job.stat),
        view.column("Item", text(30), lambda job: job.item),
        view.column("JobDescription", text(40), lambda job: job.description),
        view.column("Description", text(40), lambda job: job.description),
        view.column("QtyReleased", QUANTITY, lambda job: job.qty),
        view.column("QtyComplete", QUANTITY, lambda job: job.complete),
        view.column("QtyScrapped", QUANTITY, lambda job: job.scrapped),
        view.column("Whse", text(4), lambda job: job.whse),
        view.derived("DerQtyRemaining", QUANTITY, lambda job: max(0.0, job.remaining)),
        view.derived("DerJobFormatted", text(20), lambda job: f"{job.job.strip()}-{job.suffix:04}"),
        view.derived("DerIsScheduled", FLAG, lambda job: int(job.start is not None)),
    ]


def _job_references(view: View[Job]) -> list[Column]:
    return [
        view.column("CustNum", right(7), lambda job: job.cust_num),
        view.column("OrdType", text(1), lambda job: job.ord_type),
        view.column("OrdNum", right(10), lambda job: job.ord_num),
        view.column("OrdLine", SHORT, lambda job: job.ord_line),
        view.column("OrdRelease", SHORT, lambda job: job.ord_release),
        view.column("RootJob", right(10), lambda job: job.job),
        view.constant("RootSuf", SHORT, 0),
        view.constant("RefJob", right(10)),
        view.constant("RefSuf", SHORT),
        view.constant("RefOper", INTEGER),
        view.constant("RefSeq", INTEGER),
        view.constant("PsNum", right(10)),
        view.constant("Revision", text(8)),
        view.constant("Rework", FLAG, 0),
        view.constant("CoProductMix", FLAG, 0),
        view.column("Picked", FLAG, lambda job: int(job.complete > 0)),
        view.column("Scheduled", FLAG, lambda job: int(job.start is not None)),
        view.constant("LowLevel", INTEGER, 0),
        view.unbound("UbSelect"),
    ]


def _job_schedule(plan: Blueprint, view: View[Job]) -> list[Column]:
    day = plan.calendar.day
    return [
        view.column("JobDate", DATE, lambda job: day(job.day)),
        view.constant("EffectDate", DATE),
        view.column("LstTrxDate", DATE, lambda job: _last_posting(job, day(-1))),
        view.joined("JschStartDate", DATE, lambda job: job.start),
        view.joined("JschEndDate", DATE, lambda job: job.end),
        view.joined("JschCompdate", DATE, lambda job: job.end),
        view.joined("JschPriority", SHORT, lambda job: job.priority),
        view.joined("JschPrfreeze", FLAG, lambda job: int(job.serial % 33 == 0 and job.open)),
        view.derived("DerDueDate", DATE, lambda job: job.end),
        view.derived("DerPriority", SHORT, lambda job: job.priority),
    ]


def _last_posting(job: Job, yesterday: str) -> str | None:
    if not job.complete:
        return None
    return yesterday if job.open else job.end


def routes_collection(
    plan: Blueprint, orders: WorkOrders, joins: tuple[Collection, Collection, Collection]
) -> Collection:
    """Return SLJobRoutes, joined to SLJobs, SLItems and SLWcs."""
    jobs, items, centers = joins
    view, link = View(orders.operations), [operation.job_row for operation in orders.operations]
    columns = [
        *_operation_keys(jobs, view, link),
        *_route_quantities(view),
        *_route_rates(view),
        *_route_joins(jobs, link),
        *_route_items(orders, items, link),
        *_route_centers(view, centers),
        *_route_schedule(view),
        view.unbound("UbSelect"),
        *plan.audit("jobroute", len(link), orders.operation_ages),
    ]
    children = (SubCollection("SLJobmatls", _BY_OPERATION), SubCollection("SLJrtResourceGroups", _BY_OPERATION))
    return Collection("SLJobRoutes", Table("jobroute", ("Job", "Suffix", "OperNum"), children), columns)


def _operation_keys(jobs: Collection, view: View[Operation], link: list[int]) -> list[Column]:
    job, suffix = jobs.columns["Job"].natives, jobs.columns["Suffix"].natives
    return [
        Column("Job", key(right(10)), lambda: [job[row] for row in link]),
        Column("Suffix", key(SHORT), lambda: [suffix[row] for row in link]),
        view.column("OperNum", key(INTEGER), attrgetter("step.oper")),
    ]


def _route_quantities(view: View[Operation]) -> list[Column]:
    return [
        view.column("Wc", text(6), attrgetter("step.wc")),
        view.column("QtyReceived", QUANTITY, attrgetter("flow.received")),
        view.column("QtyComplete", QUANTITY, attrgetter("flow.complete")),
        view.column("QtyScrapped", QUANTITY, attrgetter("flow.scrapped")),
        view.column("QtyMoved", QUANTITY, attrgetter("flow.moved")),
        view.column("Complete", FLAG, attrgetter("flow.closed")),
        view.column("SetupHrsT", _HOURS, _posted_setup),
        view.column("RunHrsTLbr", _HOURS, lambda operation: _posted(operation.step.labor, operation)),
        view.column("RunHrsTMch", _HOURS, lambda operation: _posted(operation.step.machine, operation)),
    ]


def _posted_setup(operation: Operation) -> Native:
    flow = operation.flow
    return operation.step.setup if flow.closed or flow.complete else 0.0


def _posted(hours: float, operation: Operation) -> Native:
    """Return the run hours reported so far at this many planned hours per piece."""
    return round((operation.flow.complete or 0.0) * hours * 1.08, 4)


def _route_rates(view: View[Operation]) -> list[Column]:
    rate = decimal(10, 3)
    return [
        view.column("Efficiency", decimal(4, 1), attrgetter("efficiency")),
        view.constant("CntrlPoint", FLAG, 1),
        view.constant("BflushType", text(1), "N"),
        view.constant("RunBasisLbr", text(1), "H"),
        view.constant("RunBasisMch", text(1), "P"),
        view.constant("SetupRate", rate, 28.5),
        view.constant("RunRateLbr", rate, 31.25),
        view.constant("EffectDate", DATE),
        view.constant("ObsDate", DATE),
        view.constant("Yield", decimal(5, 2), 100.0),
    ]


def _route_joins(jobs: Collection, link: list[int]) -> list[Column]:
    columns = jobs.columns
    return [
        joined("JobStat", columns["Stat"], link),
        joined("JobType", columns["Type"], link),
        joined("Type", columns["Type"], link),
        joined("JobItem", columns["Item"], link),
        joined("JobDescription", columns["JobDescription"], link),
        joined("JobQtyReleased", columns["QtyReleased"], link),
        joined("JbhEndDate", columns["JschEndDate"], link),
        derived("DerJobItem", text(30), lambda: [columns["Item"].natives[row] for row in link]),
    ]


def _route_items(orders: WorkOrders, items: Collection, link: list[int]) -> list[Column]:
    item_link = [orders.jobs[row].item_row for row in link]
    return [
        joined("ItmItem", items.columns["Item"], item_link),
        joined("ItmDescription", items.columns["Description"], item_link),
    ]


def _route_centers(view: View[Operation], centers: Collection) -> list[Column]:
    rows = {fold(str(wc)): row for row, wc in enumerate(centers.columns["Wc"].natives)}
    link = [rows.get(fold(operation.step.wc), -1) for operation in view.rows]
    return [
        joined("WcDescription", centers.columns["Description"], link),
        joined("WcOutside", centers.columns["Outside"], link),
    ]


def _route_schedule(view: View[Operation]) -> list[Column]:
    return [
        *(alias(f"Jsh{column.name}", column, Origin.JOINED) for column in schedule_columns(view)),
        view.derived("DerStartDate", DATE, attrgetter("start")),
        view.derived("DerEndDate", DATE, attrgetter("end")),
        view.derived("DerRunMchHrs", _HOURS, attrgetter("step.machine")),
        view.derived("DerRunLbrHrs", _HOURS, attrgetter("step.labor")),
    ]
