"""Customer orders: open ones that ask for stock and for jobs, closed ones, estimates."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from kai_erp.simulator.blueprint import Blueprint
from kai_erp.simulator.calendar import NO_DATE
from kai_erp.simulator.columns import fold
from kai_erp.simulator.customers import Address, Customers, lost_customer
from kai_erp.simulator.items import Items
from kai_erp.simulator.jobs import Job, chance, falls, number_key
from kai_erp.simulator.stock import Stock

_FIRST_NUMBER = 5001
_PRICE_OF_MADE = 1850.0


@dataclass(slots=True)
class Line:
    """One order line or release; `item_row` is -1 for what is not in the item master."""

    line: int
    release: int
    item_row: int
    item: str
    description: str
    stat: str
    ordered: float
    shipped: float
    price: float
    whse: str
    serial: int
    due: str | None = None
    promise: str | None = None
    discount: float = 0.0
    reserved: float = 0.0
    drop_ship: Address | None = None
    ref_type: str = "I"
    ref_num: str | None = None
    ref_line: int | None = None

    @property
    def open_quantity(self) -> float:
        """What has still to be shipped."""
        return max(0.0, self.ordered - self.shipped)

    @property
    def amount(self) -> float:
        """The value of the whole line after its discount."""
        return round(self.ordered * self.price * (1 - self.discount / 100), 2)


@dataclass(slots=True)
class Order:
    """One customer order with its lines."""

    co_num: str
    type: str
    stat: str
    bill_to: Address
    ship_to: Address
    day: int
    serial: int
    cust_po: str | None = None
    credit_hold: int | None = 0
    lines: list[Line] = field(default_factory=list)

    @property
    def cust_num(self) -> str:
        """The customer's number as it was typed."""
        number = self.bill_to.cust_num
        return number.lower() if falls(self.serial, 19, 15) else number

    @property
    def demands(self) -> bool:
        """Whether its open lines are demand on stock: ordered or stopped, and no estimate."""
        return self.type != "E" and self.stat in "OS"


def make_orders(plan: Blueprint, items: Items, customers: Customers, jobs: list[Job]) -> list[Order]:
    """Return all orders in key order, with about half of the open jobs made for open lines."""
    book = OrderBook(plan, items, customers)
    closed, opened = list(book.closed_orders()), list(book.open_orders())
    _link_jobs([job for job in jobs if job.open and job.item_row >= 0], opened, items)
    return sorted([*closed, *opened], key=lambda order: fold(order.co_num))


