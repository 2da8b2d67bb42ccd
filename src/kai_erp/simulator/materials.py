"""Materials of jobs (SLJobmatls), and what released jobs still ask of stock."""

from collections.abc import Sequence
from dataclasses import dataclass

from kai_erp.simulator.blueprint import Blueprint
from kai_erp.simulator.collection import Collection, Table
from kai_erp.simulator.columns import (
    DATE,
    INTEGER,
    QUANTITY,
    SHORT,
    Column,
    constant,
    decimal,
    joined,
    key,
    right,
    text,
)
from kai_erp.simulator.items import Items
from kai_erp.simulator.jobs import Job, chance, falls
from kai_erp.simulator.operations import Operation
from kai_erp.simulator.views import View
from kai_erp.simulator.work_orders import WorkOrders

_PER_UNIT = (1.0, 2.0, 4.0, 0.5, 6.25)


@dataclass(slots=True)
class Material:
    """One item that an operation of a job uses: `units` U is per piece, L for the whole lot."""

    job: Job
    operation_row: int
    sequence: int
    item_row: int
    item: str
    units: str
    quantity: float
    issued: float

    @property
    def required(self) -> float:
        """What the whole job needs."""
        return self.quantity * (self.job.qty if self.units == "U" else 1.0)


def make_materials(plan: Blueprint, orders: WorkOrders, items: Items) -> list[Material]:
    """Return the materials of all jobs in key order."""
    dice, serial = plan.dice("materials"), 0
    materials = []
    for row, operation in enumerate(orders.operations):
        job = orders.jobs[operation.job_row]
        for sequence in range(1, 1 + _count(job, operation)):
            serial += 1
            item_row = dice.choice(items.bought)
            item = items.rows[item_row].code
            if falls(serial, 211, 40):
                item_row, item = -1, f"SH-LOST-{serial}"
            units = "L" if chance(dice, 0.08) else "U"
            material = Material(job, row, sequence, item_row, item, units, dice.choice(_PER_UNIT), 0.0)
            material.issued = _issued(material, operation, dice.choice((0.0, 0.5, 1.0)))
            materials.append(material)
    return materials


def _count(job: Job, operation: Operation) -> int:
    """Return how many materials an operation has: most are fetched early, history keeps two a job."""
    if not job.open:
        return int(operation.step.oper <= 20)  # noqa: PLR2004 - the first two operations
    return 1 + operation.step.oper // 10 % 2


def _issued(material: Material, operation: Operation, share: float) -> float:
    if material.job.stat in "CH":
        return material.required
    if not operation.started:
        return 0.0
    return material.required if operation.flow.closed else round(material.required * share * 4) / 4


def allocate(materials: Sequence[Material], items: Items) -> None:
    """Add what released jobs still need to the items' allocations."""
    for material in materials:
        if material.job.open and material.job.stat == "R" and material.item_row >= 0:
            open_quantity = max(0.0, material.required - material.issued)
            items.allocated_to_jobs[material.item_row] += open_quantity


def materials_collection(
    plan: Blueprint, materials: Sequence[Material], orders: WorkOrders, items: Collection
) -> Collection:
    """Return SLJobmatls."""
    view = View(materials)
    operations, size = orders.operations, len(materials)
    link = [material.item_row for material in materials]
    columns = [
        view.column("Job", key(right(10)), lambda row: row.job.job),
        view.column("Suffix", key(SHORT), lambda row: row.job.suffix),
        view.column("OperNum", key(INTEGER), lambda row: operations[row.operation_row].step.oper),
        view.column("Sequence", key(INTEGER), lambda row: row.sequence),
        *_quantities(view),
        *_job_joins(view),
        view.joined("JshEndDate", DATE, lambda row: operations[row.operation_row].end),
        joined("ItmDescription", items.columns["Description"], link),
        joined("UM", items.columns["UM"], link),
        constant("MatlType", text(1), "M", size),
        constant("RefType", text(1), "I", size),
        constant("RefNum", right(10), None, size),
        constant("ScrapFact", decimal(8, 5), 0.0, size),
        *plan.audit("jobmatl", size),
    ]
    return Collection("SLJobmatls", Table("jobmatl", ("Job", "Suffix", "OperNum", "Sequence")), columns)


def _quantities(view: View[Material]) -> list[Column]:
    return [
        view.column("Item", text(30), lambda row: row.item),
        view.column("MatlQty", QUANTITY, lambda row: row.quantity),
        view.column("MatlQtyConv", QUANTITY, lambda row: row.quantity),
        view.column("Units", text(1), lambda row: row.units),
        view.column("QtyIssued", QUANTITY, lambda row: row.issued),
        view.derived("DerReqQty", QUANTITY, lambda row: row.required),
        view.derived("DerMatlQtyRequired", QUANTITY, lambda row: row.required),
        view.derived("DerQtyToPick", QUANTITY, lambda row: max(0.0, row.required - row.issued)),
    ]


def _job_joins(view: View[Material]) -> list[Column]:
    return [
        view.joined("JobStat", text(1), lambda row: row.job.stat),
        view.joined("JobType", text(1), lambda row: row.job.type),
        view.joined("JobItem", text(30), lambda row: row.job.item),
        view.joined("QtyReleased", QUANTITY, lambda row: row.job.qty),
    ]
