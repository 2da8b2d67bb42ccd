"""SLCos and SLCoitems over the orders of a plant."""

from collections.abc import Sequence
from dataclasses import dataclass

from kai_erp.simulator.blueprint import Blueprint
from kai_erp.simulator.collection import Collection, SubCollection, Table
from kai_erp.simulator.columns import (
    DATE,
    FLAG,
    INTEGER,
    QUANTITY,
    SHORT,
    Column,
    decimal,
    joined,
    key,
    right,
    text,
)
from kai_erp.simulator.customers import MONEY, Customers
from kai_erp.simulator.orders import Line, Order
from kai_erp.simulator.stock import Stock
from kai_erp.simulator.views import View

_PRICE = decimal(20, 8)
_OLD_ENOUGH = 60_000


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A line with the order it belongs to."""

    order: Order
    line: Line

    @property
    def net(self) -> float:
        """The unit price after the line's discount."""
        return self.line.price * (1 - self.line.discount / 100)


def order_lines(orders: Sequence[Order]) -> list[OrderLine]:
    """Return all lines in key order."""
    return [
        OrderLine(order, line)
        for order in orders
        for line in sorted(order.lines, key=lambda line: (line.line, line.release))
    ]


def _age(order: Order) -> int:
    return 25 + order.serial * 53 % 6000 if order.stat in "OSP" else _OLD_ENOUGH - order.day * 700


def orders_collection(
    plan: Blueprint, orders: Sequence[Order], customers: Customers, addresses: Collection
) -> Collection:
    """Return SLCos."""
    view = View(orders)
    columns = [
        *_order_identity(plan, view),
        *_order_terms(view),
        *_order_addresses(view, customers, addresses),
        *plan.audit("co", len(orders), lambda: [_age(order) for order in orders]),
    ]
    children = (SubCollection("SLCoitems", (("CoNum", "CoNum"),)),)
    return Collection("SLCos", Table("co", ("CoNum",), children), columns)


def _order_identity(plan: Blueprint, view: View[Order]) -> list[Column]:
    day = plan.calendar.day
    return [
        view.column("CoNum", key(right(10)), lambda order: order.co_num),
        view.column("Type", text(1), lambda order: order.type),
        view.column("Stat", text(1), lambda order: order.stat),
        view.column("CustNum", right(7), lambda order: order.cust_num),
        view.column("CustSeq", INTEGER, lambda order: order.ship_to.cust_seq),
        view.column("CustPo", text(25), lambda order: order.cust_po),
        view.column("OrderDate", DATE, lambda order: day(order.day)),
        view.constant("ProjectedDate", DATE),
        view.column("CloseDate", DATE, lambda order: day(order.day + 40) if order.stat in "CH" else None),
        view.column("EffDate", DATE, lambda order: day(order.day) if order.type == "B" else None),
        view.column("ExpDate", DATE, lambda order: day(order.day + 365) if order.type == "B" else None),
    ]


def _order_terms(view: View[Order]) -> list[Column]:
    return [
        view.constant("Whse", text(4), "MAIN"),
        view.column("Slsman", text(8), lambda order: f"S{order.bill_to.serial % 7 + 1}"),
        view.column("TakenBy", text(15), lambda order: ("jdoe", "mreyes")[order.serial % 2]),
        view.column("TermsCode", text(3), lambda order: ("N30", "N60", "COD")[order.bill_to.serial % 3]),
        view.column("ShipCode", text(4), lambda order: ("TRK", "PICK")[order.serial % 2]),
        view.column("Price", MONEY, lambda order: round(sum(line.amount for line in order.lines), 2)),
        view.column("CreditHold", FLAG, lambda order: order.credit_hold),
        view.column("CreditHoldReason", text(3), lambda order: "CRL" if order.credit_hold else None),
        view.constant("ShipPartial", FLAG, 1),
        view.constant("ShipEarly", FLAG, 0),
        view.constant("ShipHold", FLAG, 0),
        view.constant("Consignment", FLAG, 0),
        view.constant("Priority", SHORT),
        view.constant("Contact", text(30)),
        view.column("Phone", text(25), lambda order: order.bill_to.phone),
        view.constant("OrigSite", text(8)),
        view.constant("EstNum", right(10)),
        view.derived("DerStatFormatted", text(20), lambda order: _STATES[order.stat]),
    ]