class OrderBook:
    """Writes orders, one after the other."""

    def __init__(self, plan: Blueprint, items: Items, customers: Customers) -> None:
        self._plan, self._items, self._customers = plan, items, customers
        self._dice = plan.dice("orders")
        self._number = _FIRST_NUMBER
        self._made = [row for rows in items.made.values() for row in rows]

    def _header(self, kind: str, stat: str, day: int, serial: int) -> Order:
        self._number += 1
        bill_to = self._customers.pick(self._dice)
        ship_to = self._customers.ship_to(bill_to, self._dice)
        order = Order(number_key("CO", self._number), kind, stat, bill_to, ship_to, day, serial)
        order.cust_po = None if falls(serial, 11, 4) else f"PO-{serial * 17 % 9973}"
        return order

    def closed_orders(self) -> Iterator[Order]:
        """Yield what is closed, and the estimates."""
        scale = self._plan.scale
        for serial in range(scale.closed_orders):
            estimate = falls(serial, 10, 7)
            stat = ("WQH" if estimate else "CHH")[serial % 3]
            order = self._header(
                "E" if estimate else "R", stat, -1500 + 1450 * serial // scale.closed_orders, serial
            )
            for line in range(1, 2 + serial * 5 % 4):
                order.lines.append(self._closed_line(line, order, serial))
            yield order

    def _closed_line(self, line: int, order: Order, serial: int) -> Line:
        row = self._dice.choice(self._made)
        quantity = float(1 + serial % 12)
        made = self._line(line, row, quantity, serial)
        made.stat, made.shipped = ("P", 0.0) if order.type == "E" else ("C", quantity)
        made.due = made.promise = self._plan.calendar.day(order.day + 21)
        return made

    def open_orders(self) -> Iterator[Order]:
        """Yield what customers are waiting for."""
        scale = self._plan.scale
        counts = [1] * scale.open_orders
        for _ in range(scale.open_lines - scale.open_orders):
            counts[min(int(self._dice.expovariate(3.0) * scale.open_orders), scale.open_orders - 1)] += 1
        self._dice.shuffle(counts)
        for serial, count in enumerate(counts):
            stat = "P" if falls(serial, 17, 5) else "S" if falls(serial, 23, 9) else "O"
            kind = "B" if falls(serial, 13, 6) else "R"
            order = self._header(kind, stat, -self._dice.randrange(3, 50), serial)
            order.credit_hold = None if falls(serial, 41, 20) else int(falls(serial, 61, 8))
            if falls(serial, 73, 27):
                order.bill_to = order.ship_to = lost_customer(serial)
            for n in range(count):
                order.lines.append(self._open_line(n, order))
            if falls(serial, 6, 1) and kind == "R":
                order.lines.append(self._filled_line(count + 1, order))
            yield order

    def _open_line(self, n: int, order: Order) -> Line:
        dice = self._dice
        row = dice.choice(self._made) if chance(dice, 0.7) else dice.randrange(len(self._items.rows))
        number, release = (n + 1, 0) if order.type == "R" else (1, n + 1)
        line = self._line(number, row, float(dice.randint(1, 24)), order.serial + 7 * n)
        line.release, line.stat = release, "P" if order.stat == "P" else "O"
        if chance(dice, 0.15) and line.ordered > 1 and line.stat == "O":
            line.shipped = float(dice.randrange(1, int(line.ordered)))
        self._date(line)
        _spoil(line, order)
        if chance(dice, 0.02):
            line.drop_ship = self._customers.ship_to(self._customers.pick(dice), dice)
        return line

    def _filled_line(self, number: int, order: Order) -> Line:
        line = self._line(number, self._dice.choice(self._made), 2.0, order.serial)
        line.stat, line.shipped = "F", 2.0
        line.due = line.promise = self._plan.calendar.day(-4)
        return line

    def _line(self, number: int, row: int, quantity: float, serial: int) -> Line:
        item = self._items.rows[row]
        places = 5 if falls(serial, 7, 4) else 2
        base = _PRICE_OF_MADE if item.source == "M" else 40.0
        price = round(base * (0.5 + serial * 37 % 100 / 50) / (3 if falls(serial, 7, 4) else 1), places)
        whse = "MAIN" if serial % 9 else self._plan.scale.warehouses[serial % len(self._plan.scale.warehouses)]
        line = Line(number, 0, row, item.code, item.description, "O", quantity, 0.0, price, whse, serial)
        line.discount = (0.0, 0.0, 0.0, 5.0, 12.5)[serial % 5]
        return line

    def _date(self, line: Line) -> None:
        dice, day = self._dice, self._plan.calendar.day
        due = -dice.randrange(1, 30) if chance(dice, 0.13) else dice.randrange(60)
        line.due, line.promise = day(due), day(due + dice.choice((0, 0, 0, -2, 5)))


def _spoil(line: Line, order: Order) -> None:
    """Give some lines the faults found in real data."""
    key = order.serial * 5 + line.line + line.release
    if falls(key, 53, 12):
        line.item_row, line.item, line.description = -1, "FREIGHT-OUT", "Freight & handling"
    elif falls(key, 47, 20):
        line.item = line.item.swapcase()
    elif falls(key, 43, 11):
        line.item += "  "
    if falls(key, 71, 30):
        line.due = None
    if falls(key, 97, 31):
        line.due = line.promise = None
    elif falls(key, 89, 60):
        line.due = NO_DATE


def _link_jobs(jobs: list[Job], orders: list[Order], items: Items) -> None:
    """Make about half of the open jobs supply an open line each; both sides name the other."""
    waiting = [(o, n) for o in orders if o.type == "R" and o.stat in "OS" for n in o.lines if n.stat == "O"]
    made_to_order = [job for job in jobs if job.serial % 20 not in range(3, 12)]
    for job, (order, line) in zip(made_to_order, waiting, strict=False):
        item = items.rows[job.item_row]
        line.item_row, line.item, line.description = job.item_row, item.code, item.description
        line.ref_type, line.ref_num, line.ref_line = "J", job.job, job.suffix
        line.ordered = max(line.ordered, job.qty)
        job.ord_type, job.ord_num, job.ord_line, job.ord_release = "O", order.co_num, line.line, line.release
        job.cust_num = order.cust_num
    for job in jobs:
        if job.ord_type is None:
            job.ord_type = "I"


def demand(orders: list[Order], stock: Stock) -> None:
    """Add the open lines to the allocations of stock and to the balances of customers."""
    for order in orders:
        for line in order.lines:
            if line.stat == "O" and order.demands:
                stock.add(stock.allocated, line.item_row, line.whse, line.open_quantity)
                share = line.amount * line.open_quantity / line.ordered
                order.bill_to.order_balance = round(order.bill_to.order_balance + share, 2)
                _reserve(line, stock)


def _reserve(line: Line, stock: Stock) -> None:
    row = stock.row_of.get((line.item_row, line.whse), -1)
    if falls(line.serial, 20, 3) and row >= 0:
        line.reserved = max(0.0, min(line.open_quantity, stock.on_hand[row] - stock.reserved[row]))
        stock.reserved[row] += line.reserved
