"""The item master: what the plant makes, buys and moves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from kai_erp.simulator.blueprint import Blueprint
from kai_erp.simulator.columns import (
    FLAG,
    INTEGER,
    QUANTITY,
    SHORT,
    Column,
    Native,
    constant,
    decimal,
    fold,
    key,
    right,
    text,
)
from kai_erp.simulator.vocabulary import AWKWARD_DESCRIPTIONS, BOUGHT, COLORS, MADE, MOVED, SIZES

_COST = decimal(20, 8)


class Item(NamedTuple):
    """One item: `family` is its product family, `source` M made, P bought or T transferred."""

    code: str
    family: str
    source: str
    um: str
    description: str
    status: str


@dataclass(slots=True)
class Items:
    """The items in key order, with what later parts of the plant add to them."""

    rows: list[Item]
    row_of: dict[str, int]
    standard_job: list[tuple[str, int] | None]
    allocated_to_jobs: list[float]
    made: dict[str, list[int]] = field(default_factory=dict)
    bought: list[int] = field(default_factory=list)


def make_items(plan: Blueprint) -> Items:
    """Return the item master of the plant."""
    dice = plan.dice("items")
    rows = sorted(_drafts(plan.scale.items, dice), key=lambda item: fold(item.code))
    items = Items(rows, {fold(item.code): i for i, item in enumerate(rows)}, [None] * len(rows), [0.0] * len(rows))
    for i, item in enumerate(rows):
        if item.source == "M":
            items.made.setdefault(item.family, []).append(i)
        elif item.source == "P":
            items.bought.append(i)
    return items


def _drafts(count: int, dice: Random) -> Iterator[Item]:
    made, moved = count * 35 // 100, count * 3 // 100
    groups = (("M", MADE, made), ("T", MOVED, moved), ("P", BOUGHT, count - made - moved))
    serial = 0
    for source, families, share in groups:
        names = sorted(families)
        for n in range(share):
            serial += 1
            family = names[n % len(names)]
            yield _draft(source, family, 1000 + n // len(names), serial, dice)


def _draft(source: str, family: str, number: int, serial: int, dice: Random) -> Item:
    code = f"{family}-{number}"
    if source == "M":
        code += dice.choice(COLORS)
        name, um = MADE[family][0], "EA"
    else:
        name, um = BOUGHT.get(family) or MOVED[family]
    description = f"{name} {dice.choice(SIZES)}"
    if serial % 41 == 0:
        description = AWKWARD_DESCRIPTIONS[serial // 41 % len(AWKWARD_DESCRIPTIONS)]
    return Item(_awkward(code, serial), family, source, um, description, dice.choices("AOS", (82, 13, 5))[0])


def _awkward(code: str, serial: int) -> str:
    """Return the code as careless typing left it: some in lower case, some with trailing blanks."""
    if serial % 53 == 0:
        return code.lower()
    return code + "  " if serial % 61 == 0 else code


def item_columns(plan: Blueprint, items: Items) -> list[Column]:
    """Return the bound properties of SLItems."""
    return [*_identity(plan, items), *_planning(plan, items), *_costs(plan, items)]


def _identity(plan: Blueprint, items: Items) -> list[Column]:
    size, rows, spread = len(items.rows), items.rows, plan.spread
    return [
        Column("Item", key(text(30)), [item.code for item in rows]),
        Column("Description", text(40), [item.description for item in rows]),
        Column("UM", text(3), lambda: [item.um for item in rows]),
        Column("Stat", text(1), lambda: [item.status for item in rows]),
        Column("PMTCode", text(1), lambda: [item.source for item in rows]),
        Column("ProductCode", text(10), lambda: [_product_code(item) for item in rows]),
        Column("FamilyCode", text(10), lambda: [item.family for item in rows]),
        spread("item.MatlType", text(1), "MTFO", size, (94, 2, 2, 2)),
        spread("item.PlanCode", text(3), ("P1", "P2", "P3", None), size),
        spread("item.Buyer", text(60), ("jdoe", "mreyes", None), size),
        Column("DrawingNbr", text(25), lambda: [_drawing(i, item) for i, item in enumerate(rows)]),
        spread("item.Revision", text(8), ("A", "B", "C", None), size),
        spread("item.AbcCode", text(1), "ABC", size, (20, 30, 50)),
        Column("Job", right(10), lambda: [job[0] if job else None for job in items.standard_job]),
        Column("Suffix", SHORT, lambda: [job[1] if job else None for job in items.standard_job]),
        Column("Stocked", FLAG, lambda: [int(stocked(row)) for row in range(size)]),
        spread("item.LotTracked", FLAG, (0, 1), size, (95, 5)),
        constant("SerialTracked", FLAG, 0, size),
        constant("PhantomFlag", FLAG, 0, size),
        spread("item.MrpPart", FLAG, (0, 1), size, (80, 20)),
        spread("item.MpsFlag", FLAG, (0, 1), size, (95, 5)),
        Column("LowLevel", INTEGER, lambda: [0 if item.source == "M" else 1 for item in rows]),
        constant("ProdType", text(1), "J", size),
        constant("SupplyWhse", text(4), "MAIN", size),
        constant("SupplySite", text(8), None, size),
        constant("CommCode", text(12), None, size),
    ]


def stocked(row: int) -> bool:
    """Whether an item is kept in stock: a few never were, and have no row for any warehouse."""
    return row % 250 != 17  # noqa: PLR2004 - any number would do


def _product_code(item: Item) -> Native:
    return {"M": "BEDS", "P": "RAW", "T": "KITS"}[item.source]


def _drawing(row: int, item: Item) -> Native:
    return f"D-{row:06}" if item.source == "M" else None


def _planning(plan: Blueprint, items: Items) -> list[Column]:
    size, spread = len(items.rows), plan.spread
    by_point = plan.dice("item.UseReorderPoint").choices((0, 1), (75, 25), k=size)
    return [
        spread("item.LeadTime", SHORT, (3, 5, 10, 15, 30), size),
        constant("ExpLeadTime", SHORT, 0, size),
        spread("item.PaperTime", SHORT, (0, 1), size),
        spread("item.DockTime", SHORT, (0, 1), size),
        spread("item.VarLead", QUANTITY, (0.0, 0.25, 1.0), size),
        spread("item.LotSize", QUANTITY, (1.0, 10.0, 50.0), size),
        spread("item.OrderMin", QUANTITY, (0.0, 1.0, 25.0), size),
        spread("item.OrderMult", QUANTITY, (0.0, 1.0, 5.0), size),
        constant("OrderMax", QUANTITY, 0.0, size),
        constant("FixedOrderQty", QUANTITY, 0.0, size),
        spread("item.DaysSupply", SHORT, (1, 5), size),
        Column("UseReorderPoint", FLAG, by_point),
        Column("ReorderPoint", QUANTITY, lambda: _reorder_points(plan, by_point)),
        constant("SafetyStockPercent", decimal(3, 1), 0.0, size),
        constant("ShrinkFact", decimal(8, 5), 0.0, size),
        Column("QtyAllocjob", QUANTITY, items.allocated_to_jobs),
    ]


def _reorder_points(plan: Blueprint, by_point: Sequence[int]) -> list[float | None]:
    dice = plan.dice("item.ReorderPoint")
    return [dice.choice((5.0, 10.0, 20.0, 40.0, 100.0)) if flag else dice.choice((0.0, None)) for flag in by_point]


def _costs(plan: Blueprint, items: Items) -> list[Column]:
    def costs(factor: float) -> list[float]:
        dice = plan.dice("item.UnitCost")
        return [
            round(factor * (400 if item.source == "M" else 12) * (0.2 + dice.random() * 3), 2)
            for item in items.rows
        ]

    return [
        constant("CostMethod", text(1), "S", len(items.rows)),
        constant("CostType", text(1), "S", len(items.rows)),
        Column("UnitCost", _COST, lambda: costs(1.0)),
        Column("CurUCost", _COST, lambda: costs(1.02)),
        Column("AvgUCost", _COST, lambda: costs(0.98)),
        Column("LstUCost", _COST, lambda: costs(1.05)),
        Column("UWsPrice", _COST, lambda: costs(1.6)),
        Column("UnitWeight", QUANTITY, lambda: costs(0.5)),
    ]
