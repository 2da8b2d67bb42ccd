"""Work centers: one code per machine group."""

from kai_erp.simulator.blueprint import Blueprint
from kai_erp.simulator.collection import Collection, SubCollection, Table
from kai_erp.simulator.columns import FLAG, QUANTITY, Column, constant, decimal, key, text
from kai_erp.simulator.vocabulary import CENTERS, Center

CODE_LENGTH = 6


def center_codes(count: int) -> dict[str, tuple[str, Center]]:
    """Return work center codes with the kind each belongs to, in key order: WELD, WELD2 and so on."""
    codes = {}
    for n in range(count):
        center = CENTERS[n % len(CENTERS)]
        number = str(n // len(CENTERS) + 1) if n >= len(CENTERS) else ""
        code = center.code[: CODE_LENGTH - len(number)] + number
        codes[code] = (f"{center.name} {number}".rstrip(), center)
    return dict(sorted(codes.items()))


def make_centers(plan: Blueprint) -> Collection:
    """Return SLWcs."""
    codes = center_codes(plan.scale.work_centers)
    kinds = [kind for _, kind in codes.values()]
    size, rate = len(codes), decimal(10, 3)
    columns = [
        Column("Wc", key(text(CODE_LENGTH)), list(codes)),
        Column("Description", text(40), [name for name, _ in codes.values()]),
        Column("Dept", text(6), ["PAINT" if kind.code in {"PAINT", "BLAST"} else "FAB" for kind in kinds]),
        constant("Alternate", text(6), None, size),
        constant("Calendar", text(6), None, size),
        Column("Outside", FLAG, [kind.outside for kind in kinds]),
        Column("Efficiency", decimal(4, 1), [100.0] * size),
        Column("SchedDrv", text(1), [kind.driver for kind in kinds]),
        Column("QueueHrs", decimal(7, 2), [2.0] * size),
        Column("QueueTicks", decimal(10, 0), [200.0] * size),
        Column("FinishHrs", decimal(7, 2), [0.0] * size),
        Column("SetupRate", rate, [28.5] * size),
        Column("RunRateLbr", rate, [31.25 if kind.driver == "L" else 24.0 for kind in kinds]),
        constant("BflushType", text(1), "N", size),
        constant("CntrlPoint", FLAG, 1, size),
        constant("Overhead", QUANTITY, 0.0, size),
        constant("Setuprgid", text(30), None, size),
        constant("DispatchListsEmail", text(60), None, size),
        constant("CostCode", text(3), None, size),
        *plan.audit("wc", size),
    ]
    groups = SubCollection("SLWcResourceGroups", (("Wc", "Wc"),))
    return Collection("SLWcs", Table("wc", ("Wc",), (groups,)), columns)
