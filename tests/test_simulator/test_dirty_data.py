"""Each kind of fault known from real tenants occurs even in a small plant."""

from collections.abc import Callable

import pytest

from kai_erp.simulator import Plant

Row = dict[str, str | None]

EXPECTED: dict[str, tuple[str, Callable[[Row], bool]]] = {
    "prefixed job keys": ("SLJobs", lambda r: str(r["Job"]).startswith("J00")),
    "blank-padded job keys": ("SLJobs", lambda r: str(r["Job"]).startswith("   ") and len(str(r["Job"])) == 10),
    "hand-typed job keys": ("SLJobs", lambda r: "/" in str(r["Job"])),
    "split jobs": ("SLJobs", lambda r: r["Suffix"] != "0" and r["Stat"] == "R"),
    "jobs of a lost item": ("SLJobs", lambda r: r["Item"] is not None and r["ItemDescription"] is None),
    "released jobs of nothing": ("SLJobs", lambda r: r["Stat"] == "R" and r["QtyReleased"] == "0.00000000"),
    "jobs that end in 2049": ("SLJobs", lambda r: str(r["JschEndDate"]) >= "2049"),
    "unscheduled open jobs": ("SLJobs", lambda r: r["Stat"] == "R" and r["JschEndDate"] is None),
    "estimates": ("SLJobs", lambda r: r["Type"] == "E"),
    "standard routings": ("SLJobRoutes", lambda r: r["Type"] == "S" and r["JobStat"] == "F"),
    "null quantities": ("SLJobRoutes", lambda r: r["QtyReceived"] is None and r["JobStat"] == "R"),
    "complete is null": ("SLJobRoutes", lambda r: r["Complete"] is None),
    "a deleted work center": ("SLJobRoutes", lambda r: r["Wc"] == "PLASMA" and r["WcDescription"] is None),
    "work centers with trailing blanks": ("SLJobRoutes", lambda r: str(r["Wc"]).endswith(" ")),
    "inserted operations": ("SLJobRoutes", lambda r: r["OperNum"] == "15"),
    "unscheduled operations": ("SLJobRoutes", lambda r: r["JshStartDate"] is None and r["JobStat"] == "R"),
    "operations in 2049": ("SLJobRoutes", lambda r: str(r["JshEndDate"]) >= "2049"),
    "fixed hours": ("SLJobRoutes", lambda r: float(r["JshSchedHrs"] or 0) > 0),
    "efficiency null": ("SLJobRoutes", lambda r: r["Efficiency"] is None),
    "efficiency 0": ("SLJobRoutes", lambda r: r["Efficiency"] == "0.0"),
    "efficiency 85": ("SLJobRoutes", lambda r: r["Efficiency"] == "85.0"),
    "efficiency 120": ("SLJobRoutes", lambda r: r["Efficiency"] == "120.0"),
    "machine-driven": ("SLJobRoutes", lambda r: r["JshSchedDrv"] == "M" and float(r["JshRunMchHrs"] or 0) > 0),
    "labor-driven": ("SLJobRoutes", lambda r: r["JshSchedDrv"] == "L" and float(r["JshRunLbrHrs"] or 0) > 0),
    "outside operations": ("SLJobRoutes", lambda r: r["WcOutside"] == "1"),
    "lower-case items": ("SLItems", lambda r: str(r["Item"]) == str(r["Item"]).lower()),
    "items with trailing blanks": ("SLItems", lambda r: str(r["Item"]).endswith("  ")),
    "apostrophes": ("SLItems", lambda r: "'" in str(r["Description"])),
    "double quotes": ("SLItems", lambda r: '"' in str(r["Description"])),
    "percent signs": ("SLItems", lambda r: "%" in str(r["Description"])),
    "underscores": ("SLItems", lambda r: "_" in str(r["Description"])),
    "brackets": ("SLItems", lambda r: "[" in str(r["Description"])),
    "non-ASCII": ("SLItems", lambda r: not str(r["Description"]).isascii()),
    "descriptions with trailing blanks": ("SLItems", lambda r: str(r["Description"]).endswith("   ")),
    "descriptions cut at forty": ("SLItems", lambda r: len(str(r["Description"])) == 40),
    "reorder points": ("SLItems", lambda r: r["UseReorderPoint"] == "1"),
    "items never stocked": ("SLItems", lambda r: r["Stocked"] == "0"),
    "obsolete items with a reorder point": ("SLItems", lambda r: r["Stat"] == "O" and r["UseReorderPoint"] == "1"),
    "items that jobs ask for": ("SLItems", lambda r: float(r["QtyAllocjob"] or 0) > 0),
    "a second warehouse": ("SLItemwhses", lambda r: r["Whse"] == "EAST"),
    "negative stock": ("SLItemwhses", lambda r: float(r["QtyOnHand"] or 0) < 0),
    "stocked out": ("SLItemwhses", lambda r: r["QtyOnHand"] == "0.00000000"),
    "no safety stock": ("SLItemwhses", lambda r: r["QtyReorder"] is None),
    "rejected stock": ("SLItemLocs", lambda r: r["MrbFlag"] == "1"),
    "padded customers": (
        "SLCustomers",
        lambda r: str(r["CustNum"]).startswith(" ") and len(str(r["CustNum"])) == 7,
    ),
    "prefixed customers": ("SLCustomers", lambda r: str(r["CustNum"]).startswith("C0")),
    "apostrophes in names": ("SLCustomers", lambda r: "'" in str(r["Name"])),
    "quotes in names": ("SLCustomers", lambda r: '"' in str(r["Name"])),
    "wildcards in names": ("SLCustomers", lambda r: "_" in str(r["Name"])),
    "percents in names": ("SLCustomers", lambda r: "%" in str(r["Name"])),
    "brackets in names": ("SLCustomers", lambda r: "[" in str(r["Name"])),
    "accents in names": ("SLCustomers", lambda r: not str(r["Name"]).isascii()),
    "ship-tos": ("SLCustomers", lambda r: r["CustSeq"] == "2"),
    "no phone": ("SLCustomers", lambda r: r["Phone_1"] is None),
    "credit holds": ("SLCustomers", lambda r: r["CreditHold"] == "1"),
    "unknown credit holds": ("SLCustAddrs", lambda r: r["CreditHold"] is None),
    "no e-mail": ("SLCustomers", lambda r: r["CustomerEmailAddr"] is None),
    "inactive customers": ("SLCustomers", lambda r: r["ShowInDropDownList"] == "0"),
    "customers who may be active": ("SLCustomers", lambda r: r["ShowInDropDownList"] is None),
    "several currencies": ("SLCustAddrs", lambda r: r["CurrCode"] == "EUR"),
    "names with trailing blanks": ("SLCustomers", lambda r: str(r["Name"]).endswith("   ")),
    "orders of a lost customer": ("SLCos", lambda r: r["BillToName"] is None and r["Stat"] == "O"),
    "orders that spell their customer otherwise": ("SLCos", lambda r: str(r["CustNum"]).startswith("c0")),
    "orders of which no hold is known": ("SLCos", lambda r: r["CreditHold"] is None and r["Stat"] == "O"),
    "padded orders": ("SLCos", lambda r: str(r["CoNum"]).startswith(" ") and r["Stat"] == "O"),
    "prefixed orders": ("SLCos", lambda r: str(r["CoNum"]).startswith("CO0") and r["Stat"] == "O"),
    "blanket orders": ("SLCos", lambda r: r["Type"] == "B"),
    "quotations": ("SLCos", lambda r: r["Type"] == "E"),
    "stopped orders": ("SLCos", lambda r: r["Stat"] == "S"),
    "orders on hold": ("SLCos", lambda r: r["CreditHold"] == "1"),
    "lines of no item": ("SLCoitems", lambda r: r["ItDescription"] is None),
    "lines without due date": ("SLCoitems", lambda r: r["DueDate"] is None and r["PromiseDate"] is not None),
    "undated lines": ("SLCoitems", lambda r: r["DueDate"] is None and r["PromiseDate"] is None),
    "lines due in 2049": ("SLCoitems", lambda r: str(r["DueDate"]) >= "2049"),
    "drop shipments": ("SLCoitems", lambda r: r["CustNum"] is not None),
    "partly shipped": ("SLCoitems", lambda r: r["Stat"] == "O" and float(r["QtyShipped"] or 0) > 0),
    "lines that spell their item with blanks": ("SLCoitems", lambda r: str(r["Item"]).endswith("  ")),
    "releases of blanket orders": ("SLCoitems", lambda r: r["CoType"] == "B" and int(r["CoRelease"] or 0) > 1),
    "prices of five decimals": ("SLCoitems", lambda r: not str(r["Price"]).endswith("000000")),
    "discounts": ("SLCoitems", lambda r: float(r["Disc"] or 0) > 0),
    "filled lines": ("SLCoitems", lambda r: r["Stat"] == "F"),
    "reserved lines": ("SLCoitems", lambda r: float(r["QtyRsvd"] or 0) > 0),
    "materials lost": ("SLJobmatls", lambda r: r["ItmDescription"] is None),
    "purchase lines without date": ("SLPoItems", lambda r: r["DueDate"] is None),
}


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_small_plant_has_it(plant: Plant, kind: str) -> None:
    ido, matches = EXPECTED[kind]
    assert any(matches(row) for row in plant.rows(ido))


