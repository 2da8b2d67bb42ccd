"""The record of open orders: a customer order with the lines that are still to be shipped."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from kai_erp.models.numbers import Money, Percent, Quantity

OrderStatus = Literal["open", "stopped"]


class OrderLine(BaseModel):
    """A line of a customer order that is not wholly shipped."""

    model_config = ConfigDict(frozen=True)

    line: int = Field(description="Line number.")
    release: int = Field(description="Release of a blanket line; 0 on regular orders.")
    item: str | None = Field(description="Item ordered.")
    item_description: str | None = Field(description="The item's description; the line's own without an item.")
    um: str | None = Field(description="Unit of the quantities: the item's stocking unit.")
    qty_ordered: Quantity = Field(description="Quantity ordered.")
    qty_shipped: Quantity = Field(description="Quantity shipped so far.")
    qty_remaining: Quantity = Field(description="Quantity still to be shipped.")
    unit_price: Money | None = Field(description="Price of one unit, before discount.")
    discount_pct: Percent = Field(description="Discount of the line, in percent.")
    extended_price: Money | None = Field(description="Ordered quantity at the price less discount.")
    open_amount: Money | None = Field(description="Remaining quantity at the price less discount.")
    due_date: date | None = Field(description="Day due: the due date, else the promise date; null when undated.")
    promise_date: date | None = Field(description="Day promised.")
    days_until_due: int | None = Field(description="Days from today; negative when late, null when undated.")
    is_late: bool = Field(description="Due before today.")
    warehouse: str | None = Field(description="Warehouse that ships: the line's, else the order's.")
    qty_on_hand: Quantity | None = Field(
        description="Stock of the item in the line's warehouse; null when unknown."
    )


class SalesOrder(BaseModel):
    """A customer order with its open lines."""

    model_config = ConfigDict(frozen=True)

    order_num: str = Field(description="Order number, trimmed.")
    customer_num: str | None = Field(description="Number of the customer who ordered.")
    customer_name: str | None = Field(description="Name of that customer.")
    customer_po: str | None = Field(description="The customer's own purchase order number.")
    order_date: date | None = Field(description="Day of the order.")
    due_date: date | None = Field(description="Earliest due day of the lines shown; null when all are undated.")
    days_until_due: int | None = Field(description="Days from today; negative when late, null when undated.")
    is_late: bool = Field(description="A line shown is due before today.")
    status: OrderStatus = Field(description="open, or stopped when nothing may be shipped for now.")
    ship_to_name: str | None = Field(description="Name of the ship-to address.")
    ship_to_city: str | None = Field(description="City of the ship-to address.")
    ship_to_state: str | None = Field(description="State of the ship-to address.")
    credit_hold: bool = Field(description="The order or its customer is on credit hold.")
    currency: str | None = Field(description="The customer's currency.")
    total_amount: Money | None = Field(description="Value of the whole order, lines not shown included.")
    open_amount: Money = Field(description="Value still to be shipped of the lines shown.")
    lines: list[OrderLine] = Field(description="The open lines that the question asks for.")


class OrdersSummary(BaseModel):
    """Counts and sums over the whole answer, never over the page."""

    model_config = ConfigDict(frozen=True)

    total: int = Field(description="Orders.")
    lines: int = Field(description="Open lines.")
    late_orders: int
    late_lines: int
    open_amount: Money | None = Field(description="Value still to be shipped; null when currencies are mixed.")
