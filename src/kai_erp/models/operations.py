"""The record of the production schedule: one operation of a released job."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from kai_erp.models.numbers import Hours, Percent, Quantity

OperationStatus = Literal["on_track", "behind", "complete", "unknown"]


class ScheduledOperation(BaseModel):
    """One operation of a released job order: what is to be made, where, when, and how far it is."""

    model_config = ConfigDict(frozen=True)

    job: str = Field(description="Job order number, trimmed.")
    suffix: int = Field(description="Split or sub-job number; 0 for the main job.")
    operation_num: int = Field(description="Operation number within the job: 10, 20, 30 …")
    item: str | None = Field(description="Item that the job makes.")
    item_description: str | None = Field(description="Description of that item.")
    warehouse: str | None = Field(description="Warehouse that the job delivers to.")
    work_center: str | None = Field(description="Work center that does the operation.")
    work_center_description: str | None = Field(description="Name of the work center.")
    qty_released: Quantity = Field(description="Pieces the whole job is released for.")
    qty_complete: Quantity = Field(description="Good pieces reported at this operation.")
    qty_scrapped: Quantity = Field(description="Pieces scrapped at this operation.")
    qty_remaining: Quantity = Field(
        description="Pieces still to be done here: released, less complete, less all scrap so far; never below 0."
    )
    qty_here: Quantity | None = Field(
        description="Pieces that lie at the operation now, ready to be worked on; null when the ERP does not tell."
    )
    pct_complete: Percent = Field(description="Share of the released quantity complete here, 0 to 100.")
    hours_remaining: Hours | None = Field(
        description="Planned hours still to be worked here; null when the operation has no schedule row."
    )
    sched_start: datetime | None = Field(
        description="Scheduled start, with the ERP's offset; null when unscheduled."
    )
    sched_finish: datetime | None = Field(
        description="Scheduled end, with the ERP's offset; null when unscheduled."
    )
    status: OperationStatus = Field(
        description="complete; else behind when the scheduled end has passed, unknown without one, else on_track."
    )
    qty_on_hand: Quantity | None = Field(
        description="Stock of the item in the job's warehouse; null when unknown."
    )
    job_due: date | None = Field(description="Day on which the whole job is due.")
    priority: int | None = Field(description="Priority of the job; a low number comes first.")
    customer_num: str | None = Field(description="Customer the job is made for, if any.")
    order_num: str | None = Field(description="Customer order the job supplies, if any.")
    order_line: int | None = Field(description="Line of that order.")


class ScheduleSummary(BaseModel):
    """Counts over the whole answer, never over the page."""

    model_config = ConfigDict(frozen=True)

    total: int = Field(description="Operations.")
    on_track: int
    behind: int
    complete: int
    unknown: int = Field(description="Operations that are not scheduled.")
    jobs: int = Field(description="Distinct jobs, by number and suffix.")
    hours_remaining: Hours = Field(description="Hours remaining, over operations whose hours are known.")
    work_centers: list[str] = Field(description="Work centers that occur, each once.")
