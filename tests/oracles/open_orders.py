"""The open orders, computed line by line in exact arithmetic.

It shares nothing with the product, so that the two can disagree. Readings of what the contract leaves open:
a line without a price has no amounts, and sums count it as nothing; a line whose header is lost is not open;
an order whose customer is lost has neither name nor currency; statuses, types and currencies are compared
without regard to case; a header without a sequence has no ship-to address of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, localcontext
from zoneinfo import ZoneInfo

from tests.oracles.answers import (
    EXACT,
    NONE,
    Collections,
    Expected,
    Key,
    Record,
    answered,
    cents,
    contains,
    day,
    flag,
    key_of,
    keyed,
    typed_forms,
    wanted,
)
from tests.oracles.wire import Row, code, fold, integer, number, quantity, text

CUSTOMER_WIDTH, ORDER_WIDTH = 7, 10
STATUSES = {"o": "open", "s": "stopped"}


@dataclass(frozen=True, slots=True)
class Line:
    """One open line: what sorts it, what the order sums up, and what is shown."""

    place: tuple[int, int]
    due: date | None
    late: bool
    amount: Decimal
    shown: Record


@dataclass(frozen=True, slots=True)
class Question:
    """The filters, as they are compared."""

    customer: str | None
    order: str | None
    item: str | None
    until: date | None
    before: date | None


@dataclass(frozen=True, slots=True)
class Book:
    """The collections by natural key, and today."""

    orders: dict[Key, Row]
    lines: dict[Key, Row]
    customers: dict[Key, Row]
    items: dict[Key, Row]
    addresses: dict[Key, Row]
    today: date


def expected_orders(
    rows: Collections,
    *,
    now: datetime,
    zone: ZoneInfo,
    missing: frozenset[str] = frozenset(),
    customer: str | None = None,
    order: str | None = None,
    item: str | None = None,
    days_out: int | None = None,
    late_only: bool = False,
) -> Expected:
    """Return what the contract promises for raw wire `rows` of all five collections."""
    with localcontext(EXACT):
        book = _book(rows, missing, now.astimezone(zone).date())
        question = Question(
            customer=wanted(customer),
            order=wanted(order),
            item=wanted(item),
            until=None if days_out is None else book.today + timedelta(days=days_out),
            before=book.today if late_only else None,
        )
        records = [_order(book, header, lines) for header, lines in _open(book, question)]
        records.sort(key=_place)
        return _answer(records)


def _book(rows: Collections, missing: frozenset[str], today: date) -> Book:
    def index(collection: str, *names: str) -> dict[Key, Row]:
        return keyed(() if collection in missing else rows.get(collection, ()), *names)

    return Book(
        orders=index("SLCos", "CoNum"),
        lines=index("SLCoitems", "CoNum", "CoLine", "CoRelease"),
        customers=index("SLCustomers", "CustNum", "CustSeq"),
        items=index("SLItems", "Item"),
        addresses=index("SLCustAddrs", "CustNum", "CustSeq"),
        today=today,
    )


def _open(book: Book, question: Question) -> Iterator[tuple[Row, list[Line]]]:
    """Yield the headers that the question is about, each with its open lines that are left."""
    lines: dict[Key, list[Row]] = {}
    for key, row in book.lines.items():
        lines.setdefault(key[:1], []).append(row)
    for key, header in book.orders.items():
        if not _is_open(header) or not _is_asked(book, header, question):
            continue
        made = [_line(book, header, row) for row in lines.get(key, ()) if _is_unfilled(row)]
        left = [line for line in made if _is_left(line, question)]
        if left:
            yield header, sorted(left, key=lambda line: line.place)


def _is_open(header: Row) -> bool:
    return code(header, "Stat") in STATUSES and code(header, "Type") != "e"


def _is_unfilled(line: Row) -> bool:
    return code(line, "Stat") == "o" and quantity(line, "QtyOrdered") > quantity(line, "QtyShipped")


def _is_asked(book: Book, header: Row, question: Question) -> bool:
    return _is_of_customer(book, header, question.customer) and _is_order(header, question.order)


def _is_of_customer(book: Book, header: Row, asked: str | None) -> bool:
    if asked is None:
        return True
    numbers = typed_forms(asked, CUSTOMER_WIDTH)
    if any((number, 0) in book.customers for number in numbers):
        return code(header, "CustNum") in numbers
    return contains(text(_customer(book, header), "Name"), asked)


def _is_order(header: Row, asked: str | None) -> bool:
    return (
        asked is None
        or code(header, "CoNum") in typed_forms(asked, ORDER_WIDTH)
        or code(header, "CustPo") == asked
    )


def _is_left(line: Line, question: Question) -> bool:
    if question.item is not None and fold(str(line.shown["item"] or "")) != question.item:
        return False
    if question.until is not None and (line.due is None or line.due > question.until):
        return False
    return question.before is None or (line.due is not None and line.due < question.before)


def _customer(book: Book, header: Row) -> Row:
    return book.customers.get((code(header, "CustNum") or "", 0), {})


def _line(book: Book, header: Row, row: Row) -> Line:
    item = book.items.get(key_of(row, "Item") or (), {})
    ordered, shipped = quantity(row, "QtyOrdered"), quantity(row, "QtyShipped")
    price, discount = number(row, "Price"), quantity(row, "Disc")
    net = None if price is None else price * (1 - discount / 100)
    promise = day(row, "PromiseDate")
    due = day(row, "DueDate") or promise
    amount = None if net is None else cents((ordered - shipped) * net)
    place = integer(row, "CoLine") or 0, integer(row, "CoRelease") or 0
    shown: Record = {
        "line": place[0],
        "release": place[1],
        "item": text(row, "Item"),
        "item_description": text(item, "Description") or text(row, "Description"),
        "um": text(item, "UM") or text(row, "UM"),
        "qty_ordered": ordered,
        "qty_shipped": shipped,
        "qty_remaining": ordered - shipped,
        "unit_price": price,
        "discount_pct": discount,
        "extended_price": None if net is None else cents(ordered * net),
        "open_amount": amount,
        "due_date": due,
        "promise_date": promise,
        "days_until_due": _days(due, book.today),
        "is_late": _is_late(due, book.today),
        "warehouse": text(row, "Whse") or text(header, "Whse"),
        "qty_on_hand": number(row, "IteWhsQtyOnHand"),
    }
    return Line(place, due, _is_late(due, book.today), amount or NONE, shown)


def _days(due: date | None, today: date) -> int | None:
    return None if due is None else (due - today).days


def _is_late(due: date | None, today: date) -> bool:
    return due is not None and due < today


def _order(book: Book, header: Row, lines: Sequence[Line]) -> Record:
    customer = _customer(book, header)
    due = min((line.due for line in lines if line.due), default=None)
    name, city, state = _ship_to(book, header)
    return {
        "order_num": text(header, "CoNum"),
        "customer_num": text(header, "CustNum"),
        "customer_name": text(customer, "Name"),
        "customer_po": text(header, "CustPo"),
        "order_date": day(header, "OrderDate"),
        "due_date": due,
        "days_until_due": _days(due, book.today),
        "is_late": _is_late(due, book.today),
        "status": STATUSES[code(header, "Stat") or ""],
        "ship_to_name": name,
        "ship_to_city": city,
        "ship_to_state": state,
        "credit_hold": flag(header, "CreditHold") or flag(customer, "CreditHold"),
        "currency": text(customer, "CurrCode"),
        "total_amount": number(header, "Price"),
        "open_amount": sum((line.amount for line in lines), NONE),
        "lines": [line.shown for line in lines],
    }


def _ship_to(book: Book, header: Row) -> tuple[str | None, str | None, str | None]:
    address = book.addresses.get(key_of(header, "CustNum", "CustSeq") or ())
    if address is None:
        return text(header, "ShipToName"), text(header, "ShipToCity"), text(header, "ShipToState")
    return text(address, "Name"), text(address, "City"), text(address, "State")


def _place(record: Record) -> tuple[bool, date, str]:
    due = record["due_date"]
    return due is None, due if isinstance(due, date) else date.min, fold(str(record["order_num"]))


def _answer(records: list[Record]) -> Expected:
    lines = [line for record in records for line in _lines(record)]
    currencies = {fold(str(record["currency"])) for record in records if record["currency"] is not None}
    mixed = len(currencies) > 1
    summary: Record = {
        "total": len(records),
        "lines": len(lines),
        "late_orders": sum(record["is_late"] is True for record in records),
        "late_lines": sum(line["is_late"] is True for line in lines),
        "open_amount": None if mixed else sum((_amount(record) for record in records), NONE),
    }
    return answered(records, summary, *(["mixed_currencies"] if mixed else []))


def _lines(record: Record) -> list[Record]:
    lines = record["lines"]
    return lines if isinstance(lines, list) else []


def _amount(record: Record) -> Decimal:
    amount = record["open_amount"]
    return amount if isinstance(amount, Decimal) else NONE
