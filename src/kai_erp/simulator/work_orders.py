"""The plant's work orders: all jobs with their operations."""

from dataclasses import dataclass

from kai_erp.simulator.blueprint import Blueprint
from kai_erp.simulator.calendar import MINUTES_A_DAY
from kai_erp.simulator.items import Items
from kai_erp.simulator.jobs import Job, make_jobs
from kai_erp.simulator.operations import Operation, Shop


@dataclass(frozen=True, slots=True)
class WorkOrders:
    """All jobs and operations in key order; the operations name their job by its row."""

    jobs: list[Job]
    operations: list[Operation]

    def ages(self) -> list[int]:
        """Return minutes since each job's last change: hours for open jobs, long ago for closed ones."""
        return [20 + job.serial * 31 % 4000 if job.open else -job.day * MINUTES_A_DAY // 2 for job in self.jobs]

    def operation_ages(self) -> list[int]:
        """Return minutes since each operation's last change."""
        ages = self.ages()
        return [ages[operation.job_row] for operation in self.operations]


def make_work_orders(plan: Blueprint, items: Items) -> WorkOrders:
    """Return the jobs of the plant, open and closed, with their operations planned."""
    jobs, shop = make_jobs(plan, items), Shop(plan, items)
    return WorkOrders(jobs, [op for row, job in enumerate(jobs) for op in shop.operations(row, job)])