_STATES = {
    "P": "Planned",
    "O": "Ordered",
    "S": "Stopped",
    "C": "Complete",
    "H": "History",
    "W": "Working",
    "Q": "Quoted",
}


def _order_addresses(view: View[Order], customers: Customers, addresses: Collection) -> list[Column]:
    bill_to = [customers.find(order.bill_to) for order in view.rows]
    ship_to = [customers.find(order.ship_to) for order in view.rows]
    return [
        *(
            joined(f"BillTo{name}", addresses.columns[name], bill_to)
            for name in ("Name", "Addr_1", "City", "State")
        ),
        *(joined(f"ShipTo{name}", addresses.columns[name], ship_to) for name in _SHIP_TO),
        joined("AdrName", addresses.columns["Name"], ship_to),
        joined("CadrName", addresses.columns["Name"], bill_to),
    ]


_SHIP_TO = ("Name", "Addr_1", "City", "State", "Zip", "Country")


@dataclass(frozen=True, slots=True)
class OrderLines:
    """The lines of a plant in key order, with the orders and customers that they belong to."""

    rows: Sequence[OrderLine]
    orders: Sequence[Order]
    customers: Customers


@dataclass(frozen=True, slots=True)
class LineJoins:
    """What SLCoitems is joined to."""

    orders: Collection
    addresses: Collection
    items: Collection
    stock: Collection


def lines_collection(plan: Blueprint, lines: OrderLines, joins: LineJoins, stock: Stock) -> Collection:
    """Return SLCoitems."""
    view = View(lines.rows)
    columns = [
        *_line_identity(view),
        *_line_quantities(view),
        *_line_dates(plan, view),
        *_line_references(view),
        view.column("CoCustNum", right(7), lambda row: row.order.cust_num),
        *_line_order(lines, joins.orders),
        *_line_addresses(lines, joins.addresses),
        *_line_joins(view, joins, stock),
        *_line_sums(view),
        view.unbound("UbSelect"),
        *plan.audit("coitem", len(lines.rows), lambda: [_age(row.order) for row in lines.rows]),
    ]
    return Collection("SLCoitems", Table("coitem", ("CoNum", "CoLine", "CoRelease")), columns)


def _line_identity(view: View[OrderLine]) -> list[Column]:
    return [
        view.column("CoNum", key(right(10)), lambda row: row.order.co_num),
        view.column("CoLine", key(SHORT), lambda row: row.line.line),
        view.column("CoRelease", key(SHORT), lambda row: row.line.release),
        view.column("Item", text(30), lambda row: row.line.item),
        view.column("Description", text(40), lambda row: row.line.description),
        view.column("Stat", text(1), lambda row: row.line.stat),
        view.column("Price", _PRICE, lambda row: row.line.price),
        view.column("PriceConv", _PRICE, lambda row: row.line.price),
        view.column("Disc", decimal(11, 8), lambda row: row.line.discount),
        view.constant("UM", text(3), "EA"),
    ]


def _line_quantities(view: View[OrderLine]) -> list[Column]:
    return [
        view.column("QtyOrdered", QUANTITY, lambda row: row.line.ordered),
        view.column("QtyOrderedConv", QUANTITY, lambda row: row.line.ordered),
        view.column("QtyShipped", QUANTITY, lambda row: row.line.shipped),
        view.column("QtyInvoiced", QUANTITY, lambda row: row.line.shipped if row.line.stat != "F" else 0.0),
        view.constant("QtyReturned", QUANTITY, 0.0),
        view.constant("QtyPacked", QUANTITY, 0.0),
        view.constant("QtyReady", QUANTITY, 0.0),
        view.column("QtyRsvd", QUANTITY, lambda row: row.line.reserved),
        view.constant("QtyPicked", QUANTITY, 0.0),
    ]


