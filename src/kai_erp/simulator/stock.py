"""Stock: what lies in which warehouse and on which location, and what is asked of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from kai_erp.simulator.blueprint import Blueprint
from kai_erp.simulator.collection import Collection, Table
from kai_erp.simulator.columns import (
    DATE,
    FLAG,
    INTEGER,
    QUANTITY,
    Column,
    Origin,
    constant,
    decimal,
    derived,
    joined,
    key,
    text,
)
from kai_erp.simulator.items import Items, stocked
from kai_erp.simulator.jobs import chance, falls

_SECOND = "EAST"
_LOCATIONS = ("A-01-03", "B-02-11", "FLOOR", "RACK 4")


@dataclass(slots=True)
class Stock:
    """The item-warehouse rows in key order, with the sums that documents add to them."""

    keys: list[tuple[int, str]]
    row_of: dict[tuple[int, str], int]
    on_hand: list[float]
    safety: list[float | None]
    allocated: list[float] = field(default_factory=list)
    reserved: list[float] = field(default_factory=list)
    ordered: list[float] = field(default_factory=list)
    wip: list[float] = field(default_factory=list)
    rejected: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        size = len(self.keys)
        self.allocated, self.reserved, self.ordered = [0.0] * size, [0.0] * size, [0.0] * size
        self.wip, self.rejected = [0.0] * size, [0.0] * size

    def add(self, sums: list[float], item_row: int, whse: str, quantity: float) -> None:
        """Add a document's quantity to one of the sums, when the item is stocked in that warehouse."""
        row = self.row_of.get((item_row, whse))
        if row is not None:
            sums[row] += quantity


def make_stock(plan: Blueprint, items: Items) -> Stock:
    """Return the item-warehouse rows of the plant."""
    dice = plan.dice("stock")
    keys = list(_keys(plan, len(items.rows), plan.dice("warehouses")))
    safety = dice.choices((0.0, None, 2.0, 5.0, 25.0), (50, 10, 20, 12, 8), k=len(keys))
    on_hand = [_on_hand(n, dice) for n in range(len(keys))]
    return Stock(keys, {pair: row for row, pair in enumerate(keys)}, on_hand, safety)


def _keys(plan: Blueprint, items: int, dice: Random) -> Iterator[tuple[int, str]]:
    """Yield item rows with their warehouses: MAIN for every item that is stocked, others for some."""
    others = [whse for whse in plan.scale.warehouses if whse != "MAIN"] or [_SECOND]
    kept = [row for row in range(items) if stocked(row)]
    extra, size = plan.scale.item_warehouses - len(kept), len(kept)
    for n, row in enumerate(kept):
        share = extra * (n + 1) // size - extra * n // size
        yield from ((row, whse) for whse in sorted(["MAIN", *dice.sample(others, min(share, len(others)))]))


def _on_hand(serial: int, dice: Random) -> float:
    if falls(serial, 331, 7):
        return float(-dice.randrange(1, 9))
    if chance(dice, 0.04):
        return 0.0
    return float(int(dice.lognormvariate(3.2, 1.1)))


def stock_collection(plan: Blueprint, items: Items, stock: Stock, master: Collection) -> Collection:
    """Return SLItemwhses."""
    columns = _stock_columns(plan, items, stock, master.columns)
    return Collection("SLItemwhses", Table("itemwhse", ("Item", "Whse")), columns)


def _stock_columns(
    plan: Blueprint, items: Items, stock: Stock, item_columns: Mapping[str, Column]
) -> list[Column]:
    size = len(stock.keys)
    link = [row for row, _ in stock.keys]
    spread = plan.spread
    return [
        Column("Item", key(text(30)), [items.rows[row].code for row, _ in stock.keys]),
        Column("Whse", key(text(4)), [whse for _, whse in stock.keys]),
        Column("QtyOnHand", QUANTITY, stock.on_hand),
        Column("QtyAllocCo", QUANTITY, stock.allocated),
        constant("AllocTrn", QUANTITY, 0.0, size),
        Column("QtyRsvdCo", QUANTITY, stock.reserved),
        joined("QtyAllocjob", item_columns["QtyAllocjob"], link),
        Column("QtyOrdered", QUANTITY, stock.ordered),
        Column("QtyReorder", QUANTITY, stock.safety),
        Column("QtyWip", QUANTITY, stock.wip),
        constant("QtyTrans", QUANTITY, 0.0, size),
        Column("QtyMrb", QUANTITY, stock.rejected),
        spread("itemwhse.QtySoldYtd", QUANTITY, (0.0, 12.0, 140.0), size),
        spread("itemwhse.QtyPurYtd", QUANTITY, (0.0, 20.0, 300.0), size),
        spread("itemwhse.QtyUsedYtd", QUANTITY, (0.0, 8.0, 90.0), size),
        spread("itemwhse.QtyMfgYtd", QUANTITY, (0.0, 5.0, 60.0), size),
        spread("itemwhse.CycleType", text(1), ("A", "B", None), size),
        Column("LastCycle", DATE, lambda: [None] * size),
        Column("PhyInvDte", DATE, lambda: [plan.calendar.day(-200)] * size),
        joined("ItemDescription", item_columns["Description"], link),
        joined("UM", item_columns["UM"], link),
        joined("LeadTime", item_columns["LeadTime"], link),
        joined("UnitCost", item_columns["UnitCost"], link),
        Column("WhseName", text(30), lambda: [f"Warehouse {whse}" for _, whse in stock.keys], Origin.JOINED),
        joined("ItwhJob", item_columns["Job"], link),
        derived("TotalQtyOnHand", QUANTITY, lambda: _totals(stock, len(items.rows))),
        derived("TotalQtyReserved", QUANTITY, lambda: stock.reserved),
        derived("DerItemAvailQtyAvail", QUANTITY, lambda: _available(stock)),
        *plan.audit("itemwhse", size),
    ]


