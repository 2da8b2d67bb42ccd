"""The invariants that a plant keeps, checked on its wire rows by plain Python."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from itertools import groupby, pairwise

import pytest

from kai_erp.simulator import Plant, build_plant

Row = dict[str, str | None]

NOW = datetime(2026, 5, 20, 10, 30)  # noqa: DTZ001 - the ERP's clock has no zone


def number(value: str | None) -> Decimal:
    return Decimal(value or "0")


def folded(value: str | None) -> str:
    return (value or "").rstrip(" ").casefold()


def sums(rows: list[Row], quantity: str, *by: str) -> dict[tuple[str, ...], Decimal]:
    totals: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for row in rows:
        totals[tuple(folded(row[name]) for name in by)] += number(row[quantity])
    return totals


def open_jobs(plant: Plant) -> list[Row]:
    return [row for row in plant.rows("SLJobs") if row["Type"] == "J" and row["Stat"] in {"F", "R", "S"}]


def open_operations(plant: Plant) -> list[Row]:
    routes = plant.rows("SLJobRoutes")
    return [row for row in routes if row["Type"] == "J" and row["JobStat"] in {"F", "R", "S"}]


def operations_by_job(rows: list[Row]) -> list[list[Row]]:
    return [list(group) for _, group in groupby(rows, key=lambda row: (row["Job"], row["Suffix"]))]


def test_equal_arguments_give_equal_plants(plant: Plant) -> None:
    again = build_plant("small", 1, plant.now)
    assert all(
        again.rows(ido) == plant.rows(ido) for ido in ("SLJobRoutes", "SLItemwhses", "SLCoitems", "SLPoItems")
    )


def test_another_seed_gives_another_plant(plant: Plant) -> None:
    assert build_plant("small", 2, plant.now).rows("SLJobs") != plant.rows("SLJobs")


def test_all_values_on_the_wire_are_text_or_null(plant: Plant) -> None:
    for ido in plant.collections:
        assert all(v is None or isinstance(v, str) for row in plant.rows(ido) for v in row.values())


def test_rows_lie_in_natural_key_order_without_repetition(plant: Plant) -> None:
    for name, collection in plant.collections.items():
        columns = [column.comparable for column in collection.key_columns()]
        keys = list(zip(*columns, strict=True))
        assert all(a < b for a, b in pairwise(keys)), name


def test_the_numbers_of_open_documents_and_master_data_are_as_planned(plant: Plant) -> None:
    sizes = {name: collection.size for name, collection in plant.collections.items()}
    assert (sizes["SLItems"], sizes["SLItemwhses"], sizes["SLItemLocs"], sizes["SLWcs"]) == (3000, 3000, 4000, 12)
    assert (sizes["SLCustomers"], len(open_jobs(plant))) == (450, 120)
    assert 500 <= len(open_operations(plant)) <= 700
    headers = {
        row["CoNum"] for row in plant.rows("SLCos") if row["Stat"] in {"O", "P", "S"} and row["Type"] != "E"
    }
    assert len(headers) == 150


def test_history_dominates_the_tables_and_is_capped(plant: Plant) -> None:
    routes = plant.rows("SLJobRoutes")
    history = sum(row["JobStat"] not in {"R", "F", "S"} or row["Type"] != "J" for row in routes)
    jobs = plant.collections["SLJobs"].size - 120
    others = sum(plant.collections[name].size for name in ("SLJobmatls", "SLCos", "SLCoitems", "SLPoItems"))
    assert 18_000 <= 2 * history + jobs + others <= 24_000


def test_released_jobs_are_seventy_of_a_hundred(plant: Plant) -> None:
    stats = [row["Stat"] for row in open_jobs(plant)]
    assert (stats.count("R"), stats.count("F"), stats.count("S")) == (84, 30, 6)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_fifth_to_a_quarter_of_released_open_operations_is_late(seed: int) -> None:
    plant = build_plant("small", seed, NOW)
    rows = [row for row in open_operations(plant) if row["JobStat"] == "R" and row["Complete"] != "1"]
    late = [row for row in rows if (row["JshEndDate"] or "9") < f"{NOW:%Y%m%d %H:%M:%S.000}"]
    assert 0.18 <= len(late) / len(rows) <= 0.27


@pytest.mark.parametrize("day", [4, 5, 6, 7])
def test_the_plant_is_as_late_on_a_weekend_and_at_night(day: int) -> None:
    now = datetime(2026, 12, day, 3, 5)  # noqa: DTZ001 - the ERP's clock has no zone
    rows = [row for row in open_operations(build_plant("small", 1, now)) if row["JobStat"] == "R"]
    waiting = [row for row in rows if row["Complete"] != "1"]
    late = [row for row in waiting if (row["JshEndDate"] or "9") < f"{now:%Y%m%d %H:%M:%S.000}"]
    assert 0.18 <= len(late) / len(waiting) <= 0.27


def test_quantities_flow_from_operation_to_operation(plant: Plant) -> None:
    for operations in operations_by_job(open_operations(plant)):
        for row in operations:
            passed = number(row["QtyComplete"]) + number(row["QtyScrapped"])
            assert passed <= number(row["QtyReceived"])
            assert number(row["QtyMoved"]) <= number(row["QtyComplete"])
            assert row["Complete"] != "1" or passed >= number(row["QtyReceived"])
        for before, after in pairwise(operations):
            assert number(after["QtyReceived"]) == number(before["QtyMoved"])


def test_a_started_job_has_received_its_whole_quantity_at_the_first_operation(plant: Plant) -> None:
    for operations in operations_by_job(open_operations(plant)):
        received = number(operations[0]["QtyReceived"])
        assert received in {Decimal(0), number(operations[0]["JobQtyReleased"])}


def test_a_job_sums_its_operations(plant: Plant) -> None:
    by_job = {(rows[0]["Job"], rows[0]["Suffix"]): rows for rows in operations_by_job(open_operations(plant))}
    for job in open_jobs(plant):
        operations = by_job.get((job["Job"], job["Suffix"]), [])
        assert number(job["QtyScrapped"]) == sum(number(row["QtyScrapped"]) for row in operations)
        assert number(job["QtyComplete"]) == (number(operations[-1]["QtyMoved"]) if operations else 0)


def test_only_jobs_that_were_released_have_quantities(plant: Plant) -> None:
    firm = [row for row in open_operations(plant) if row["JobStat"] == "F"]
    assert firm
    assert not any(number(row["QtyReceived"]) for row in firm)


def test_operations_follow_each_other_within_their_job(plant: Plant) -> None:
    jobs = {(row["Job"], row["Suffix"]): row for row in plant.rows("SLJobs")}
    for operations in operations_by_job(open_operations(plant)):
        job = jobs[operations[0]["Job"], operations[0]["Suffix"]]
        dated = [row for row in operations if row["JshStartDate"]]
        assert all((a["JshEndDate"] or "") <= (b["JshStartDate"] or "") for a, b in pairwise(dated))
        for row in dated:
            assert (job["JschStartDate"] or "") <= (row["JshStartDate"] or "") <= (row["JshEndDate"] or "")
            assert (row["JshEndDate"] or "") <= (job["JschEndDate"] or "")


def test_the_schedule_of_an_operation_is_the_same_in_both_collections(plant: Plant) -> None:
    for route, schedule in zip(plant.rows("SLJobRoutes"), plant.rows("SLJrtSchs"), strict=True):
        assert all(route[name] == schedule[name] for name in ("Job", "Suffix", "OperNum"))
        for name in ("StartDate", "EndDate", "SchedDrv", "SetupHrs", "RunLbrHrs", "RunMchHrs", "SchedHrs"):
            assert route[f"Jsh{name}"] == schedule[name]


def test_pieces_per_hour_are_the_inverse_of_hours_per_piece(plant: Plant) -> None:
    for row in plant.rows("SLJrtSchs"):
        for hours, pieces in (("RunLbrHrs", "PcsPerLbrHr"), ("RunMchHrs", "PcsPerMchHr")):
            if number(row[hours]):
                assert abs(number(row[hours]) * number(row[pieces]) - 1) < Decimal("0.001")


def test_joined_properties_of_operations_agree_with_their_tables(plant: Plant) -> None:
    jobs = {(row["Job"], row["Suffix"]): row for row in plant.rows("SLJobs")}
    items = {folded(row["Item"]): row for row in plant.rows("SLItems")}
    centers = {folded(row["Wc"]): row for row in plant.rows("SLWcs")}
    for row in plant.rows("SLJobRoutes"):
        job = jobs[row["Job"], row["Suffix"]]
        assert (row["JobStat"], row["Type"], row["JobType"]) == (job["Stat"], job["Type"], job["Type"])
        assert (row["JobItem"], row["JobQtyReleased"]) == (job["Item"], job["QtyReleased"])
        assert row["JbhEndDate"] == job["JschEndDate"]
        item = items.get(folded(job["Item"]), {})
        assert (row["ItmItem"], row["ItmDescription"]) == (item.get("Item"), item.get("Description"))
        assert row["WcDescription"] == centers.get(folded(row["Wc"]), {}).get("Description")


def test_stock_of_a_warehouse_is_the_sum_of_its_locations(plant: Plant) -> None:
    rows = plant.rows("SLItemLocs")
    here = sums([row for row in rows if row["MrbFlag"] == "0"], "QtyOnHand", "Item", "Whse")
    rejected = sums([row for row in rows if row["MrbFlag"] == "1"], "QtyOnHand", "Item", "Whse")
    for row in plant.rows("SLItemwhses"):
        place = (folded(row["Item"]), folded(row["Whse"]))
        assert number(row["QtyOnHand"]) == here[place]
        assert number(row["QtyMrb"]) == rejected[place]


def test_every_stocked_item_has_stock_in_the_main_warehouse_at_a_stock_location(plant: Plant) -> None:
    items = {row["Item"] for row in plant.rows("SLItems") if row["Stocked"] == "1"}
    assert items == {row["Item"] for row in plant.rows("SLItemwhses") if row["Whse"] == "MAIN"}
    assert items == {row["Item"] for row in plant.rows("SLItemLocs") if row["Loc"] == "STOCK"}


def test_allocation_to_orders_is_the_open_quantity_of_ordered_lines(plant: Plant) -> None:
    lines = [
        row | {"Open": str(max(Decimal(0), number(row["QtyOrdered"]) - number(row["QtyShipped"])))}
        for row in plant.rows("SLCoitems")
        if row["Stat"] == "O" and row["CoStat"] in {"O", "S"} and row["CoType"] != "E"
    ]
    asked = sums(lines, "Open", "Item", "Whse")
    assert sum(asked.values()) > 0
    for row in plant.rows("SLItemwhses"):
        assert number(row["QtyAllocCo"]) == asked[folded(row["Item"]), folded(row["Whse"])]
        assert number(row["QtyRsvdCo"]) <= number(row["QtyAllocCo"])


def test_allocation_to_jobs_is_what_released_jobs_still_need(plant: Plant) -> None:
    materials = [row for row in plant.rows("SLJobmatls") if row["JobType"] == "J" and row["JobStat"] == "R"]
    needed: dict[str, Decimal] = defaultdict(Decimal)
    for row in materials:
        pieces = number(row["QtyReleased"]) if row["Units"] == "U" else Decimal(1)
        needed[folded(row["Item"])] += max(Decimal(0), number(row["MatlQty"]) * pieces - number(row["QtyIssued"]))
    assert sum(needed.values()) > 0
    assert all(number(row["QtyAllocjob"]) == needed[folded(row["Item"])] for row in plant.rows("SLItems"))
    assert all(number(row["QtyAllocjob"]) == needed[folded(row["Item"])] for row in plant.rows("SLItemwhses"))


def test_what_is_on_order_is_the_open_quantity_of_purchase_lines(plant: Plant) -> None:
    rows = [
        row | {"Open": str(number(row["QtyOrdered"]) - number(row["QtyReceived"]))}
        for row in plant.rows("SLPoItems")
        if row["Stat"] == "O"
    ]
    coming = sums(rows, "Open", "Item", "Whse")
    for row in plant.rows("SLItemwhses"):
        assert number(row["QtyOrdered"]) == coming[folded(row["Item"]), folded(row["Whse"])]


def test_work_in_process_is_the_remaining_quantity_of_open_jobs(plant: Plant) -> None:
    rows = [
        row | {"Left": str(number(row["QtyReleased"]) - number(row["QtyComplete"]) - number(row["QtyScrapped"]))}
        for row in open_jobs(plant)
    ]
    left = sums(rows, "Left", "Item", "Whse")
    for row in plant.rows("SLItemwhses"):
        assert number(row["QtyWip"]) == left[folded(row["Item"]), folded(row["Whse"])]


def test_items_sum_their_warehouses_up(plant: Plant) -> None:
    rows = plant.rows("SLItemwhses")
    for derived, summed in (
        ("DerQtyOnHand", "QtyOnHand"),
        ("DerQtyAllocCo", "QtyAllocCo"),
        ("DerQtyWip", "QtyWip"),
    ):
        totals = sums(rows, summed, "Item")
        assert all(number(row[derived]) == totals[(folded(row["Item"]),)] for row in plant.rows("SLItems"))


def test_jobs_and_order_lines_point_at_each_other(plant: Plant) -> None:
    jobs = {(row["Job"], row["Suffix"]): row for row in open_jobs(plant) if row["OrdType"] == "O"}
    lines = [row for row in plant.rows("SLCoitems") if row["RefType"] == "J"]
    assert 0.45 <= len(jobs) / 120 <= 0.6
    assert {(row["RefNum"], row["RefLineSuf"]) for row in lines} == set(jobs)
    for line in lines:
        job = jobs[line["RefNum"], line["RefLineSuf"]]
        assert (job["OrdNum"], job["OrdLine"], job["OrdRelease"]) == (
            line["CoNum"],
            line["CoLine"],
            line["CoRelease"],
        )
        assert (job["CustNum"], folded(job["Item"])) == (line["CoCustNum"], folded(line["Item"]))


def test_every_customer_has_a_bill_to_and_orders_name_addresses_that_exist_or_were_lost(plant: Plant) -> None:
    addresses = {(row["CustNum"], row["CustSeq"]) for row in plant.rows("SLCustAddrs")}
    assert {(number_, "0") for number_, _ in addresses} <= addresses
    assert addresses == {(row["CustNum"], row["CustSeq"]) for row in plant.rows("SLCustomers")}
    spelled = {(folded(number_), seq) for number_, seq in addresses}
    orders = plant.rows("SLCos")
    lost = [row for row in orders if (folded(row["CustNum"]), row["CustSeq"]) not in spelled]
    assert {row["BillToName"] for row in lost} == {None}
    assert 0 < len(lost) < len(orders) / 100


def test_lines_repeat_what_their_order_says(plant: Plant) -> None:
    orders = {row["CoNum"]: row for row in plant.rows("SLCos")}
    for line in plant.rows("SLCoitems"):
        order = orders[line["CoNum"]]
        assert (line["CoStat"], line["CoType"], line["CoCustNum"]) == (
            order["Stat"],
            order["Type"],
            order["CustNum"],
        )
        assert line["AdrName"] == order["ShipToName"] or line["CustNum"]
        assert (line["CoRelease"] == "0") is (order["Type"] != "B")


def test_an_order_is_ordered_when_a_line_is(plant: Plant) -> None:
    lines = plant.rows("SLCoitems")
    assert {row["CoStat"] for row in lines if row["Stat"] == "O"} == {"O", "S"}
    assert all(
        number(row["QtyShipped"]) >= number(row["QtyOrdered"]) for row in lines if row["Stat"] in {"F", "C"}
    )


def test_records_change_after_they_are_created_and_before_now(plant: Plant) -> None:
    now = f"{plant.now:%Y%m%d %H:%M:%S}.999"
    for ido in plant.collections:
        assert all((r["CreateDate"] or "") <= (r["RecordDate"] or "") <= now for r in plant.rows(ido)), ido


@pytest.mark.medium
def test_the_medium_plant_is_ten_times_as_big() -> None:
    plant = build_plant("medium", 1, NOW)
    sizes = {name: collection.size for name, collection in plant.collections.items()}
    assert (sizes["SLItems"], sizes["SLItemwhses"], sizes["SLItemLocs"], sizes["SLWcs"]) == (
        20_000,
        30_000,
        40_000,
        60,
    )
    routes = plant.collections["SLJobRoutes"].columns
    pairs = zip(routes["Type"].natives, routes["JobStat"].natives, strict=True)
    assert 7_500 <= sum(kind == "J" and str(stat) in "RFS" for kind, stat in pairs) <= 8_500
