"""The schedule of operations (jrt_sch): SLJrtSchs, and the Jsh… properties of SLJobRoutes."""

from operator import attrgetter

from kai_erp.simulator.blueprint import Blueprint
from kai_erp.simulator.collection import Collection, Table
from kai_erp.simulator.columns import DATE, FLAG, QUANTITY, SHORT, Column, Origin, alias, decimal, text
from kai_erp.simulator.operations import Operation
from kai_erp.simulator.views import View
from kai_erp.simulator.work_orders import WorkOrders

_HOURS, _TICKS = QUANTITY, decimal(10, 0)


def _per_hour(hours: float) -> float:
    return round(1 / hours, 8) if hours else 0.0


def schedule_columns(view: View[Operation]) -> list[Column]:
    """Return the columns of jrt_sch, which SLJobRoutes shows with the prefix Jsh."""
    return [
        view.joined("StartDate", DATE, attrgetter("start")),
        view.joined("EndDate", DATE, attrgetter("end")),
        view.joined("SchedDrv", text(1), attrgetter("step.driver")),
        view.joined("SetupHrs", _HOURS, attrgetter("step.setup")),
        view.joined("RunLbrHrs", _HOURS, attrgetter("step.labor")),
        view.joined("RunMchHrs", _HOURS, attrgetter("step.machine")),
        view.joined("PcsPerLbrHr", _HOURS, lambda operation: _per_hour(operation.step.labor)),
        view.joined("PcsPerMchHr", _HOURS, lambda operation: _per_hour(operation.step.machine)),
        view.joined("RunTicksLbr", _TICKS, lambda operation: 100 * operation.step.labor),
        view.joined("RunTicksMch", _TICKS, lambda operation: 100 * operation.step.machine),
        view.joined("SchedHrs", _HOURS, attrgetter("sched_hrs")),
        view.joined("SchedTicks", _TICKS, lambda operation: 100 * (operation.sched_hrs or 0)),
        view.joined("QueueHrs", _HOURS, lambda operation: 2.0 if operation.step.outside else 1.0),
        view.joined("MoveHrs", _HOURS, lambda _: 0.0),
        view.joined("FinishHrs", _HOURS, lambda _: 0.0),
        view.joined("OffsetHrs", _HOURS, lambda _: 0.0),
        view.joined("Setuprgid", text(30), lambda _: None),
        view.joined("SplitSize", QUANTITY, lambda _: 0.0),
    ]


def schedules_collection(plan: Blueprint, orders: WorkOrders, routes: Collection) -> Collection:
    """Return SLJrtSchs: one row per operation."""
    view = View(orders.operations)
    names = ("Job", "Suffix", "OperNum")
    columns = [
        *(routes.columns[name] for name in names),
        *(alias(name[3:], column, Origin.BOUND) for name, column in routes.columns.items() if name[:3] == "Jsh"),
        view.column("SetupTicks", _TICKS, lambda operation: 100 * operation.step.setup),
        view.column("SchedOff", FLAG, lambda _: 0),
        view.constant("MoveTicks", _TICKS, 0.0),
        view.constant("QueueTicks", _TICKS, 100.0),
        view.constant("FreezeSch", FLAG, 0),
        view.constant("Setuprule", SHORT, 5),
        view.constant("Schedsteprule", SHORT, 1),
        view.constant("Crsbrkrule", SHORT, 0),
        view.constant("Whenrule", SHORT, 0),
        view.constant("Matrixtype", text(1), "P"),
        view.constant("Tabid", text(30)),
        view.constant("Plannerstep", SHORT, 0),
        *plan.audit("jrt_sch", len(orders.operations), orders.operation_ages),
    ]
    return Collection("SLJrtSchs", Table("jrt_sch", names), columns)
