"""Purchase order lines (SLPoItems), and what is on order for each item and warehouse."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from kai_erp.simulator.blueprint import Blueprint
from kai_erp.simulator.collection import Collection, Table
from kai_erp.simulator.columns import DATE, QUANTITY, SHORT, Column, decimal, fold, joined, key, right, text
from kai_erp.simulator.customers import customer_key
from kai_erp.simulator.items import Items
from kai_erp.simulator.jobs import chance, falls, number_key
from kai_erp.simulator.stock import Stock
from kai_erp.simulator.views import View

_FIRST_NUMBER = 2001
_LINES = 3
_VENDORS = ("Ohio Steel Service", "Great Lakes Tube", "Müller Hydraulik", 'Bolt & Nut "Depot"', "Lumen LED Inc")


@dataclass(slots=True)
class PurchaseLine:
    """One line of a purchase order."""

    po_num: str
    line: int
    item_row: int
    item: str
    stat: str
    ordered: float
    received: float
    due: str | None
    whse: str
    serial: int


def make_purchases(plan: Blueprint, items: Items) -> list[PurchaseLine]:
    """Return all purchase lines in key order."""
    dice, scale = plan.dice("purchases"), plan.scale
    count = scale.closed_purchase_lines + scale.open_purchase_lines
    lines = [_line(plan, items, serial, dice) for serial in range(count)]
    return sorted(lines, key=lambda line: (fold(line.po_num), line.line))


def _line(plan: Blueprint, items: Items, serial: int, dice: Random) -> PurchaseLine:
    scale, day = plan.scale, plan.calendar.day
    row = dice.choice(items.bought)
    number = number_key("PO", _FIRST_NUMBER + serial // _LINES)
    ordered = float(dice.choice((5, 10, 20, 50, 100, 250)))
    whse = scale.warehouses[serial % len(scale.warehouses)] if falls(serial, 10, 4) else "MAIN"
    line = PurchaseLine(
        number, 1 + serial % _LINES, row, items.rows[row].code, "C", ordered, ordered, None, whse, serial
    )
    if serial < scale.closed_purchase_lines:
        line.due = day(-1500 + 1450 * serial // scale.closed_purchase_lines)
        return line
    line.stat = "P" if falls(serial, 14, 3) else "O"
    line.received = float(dice.randrange(int(ordered))) if chance(dice, 0.2) and line.stat == "O" else 0.0
    line.due = None if falls(serial, 80, 9) else day(dice.randrange(-12, 45))
    return line


def supply(lines: Sequence[PurchaseLine], stock: Stock) -> None:
    """Add the open lines to what is on order."""
    for line in lines:
        if line.stat == "O":
            stock.add(stock.ordered, line.item_row, line.whse, line.ordered - line.received)


def purchases_collection(plan: Blueprint, lines: Sequence[PurchaseLine], items: Collection) -> Collection:
    """Return SLPoItems."""
    view, link = View(lines), [line.item_row for line in lines]
    columns = [
        view.column("PoNum", key(right(10)), lambda line: line.po_num),
        view.column("PoLine", key(SHORT), lambda line: line.line),
        Column("PoRelease", key(SHORT), lambda: [0] * len(lines)),
        view.column("Item", text(30), lambda line: line.item),
        joined("Description", items.columns["Description"], link),
        view.column("QtyOrdered", QUANTITY, lambda line: line.ordered),
        view.column("QtyReceived", QUANTITY, lambda line: line.received),
        view.constant("QtyRejected", QUANTITY, 0.0),
        view.column("DueDate", DATE, lambda line: line.due),
        view.column("PromiseDate", DATE, lambda line: line.due),
        view.column("RcvdDate", DATE, lambda line: line.due if line.received else None),
        view.column("Stat", text(1), lambda line: line.stat),
        view.joined("PoVendNum", right(7), lambda line: customer_key(line.serial // _LINES % 5 + 1)),
        view.joined("VenadrName", text(60), lambda line: _VENDORS[line.serial // _LINES % len(_VENDORS)]),
        view.column("ItemCost", decimal(20, 8), lambda line: 4.0 + line.serial % 90 / 4),
        view.column("Whse", text(4), lambda line: line.whse),
        joined("UM", items.columns["UM"], link),
        view.constant("RefType", text(1), "I"),
        view.constant("RefNum", right(10)),
        *plan.audit("poitem", len(lines)),
    ]
    return Collection("SLPoItems", Table("poitem", ("PoNum", "PoLine", "PoRelease")), columns)