def _totals(stock: Stock, items: int) -> list[float]:
    totals = item_totals(stock, stock.on_hand, items)
    return [totals[row] for row, _ in stock.keys]


def _available(stock: Stock) -> list[float]:
    return [here - taken for here, taken in zip(stock.on_hand, stock.allocated, strict=True)]


def item_totals(stock: Stock, values: Sequence[float | None], items: int) -> list[float]:
    """Return one of the stock's figures summed over the warehouses of each item."""
    totals = [0.0] * items
    for (row, _), value in zip(stock.keys, values, strict=True):
        totals[row] += value or 0.0
    return totals


@dataclass(slots=True)
class Locations:
    """The location rows in key order, one list per property."""

    link: list[int] = field(default_factory=list)
    loc: list[str] = field(default_factory=list)
    on_hand: list[float] = field(default_factory=list)
    mrb: list[int] = field(default_factory=list)

    def add(self, stock_row: int, loc: str, on_hand: float, mrb: int = 0) -> None:
        """Append one location of an item-warehouse row."""
        self.link.append(stock_row)
        self.loc.append(loc)
        self.on_hand.append(on_hand)
        self.mrb.append(mrb)


def make_locations(plan: Blueprint, stock: Stock) -> Locations:
    """Split each item-warehouse row over its locations: STOCK always, others for some, MRB for few."""
    dice = plan.dice("locations")
    extra = plan.scale.item_locations - len(stock.keys)
    size, locations = len(stock.keys), Locations()
    for row, on_hand in enumerate(stock.on_hand):
        if extra * (row + 1) // size == extra * row // size:
            locations.add(row, "STOCK", on_hand)
        elif row % 40 == 0:
            stock.rejected[row] = float(dice.randrange(1, 5))
            locations.add(row, "MRB", stock.rejected[row], 1)
            locations.add(row, "STOCK", on_hand)
        else:
            elsewhere = float(int(on_hand * dice.random())) if on_hand > 0 else 0.0
            locations.add(row, dice.choice(_LOCATIONS), elsewhere)
            locations.add(row, "STOCK", on_hand - elsewhere)
    return locations


def locations_collection(plan: Blueprint, stock: Stock, stocked: Collection, master: Collection) -> Collection:
    """Return SLItemLocs."""
    locations, items = make_locations(plan, stock), master.columns
    size, link = len(locations.link), locations.link
    item_link = [stock.keys[row][0] for row in link]
    here, cost = stocked.columns["QtyOnHand"], decimal(20, 8)
    columns = [
        _own("Item", stocked.columns["Item"], link),
        _own("Whse", stocked.columns["Whse"], link),
        Column("Loc", key(text(15)), locations.loc),
        Column("Rank", INTEGER, lambda: [1 if loc == "STOCK" else 2 for loc in locations.loc]),
        Column("QtyOnHand", QUANTITY, locations.on_hand),
        constant("QtyRsvd", QUANTITY, 0.0, size),
        Column("MrbFlag", FLAG, locations.mrb),
        Column("PermFlag", FLAG, lambda: [int(loc == "STOCK") for loc in locations.loc]),
        constant("LocType", text(1), "S", size),
        constant("Wc", text(6), None, size),
        constant("LocWc", text(6), None, size),
        Column("UnitCost", cost, lambda: [items["UnitCost"].natives[row] for row in item_link]),
        Column("LocDescription", text(40), lambda: [f"Location {loc}" for loc in locations.loc], Origin.JOINED),
        joined("ItmDescription", items["Description"], item_link),
        joined("ItmUM", items["UM"], item_link),
        joined("ItmLotTracked", items["LotTracked"], item_link),
        joined("WhsName", stocked.columns["WhseName"], link),
        joined("ItmwhseQtyOnHand", here, link),
        derived("DerIWhseQtyOnHand", QUANTITY, lambda: [here.natives[row] for row in link]),
        *plan.audit("itemloc", size),
    ]
    return Collection("SLItemLocs", Table("itemloc", ("Item", "Whse", "Loc")), columns)


def _own(name: str, source: Column, link: list[int]) -> Column:
    return Column(name, key(source.shape), [source.natives[row] for row in link])


def item_sums(stock: Stock, items: int) -> list[Column]:
    """Return the derived properties of SLItems that sum its warehouses up."""

    def summed(name: str, values: Sequence[float | None]) -> Column:
        return derived(name, QUANTITY, lambda: item_totals(stock, values, items))

    return [
        summed("DerQtyOnHand", stock.on_hand),
        summed("DerQtyAllocCo", stock.allocated),
        summed("DerQtyRsvdCo", stock.reserved),
        summed("DerQtyOrdered", stock.ordered),
        summed("DerQtyWip", stock.wip),
        summed("DerQtyReorder", stock.safety),
        summed("DerSafetyStock", stock.safety),
        summed("DerNonNettableStock", stock.rejected),
        derived("DerQtyTrans", QUANTITY, lambda: [0.0] * items),
        derived("DerQtyAllocTrn", QUANTITY, lambda: [0.0] * items),
        derived("DerQtyAvailable", QUANTITY, lambda: item_totals(stock, _available(stock), items)),
    ]
