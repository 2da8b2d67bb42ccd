"""The stock of items, computed row by row in exact arithmetic.

It shares nothing with the product, so that the two can disagree. Readings of what the contract leaves open:
stock of an item that the master has lost does not appear; a reorder point that is in use and null is 0; an
item without any stock row keeps its reorder point; the job allocation of an item counts as touched when it is
not 0; values that are unknown are left out of the summary's sum.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

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
    flag,
    keyed,
    wanted,
)
from tests.oracles.wire import Row, code, fold, number, quantity, text


@dataclass(frozen=True, slots=True)
class Stock:
    """One warehouse's row of an item, in numbers."""

    warehouse: str
    on_hand: Decimal
    allocated: Decimal
    ordered: Decimal
    wip: Decimal
    in_transit: Decimal
    safety: Decimal
    locations: list[Record] | None

    @property
    def shown(self) -> Record:
        """The record of the warehouse."""
        return {
            "warehouse": self.warehouse,
            "qty_on_hand": self.on_hand,
            "qty_allocated": self.allocated,
            "qty_available": self.on_hand - self.allocated,
            "qty_on_order": self.ordered,
            "qty_wip": self.wip,
            "qty_in_transit": self.in_transit,
            "safety_stock": self.safety,
            "locations": self.locations,
        }


@dataclass(frozen=True, slots=True)
class Held:
    """An item with the stock that counts; `shared` when other warehouses have some that does not."""

    row: Row
    stocks: list[Stock]
    shared: bool

    @property
    def unplaced(self) -> bool:
        """Whether the jobs' demand is left out, because nobody knows which warehouse it falls on."""
        return self.shared and quantity(self.row, "QtyAllocjob") != 0

    @property
    def reorder_point(self) -> Decimal | None:
        """The level at which the item is ordered again, if it is ordered that way."""
        by_point = flag(self.row, "UseReorderPoint") and not self.shared
        return quantity(self.row, "ReorderPoint") if by_point else None


def expected_inventory(
    rows: Collections,
    *,
    missing: frozenset[str] = frozenset(),
    item: str | None = None,
    query: str | None = None,
    warehouse: str | None = None,
    low_stock_only: bool = False,
) -> Expected:
    """Return what the contract promises for raw wire `rows` of all three collections."""
    with localcontext(EXACT):
        items = {
            key: row
            for key, row in keyed(rows.get("SLItems", ()), "Item").items()
            if _is_item(row, wanted(item)) and _is_described(row, wanted(query))
        }
        locations = None if "SLItemLocs" in missing else _of(items, rows.get("SLItemLocs", ()))
        stocks = _stocks(_of(items, rows.get("SLItemwhses", ())), locations)
        held = _held(items, stocks, wanted(warehouse))
        answer = [(one, _record(one)) for _, one in sorted(held.items(), key=lambda pair: pair[0])]
        left = [pair for pair in answer if pair[1]["is_low_stock"] or not low_stock_only]
        unplaced = any(one.unplaced for one, _ in left)
        records = [record for _, record in left]
        return answered(records, _summary(records), *(["job_allocation_unplaced"] if unplaced else []))


def _of(items: Mapping[Key, Row], rows: Sequence[Row]) -> list[Row]:
    """Return the rows that belong to one of the items."""
    return [row for row in rows if (code(row, "Item"),) in items]


def _held(items: Mapping[Key, Row], stocks: Mapping[Key, list[Stock]], warehouse: str | None) -> dict[Key, Held]:
    held: dict[Key, Held] = {}
    for key, row in items.items():
        everywhere = stocks.get(key, [])
        here = [stock for stock in everywhere if warehouse in (None, fold(stock.warehouse))]
        if here or warehouse is None:
            held[key] = Held(row, here, shared=len(here) < len(everywhere))
    return held


def _stocks(stocked: Sequence[Row], locations: Sequence[Row] | None) -> dict[Key, list[Stock]]:
    """Return the stock rows of each item, in the order of their warehouses."""
    places: dict[Key, list[Record]] = {}
    for key, row in sorted(keyed(locations or (), "Item", "Whse", "Loc").items(), key=lambda pair: pair[0]):
        places.setdefault(key[:2], []).append(_location(row))
    found: dict[Key, list[Stock]] = {}
    for key, row in sorted(keyed(stocked, "Item", "Whse").items(), key=lambda pair: pair[0]):
        here = None if locations is None else places.get(key, [])
        found.setdefault(key[:1], []).append(_stock(row, here))
    return found