def test_some_jobs_name_their_item_in_another_case(plant: Plant) -> None:
    items = {row["Item"] for row in plant.rows("SLItems")}
    jobs = [row for row in plant.rows("SLJobs") if row["Stat"] == "R" and row["ItemDescription"]]
    assert any(row["Item"] not in items and str(row["Item"]).swapcase() in items for row in jobs)
    assert any(row["Item"] not in items and str(row["Item"]).endswith("  ") for row in jobs)


def test_some_released_jobs_have_no_operations(plant: Plant) -> None:
    routed = {(row["Job"], row["Suffix"]) for row in plant.rows("SLJobRoutes")}
    assert any((r["Job"], r["Suffix"]) not in routed for r in plant.rows("SLJobs") if r["Stat"] == "R")


def test_some_released_jobs_are_complete_at_every_operation(plant: Plant) -> None:
    flags: dict[tuple[str | None, str | None], set[str | None]] = {}
    for row in plant.rows("SLJobRoutes"):
        if row["JobStat"] == "R":
            flags.setdefault((row["Job"], row["Suffix"]), set()).add(row["Complete"])
    assert {"1"} in flags.values()


def test_some_jobs_have_scrap_at_several_operations(plant: Plant) -> None:
    scrap: dict[tuple[str | None, str | None], int] = {}
    for row in plant.rows("SLJobRoutes"):
        if row["JobStat"] == "R" and float(row["QtyScrapped"] or 0) > 0:
            scrap[row["Job"], row["Suffix"]] = scrap.get((row["Job"], row["Suffix"]), 0) + 1
    assert max(scrap.values()) > 1


def test_customers_have_no_status(plant: Plant) -> None:
    assert "Stat" not in plant.collections["SLCustomers"].columns