def _line_dates(plan: Blueprint, view: View[OrderLine]) -> list[Column]:
    shipped = plan.calendar.day(-3)
    return [
        view.column("DueDate", DATE, lambda row: row.line.due),
        view.column("PromiseDate", DATE, lambda row: row.line.promise),
        view.column("ProjectedDate", DATE, lambda row: row.line.due if row.line.serial % 4 else None),
        view.column("ReleaseDate", DATE, lambda row: plan.calendar.day(row.order.day + 2)),
        view.column("ShipDate", DATE, lambda row: shipped if row.line.shipped else None),
        view.constant("PickDate", DATE),
    ]


def _line_references(view: View[OrderLine]) -> list[Column]:
    return [
        view.column("Whse", text(4), lambda row: row.line.whse),
        view.constant("ShipSite", text(8)),
        view.column("CustNum", right(7), lambda row: row.line.drop_ship.cust_num if row.line.drop_ship else None),
        view.column("CustSeq", INTEGER, lambda row: row.line.drop_ship.cust_seq if row.line.drop_ship else None),
        view.column(
            "CustItem", text(30), lambda row: f"CI-{row.line.serial}" if row.line.serial % 8 == 0 else None
        ),
        view.column("RefType", text(1), lambda row: row.line.ref_type),
        view.column("RefNum", right(10), lambda row: row.line.ref_num),
        view.column("RefLineSuf", SHORT, lambda row: row.line.ref_line),
        view.constant("RefRelease", SHORT),
    ]


def _line_order(lines: OrderLines, orders: Collection) -> list[Column]:
    row_of = {order.co_num: row for row, order in enumerate(lines.orders)}
    link = [row_of[row.order.co_num] for row in lines.rows]
    of_order = ("CustSeq", "Type", "Stat", "OrderDate", "CustPo", "CreditHold", "Whse", "Price")
    return [
        *(joined(f"Co{name}", orders.columns[name], link) for name in of_order),
        joined("CustPo", orders.columns["CustPo"], link),
    ]


def _line_addresses(lines: OrderLines, addresses: Collection) -> list[Column]:
    ship_to = [lines.customers.find(row.line.drop_ship or row.order.ship_to) for row in lines.rows]
    bill_to = [lines.customers.find(row.order.bill_to) for row in lines.rows]
    return [
        joined("AdrName", addresses.columns["Name"], ship_to),
        joined("AdrCity", addresses.columns["City"], ship_to),
        joined("Adr0Name", addresses.columns["Name"], bill_to),
    ]


def _line_joins(view: View[OrderLine], joins: LineJoins, stock: Stock) -> list[Column]:
    link = [row.line.item_row for row in view.rows]
    rows = [stock.row_of.get((row.line.item_row, row.line.whse), -1) for row in view.rows]
    return [
        joined("ItDescription", joins.items.columns["Description"], link),
        joined("ItUM", joins.items.columns["UM"], link),
        joined("IteWhsQtyOnHand", joins.stock.columns["QtyOnHand"], rows),
    ]


def _line_sums(view: View[OrderLine]) -> list[Column]:
    return [
        view.derived("DerQtyToShip", QUANTITY, lambda row: row.line.open_quantity),
        view.derived("DerQtyReady", QUANTITY, lambda _: 0.0),
        view.derived("DerQtyShippedConv", QUANTITY, lambda row: row.line.shipped),
        view.derived("DerNetPrice", _PRICE, lambda row: row.net),
        view.derived("DerExtPrice", MONEY, lambda row: row.line.amount),
        view.derived("DerExtInvoicedPrice", MONEY, lambda row: round(row.line.shipped * row.net, 2)),
    ]