def _location(row: Row) -> Record:
    return {
        "location": text(row, "Loc"),
        "qty_on_hand": quantity(row, "QtyOnHand"),
        "qty_reserved": quantity(row, "QtyRsvd"),
        "under_review": flag(row, "MrbFlag"),
    }


def _stock(row: Row, locations: list[Record] | None) -> Stock:
    return Stock(
        warehouse=text(row, "Whse") or "",
        on_hand=quantity(row, "QtyOnHand"),
        allocated=quantity(row, "QtyAllocCo") + quantity(row, "AllocTrn"),
        ordered=quantity(row, "QtyOrdered"),
        wip=quantity(row, "QtyWip"),
        in_transit=quantity(row, "QtyTrans"),
        safety=quantity(row, "QtyReorder"),
        locations=locations,
    )


def _is_item(row: Row, asked: str | None) -> bool:
    return asked is None or _like(code(row, "Item") or "", asked.split("*"))


def _like(name: str, parts: Sequence[str]) -> bool:
    """Return whether `name` is the parts with anything between them; a single part must be all of it."""
    if len(parts) == 1:
        return name == parts[0]
    first, last = parts[0], parts[-1]
    if not (name.startswith(first) and name.endswith(last) and len(name) >= len(first) + len(last)):
        return False
    middle = name[len(first) : len(name) - len(last)]
    for part in parts[1:-1]:
        at = middle.find(part)
        if at < 0:
            return False
        middle = middle[at + len(part) :]
    return True


def _is_described(row: Row, asked: str | None) -> bool:
    return asked is None or contains(text(row, "Description"), asked)


def _record(held: Held) -> Record:
    row, stocks = held.row, held.stocks
    on_hand = _total(stock.on_hand for stock in stocks)
    by_jobs = NONE if held.shared else quantity(row, "QtyAllocjob")
    allocated = _total([*(stock.allocated for stock in stocks), *([by_jobs] if stocks else [])])
    available = None if on_hand is None or allocated is None else on_hand - allocated
    safety = _total(stock.safety for stock in stocks)
    cost = number(row, "UnitCost")
    return {
        "item": text(row, "Item"),
        "description": text(row, "Description"),
        "product_code": text(row, "ProductCode"),
        "um": text(row, "UM"),
        "status": text(row, "Stat"),
        "total_on_hand": on_hand,
        "total_allocated": allocated,
        "total_available": available,
        "total_on_order": _total(stock.ordered for stock in stocks),
        "total_wip": _total(stock.wip for stock in stocks),
        "total_in_transit": _total(stock.in_transit for stock in stocks),
        "safety_stock": safety,
        "reorder_point": held.reorder_point,
        "is_low_stock": code(row, "Stat") != "o"
        and _is_low(available, held.reorder_point or NONE, safety or NONE),
        "is_out_of_stock": on_hand is not None and on_hand <= 0,
        "unit_cost": cost,
        "total_value": None if on_hand is None or cost is None else cents(on_hand * cost),
        "warehouse_stock": [stock.shown for stock in stocks],
    }


def _total(quantities: Iterable[Decimal]) -> Decimal | None:
    """Return the sum, None of no rows."""
    known = list(quantities)
    return sum(known, NONE) if known else None


def _is_low(available: Decimal | None, reorder_point: Decimal, safety: Decimal) -> bool:
    if available is None:
        return False
    if reorder_point > 0:
        return available <= reorder_point
    return safety > 0 and available < safety


def _summary(records: Sequence[Record]) -> Record:
    values = [record["total_value"] for record in records]
    return {
        "total": len(records),
        "low_stock": sum(record["is_low_stock"] is True for record in records),
        "out_of_stock": sum(record["is_out_of_stock"] is True for record in records),
        "total_value": sum((value for value in values if isinstance(value, Decimal)), NONE),
    }
