"""The oracle of the production schedule against answers worked out by hand.

Unless a test says otherwise: 25 pieces released, 10 complete and 1 scrapped at operation 10, so 14 remain;
0.75 hours of setup and 0.2 hours a piece make 0.75 + 14 x 0.2 = 3.55 hours.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from tests.oracles.production_schedule import ExpectedSchedule, expected_schedule
from tests.oracles.wire import Row

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)  # 11:00 in Berlin

OPERATION: Row = {"Job": "J000000012", "Suffix": "0", "OperNum": "10"}
DEFAULTS: dict[str, Row] = {
    "SLJobs": {
        "Job": "J000000012",
        "Suffix": "0",
        "Type": "J",
        "Stat": "R",
        "Item": "FB-1020",
        "Whse": "MAIN",
        "QtyReleased": "25.00000000",
        "CustNum": "    888",
        "OrdType": "O",
        "OrdNum": "    100234",
        "OrdLine": "2",
        "JschEndDate": "20261130 16:30:00.000",
        "JschPriority": "1007",
    },
    "SLJobRoutes": {
        **OPERATION,
        "Wc": "WELD",
        "QtyReceived": "20.00000000",
        "QtyComplete": "10.00000000",
        "QtyScrapped": "1.00000000",
        "Complete": "0",
        "Efficiency": "100.0",
        "SetupHrsT": "0.00000000",
        "JshStartDate": "20261123 06:00:00.000",
        "JshEndDate": "20261126 14:00:00.000",
        "JshSetupHrs": "1.00000000",
        "JshRunLbrHrs": "2.00000000",
        "JshRunMchHrs": "3.00000000",
        "JshSchedDrv": "M",
        "JshSchedHrs": None,
        "ItmDescription": "Joined bed ",
        "WcDescription": "Joined welding",
    },
    "SLJrtSchs": {
        **OPERATION,
        "StartDate": "20261123 08:00:00.000",
        "EndDate": "20261125 16:00:00.000",
        "SchedDrv": "L",
        "SetupHrs": "0.75000000",
        "RunLbrHrs": "0.20000000",
        "RunMchHrs": "0.10000000",
        "SchedHrs": "0.00000000",
    },
    "SLItems": {"Item": "FB-1020", "Description": "Flat bed 10 ft  "},
    "SLItemwhses": {"Item": "FB-1020", "Whse": "MAIN", "QtyOnHand": "120.00000000"},
    "SLWcs": {"Wc": "WELD", "Description": "Welding"},
}
JSH = [name for name in DEFAULTS["SLJobRoutes"] if name.startswith("Jsh")]

schedule = partial(expected_schedule, now=NOW, zone=BERLIN)


def plant(**changes: Sequence[Row]) -> dict[str, list[Row]]:
    """Return one default row per collection, or one per change with that change made to it."""
    return {
        name: [{**default, **change} for change in changes.get(name, [{}])] for name, default in DEFAULTS.items()
    }


def record(answer: ExpectedSchedule) -> dict[str, object]:
    """Return the only record."""
    (only,) = answer.records
    return only


def column(answer: ExpectedSchedule, name: str) -> list[object]:
    return [shown[name] for shown in answer.records]


def one(name: str, **changes: str | None) -> object:
    """Return one field of the default operation, with changes to its route row."""
    return record(schedule(plant(SLJobRoutes=[changes]), include_completed=True))[name]


def planned(name: str, **changes: str | None) -> object:
    """Return one field of the default operation, with changes to its schedule row."""
    return record(schedule(plant(SLJrtSchs=[changes])))[name]


def test_a_record_has_the_fields_of_the_contract_in_its_order() -> None:
    shown = record(schedule(plant()))

    assert list(shown.items()) == [
        ("job", "J000000012"),
        ("suffix", 0),
        ("operation_num", 10),
        ("item", "FB-1020"),
        ("item_description", "Flat bed 10 ft"),
        ("warehouse", "MAIN"),
        ("work_center", "WELD"),
        ("work_center_description", "Welding"),
        ("qty_released", Decimal(25)),
        ("qty_complete", Decimal(10)),
        ("qty_scrapped", Decimal(1)),
        ("qty_remaining", Decimal(14)),
        ("qty_here", Decimal(9)),
        ("pct_complete", Decimal("40.0")),
        ("hours_remaining", Decimal("3.55")),
        ("sched_start", datetime(2026, 11, 23, 8, 0, tzinfo=BERLIN)),
        ("sched_finish", datetime(2026, 11, 25, 16, 0, tzinfo=BERLIN)),
        ("status", "on_track"),
        ("qty_on_hand", Decimal(120)),
        ("job_due", date(2026, 11, 30)),
        ("priority", 1007),
        ("customer_num", "888"),
        ("order_num", "100234"),
        ("order_line", 2),
    ]


@pytest.mark.parametrize(("type_", "stat"), [("S", "F"), ("S", "R"), ("E", "R"), ("J", "F"), ("J", "H")])
def test_only_released_job_orders_are_shown(type_: str, stat: str) -> None:
    assert schedule(plant(SLJobs=[{"Type": type_, "Stat": stat}])).records == []


def test_type_and_status_of_the_job_count_not_those_joined_to_the_operation() -> None:
    assert len(schedule(plant(SLJobRoutes=[{"Type": "S", "JobStat": "C"}])).records) == 1


def test_a_job_without_operations_and_an_operation_without_job_are_left_out() -> None:
    assert schedule(plant(SLJobRoutes=[{"Job": "J000000013"}])).records == []


def test_an_operation_belongs_to_the_suffix_it_names() -> None:
    rows = plant(
        SLJobs=[{}, {"Suffix": "1", "QtyReleased": "7.00000000"}],
        SLJobRoutes=[{}, {"Suffix": "1", "OperNum": "20"}],
        SLJrtSchs=[{}, {"Suffix": "1", "OperNum": "20"}],
    )

    answer = schedule(rows, include_completed=True)

    assert column(answer, "suffix") == [0, 1]
    assert column(answer, "qty_released") == [Decimal(25), Decimal(7)]


def test_every_join_ignores_padding_and_case() -> None:
    rows = plant(
        SLJobs=[{"Job": "    j-7", "Item": "fb-1020 ", "Whse": "main"}],
        SLJobRoutes=[{"Job": "J-7 ", "Wc": "weld "}],
        SLJrtSchs=[{"Job": "J-7"}],
    )

    shown = record(schedule(rows))

    assert shown["job"] == "J-7"
    assert shown["hours_remaining"] == Decimal("3.55")
    assert shown["item_description"] == "Flat bed 10 ft"
    assert shown["work_center_description"] == "Welding"
    assert shown["qty_on_hand"] == Decimal(120)


def test_keys_compare_by_full_case_folding() -> None:
    rows = plant(SLJobRoutes=[{"Wc": "STRASSE"}], SLWcs=[{"Wc": "straße", "Description": "Line"}])

    assert record(schedule(rows, work_center="Straße"))["work_center_description"] == "Line"


def test_of_two_rows_with_one_key_the_last_one_counts() -> None:
    rows = plant(SLJobRoutes=[{"QtyComplete": "3"}, {"Job": " j000000012"}], SLJrtSchs=[{"SetupHrs": "9"}, {}])

    shown = record(schedule(rows))

    assert (shown["qty_complete"], shown["qty_remaining"]) == (Decimal(10), Decimal(14))
    assert shown["hours_remaining"] == Decimal("3.55")


@pytest.mark.parametrize("number", [None, "", "  ", "ten", "10.5"])
def test_an_operation_without_a_readable_number_is_no_row(number: str | None) -> None:
    assert schedule(plant(SLJobRoutes=[{"OperNum": number}])).records == []


def test_work_center_is_exact_trimmed_and_case_insensitive() -> None:
    rows = plant(SLJobRoutes=[{"OperNum": "10", "Wc": "WELD "}, {"OperNum": "20", "Wc": "WELD2"}])

    assert column(schedule(rows, work_center=" weld"), "operation_num") == [10]
    assert schedule(rows, work_center="WEL%").records == []
    assert schedule(rows, work_center="W*").records == []


@pytest.mark.parametrize("blank", ["", "   ", None])
def test_a_blank_filter_counts_as_absent(blank: str | None) -> None:
    assert len(schedule(plant(), work_center=blank, job=blank).records) == 1


@pytest.mark.parametrize(
    ("stored", "typed"),
    [
        ("       888", "888"),
        ("888", "       888"),
        ("J000000012", "J12"),
        ("J000000012", "  j000012 "),
        ("J0000000000000000012", "J12"),
        ("J0000000000000000012", "J000000012"),
        ("J12", "J12"),
        ("22VP10/250", "22vp10/250"),
    ],
)
def test_a_job_is_found_as_people_type_it(stored: str, typed: str) -> None:
    rows = plant(SLJobs=[{"Job": stored}], SLJobRoutes=[{"Job": stored}])

    assert column(schedule(rows, job=typed), "job") == [stored.strip()]


@pytest.mark.parametrize(
    ("stored", "typed"),
    [
        ("      8880", "888"),
        ("0000000888", "888"),
        ("J000000112", "J12"),
        ("J00000012", "J12"),
        ("J000000012", "12"),
        ("J12", "J000000012"),
        ("J000000012", "J*"),
    ],
)
def test_another_job_is_not_found(stored: str, typed: str) -> None:
    rows = plant(SLJobs=[{"Job": stored}], SLJobRoutes=[{"Job": stored}])

    assert schedule(rows, job=typed).records == []


def test_remaining_loses_the_scrap_of_this_and_all_earlier_operations_of_the_job() -> None:
    rows = plant(
        SLJobs=[{}, {"Suffix": "1"}],
        SLJobRoutes=[
            {"OperNum": "30", "QtyComplete": None, "QtyScrapped": "4.50000000"},
            {"OperNum": "10", "Complete": "1", "Wc": "CUT", "QtyScrapped": "2.00000000"},
            {"OperNum": "20", "QtyComplete": "5", "QtyScrapped": "-0.50000000"},
            {"OperNum": "5", "Suffix": "1", "QtyScrapped": "7"},
        ],
    )

    answer = schedule(rows, job="J12", work_center="WELD")

    # suffix 1: 25 - 10 - 7; operation 20: 25 - 5 - (2 - 0.5); operation 30: 25 - 0 - (2 - 0.5 + 4.5)
    assert [(shown["operation_num"], shown["qty_remaining"]) for shown in answer.records] == [
        (20, Decimal("18.5")),
        (30, Decimal(19)),
        (5, Decimal(8)),
    ]


def test_remaining_is_never_negative_and_none_for_a_closed_operation() -> None:
    assert one("qty_remaining", QtyComplete="30.00000000") == 0
    assert one("qty_remaining", Complete="1") == 0


def test_what_lies_here_is_received_less_complete_less_scrapped_at_this_operation() -> None:
    assert one("qty_here", QtyReceived="15.25000000") == Decimal("4.25")
    assert one("qty_here", QtyReceived="5.00000000") == 0
    assert one("qty_here", QtyReceived=None) == 0


def test_null_and_unreadable_quantities_are_zero() -> None:
    rows = plant(
        SLJobRoutes=[{"QtyComplete": None, "QtyScrapped": "1,5", "QtyReceived": ""}],
        SLItemwhses=[{"QtyOnHand": None}],
    )

    shown = record(schedule(rows))

    names = ("qty_complete", "qty_scrapped", "qty_here", "qty_on_hand")
    assert [shown[name] for name in names] == [Decimal(0)] * 4
    assert shown["qty_remaining"] == Decimal(25)


@pytest.mark.parametrize(
    ("done", "percent"),
    [
        ("10.00000000", "40.0"),
        ("0.01250000", "0.1"),  # 0.05 exactly: half up
        ("0.01249999", "0.0"),
        ("30.00000000", "100.0"),
        ("-3.00000000", "0.0"),
    ],
)
def test_percent_is_rounded_half_up_and_clamped(done: str, percent: str) -> None:
    assert one("pct_complete", QtyComplete=done) == Decimal(percent)


def test_nothing_released_is_no_percent_no_hours_and_not_complete() -> None:
    shown = record(schedule(plant(SLJobs=[{"QtyReleased": None}])))

    assert (shown["pct_complete"], shown["hours_remaining"]) == (0, 0)
    assert (shown["qty_remaining"], shown["status"]) == (0, "on_track")


def test_hours_take_the_machine_figure_when_the_machine_drives() -> None:
    assert planned("hours_remaining", SchedDrv="M") == Decimal("2.15")  # 0.75 + 14 x 0.1
    assert planned("hours_remaining", SchedDrv=None) == Decimal("3.55")


def test_setup_counts_until_setup_hours_are_posted() -> None:
    assert one("hours_remaining", SetupHrsT="0.25000000") == Decimal("2.80")
    assert one("hours_remaining", SetupHrsT=None) == Decimal("3.55")


@pytest.mark.parametrize(("efficiency", "hours"), [("80.0", "4.25"), ("0.0", "3.55"), (None, "3.55")])
def test_efficiency_divides_the_run_hours_alone(efficiency: str | None, hours: str) -> None:
    assert one("hours_remaining", Efficiency=efficiency) == Decimal(hours)  # 0.75 + 2.8 / 0.8


def test_fixed_hours_shrink_with_what_remains() -> None:
    assert planned("hours_remaining", SchedHrs="10.00000000") == Decimal("5.60")  # 10 x 14 / 25


def test_hours_are_rounded_half_away_from_zero_from_the_exact_value() -> None:
    assert planned("hours_remaining", SetupHrs="0.00500000", RunLbrHrs=None) == Decimal("0.01")
    assert planned("hours_remaining", SetupHrs="-0.00500000", RunLbrHrs=None) == Decimal("-0.01")
    assert planned("hours_remaining", SetupHrs="0.00499999", RunLbrHrs=None) == Decimal("0.00")


def test_hours_are_null_without_a_schedule_row_but_zero_when_complete() -> None:
    rows = plant(SLJrtSchs=[{"OperNum": "20"}], SLJobRoutes=[{}, {"OperNum": "15", "Complete": "1"}])

    answer = schedule(rows, include_completed=True)

    assert column(answer, "hours_remaining") == [None, Decimal(0)]
    assert column(answer, "sched_start") == [None, None]
    assert column(answer, "status") == ["unknown", "complete"]


def test_a_schedule_row_of_nulls_is_known_and_makes_zero_hours() -> None:
    nothing = dict.fromkeys(name for name in DEFAULTS["SLJrtSchs"] if name not in OPERATION)

    shown = record(schedule(plant(SLJrtSchs=[nothing])))

    assert (shown["hours_remaining"], shown["status"]) == (Decimal(0), "unknown")


def test_an_operation_with_nothing_left_needs_no_setup_either() -> None:
    assert one("hours_remaining", QtyComplete="24.00000000") == 0


def test_dates_carry_the_offset_of_the_zone_and_the_milliseconds() -> None:
    start = planned("sched_start", StartDate="20260701 08:00:00.123")

    assert isinstance(start, datetime)
    assert start.isoformat(timespec="milliseconds") == "2026-07-01T08:00:00.123+02:00"


@pytest.mark.parametrize("written", ["20261123", "20261123 00:00:00", "2026-11-23T00:00:00"])
def test_dates_come_with_or_without_time_milliseconds_and_dashes(written: str) -> None:
    assert planned("sched_start", StartDate=written) == datetime(2026, 11, 23, tzinfo=BERLIN)


def test_a_repeated_hour_is_read_as_its_first_pass() -> None:
    start = planned("sched_start", StartDate="20261025 02:30:00.000")

    assert isinstance(start, datetime)
    assert start.isoformat() == "2026-10-25T02:30:00+02:00"


@pytest.mark.parametrize("far", ["20490101 00:00:00.000", "20991231 23:59:59.000", "20261332 00:00:00.000"])
def test_far_and_unreadable_dates_are_none(far: str) -> None:
    rows = plant(SLJrtSchs=[{"StartDate": far, "EndDate": far}], SLJobs=[{"JschEndDate": far}])

    shown = record(schedule(rows))

    assert (shown["sched_start"], shown["sched_finish"], shown["job_due"]) == (None, None, None)
    assert shown["status"] == "unknown"


def test_the_last_moment_of_2048_is_a_date() -> None:
    assert planned("status", EndDate="20481231 23:59:59.997") == "on_track"


@pytest.mark.parametrize(
    ("finish", "status"), [("20261122 10:59:59.999", "behind"), ("20261122 11:00:00.000", "on_track")]
)
def test_an_operation_is_behind_when_its_finish_is_before_now(finish: str, status: str) -> None:
    assert planned("status", EndDate=finish) == status


def test_behind_compares_instants_in_the_repeated_hour() -> None:
    now = datetime(2026, 10, 25, 2, 15, tzinfo=BERLIN, fold=1)  # the second 02:15, after the first 02:30
    rows = plant(SLJrtSchs=[{"EndDate": "20261025 02:30:00.000"}])

    assert record(expected_schedule(rows, now=now, zone=BERLIN))["status"] == "behind"


def test_complete_wins_over_behind() -> None:
    late = [{"EndDate": "20260101 00:00:00.000"}]
    closed = plant(SLJrtSchs=late, SLJobRoutes=[{"Complete": "1"}])
    finished = plant(SLJrtSchs=late, SLJobRoutes=[{"QtyComplete": "24"}])

    for rows in (closed, finished):
        assert schedule(rows).records == []
        assert record(schedule(rows, include_completed=True))["status"] == "complete"


def test_stock_is_that_of_the_job_warehouse_and_null_without_a_row() -> None:
    rows = plant(SLItemwhses=[{}, {"Whse": "EAST", "QtyOnHand": "-3.00000000"}], SLJobs=[{"Whse": "EAST"}])

    assert record(schedule(rows))["qty_on_hand"] == Decimal(-3)
    assert record(schedule(plant(SLJobs=[{"Whse": "WEST"}])))["qty_on_hand"] is None
    assert record(schedule(plant(SLJobs=[{"Whse": None}])))["qty_on_hand"] is None


@pytest.mark.parametrize("kind", ["I", "J", None])
def test_the_order_is_shown_only_for_jobs_made_to_an_order(kind: str | None) -> None:
    shown = record(schedule(plant(SLJobs=[{"OrdType": kind}])))

    assert (shown["order_num"], shown["order_line"], shown["customer_num"]) == (None, None, "888")


def test_blank_texts_are_null() -> None:
    rows = plant(
        SLJobs=[{"Item": " ", "Whse": "", "CustNum": "       ", "OrdNum": " ", "JschPriority": ""}],
        SLWcs=[{"Description": "  "}],
    )

    shown = record(schedule(rows))

    names = ("item", "item_description", "warehouse", "customer_num", "order_num", "priority")
    assert [shown[name] for name in (*names, "work_center_description", "qty_on_hand")] == [None] * 8


def test_deleted_items_and_work_centers_have_no_description_even_if_the_operation_has_one() -> None:
    shown = record(schedule(plant(SLItems=[], SLWcs=[])))

    assert (shown["item_description"], shown["work_center_description"]) == (None, None)


def test_without_the_schedule_collection_the_joined_properties_of_the_operation_serve() -> None:
    shown = record(schedule(plant(), missing=frozenset({"SLJrtSchs"})))

    assert shown["sched_start"] == datetime(2026, 11, 23, 6, 0, tzinfo=BERLIN)
    assert shown["sched_finish"] == datetime(2026, 11, 26, 14, 0, tzinfo=BERLIN)
    assert shown["hours_remaining"] == Decimal(43)  # 1 + 14 x 3


def test_an_operation_without_any_joined_schedule_value_has_unknown_hours() -> None:
    nothing = dict.fromkeys(JSH)
    denied = frozenset({"SLJrtSchs"})

    empty = schedule(plant(SLJobRoutes=[nothing]), missing=denied)
    driven = schedule(plant(SLJobRoutes=[{**nothing, "JshSchedDrv": "L"}]), missing=denied)

    assert record(empty)["hours_remaining"] is None
    assert record(driven)["hours_remaining"] == Decimal(0)
    assert record(driven)["status"] == "unknown"


def test_without_items_stock_and_work_centers_the_operation_says_what_it_can() -> None:
    shown = record(schedule(plant(), missing=frozenset({"SLItems", "SLItemwhses", "SLWcs"})))

    assert shown["item_description"] == "Joined bed"
    assert shown["work_center_description"] == "Joined welding"
    assert shown["qty_on_hand"] is None


def test_the_answer_is_ordered_by_start_job_suffix_and_operation() -> None:
    late, early = "20261124 08:00:00.000", "20261123 08:00:00.000"
    placed = [
        ("b", "0", "10", early),
        ("B", "0", "20", early),
        ("B", "1", "5", early),
        ("_", "0", "10", early),
        ("a", "0", "10", late),
        ("A", "0", "9", None),
        ("A", "0", "100", None),
    ]
    keys: list[Row] = [{"Job": job, "Suffix": suffix, "OperNum": number} for job, suffix, number, _ in placed]
    starts: list[Row] = [{**key, "StartDate": when} for key, (*_, when) in zip(keys, placed, strict=True)]
    rows = plant(SLJobs=keys, SLJobRoutes=keys[::-1], SLJrtSchs=starts)

    answer = schedule(rows, include_completed=True)

    shown = [(r["job"], str(r["suffix"]), str(r["operation_num"])) for r in answer.records]
    # "_" (U+005F) stands before the folded "b" (U+0062), though after "B" (U+0042)
    assert shown == [placed[index][:3] for index in (3, 0, 1, 2, 4, 5, 6)]


def test_starts_are_ordered_as_instants_where_the_clock_skips_an_hour() -> None:
    skipped, after = "20260329 02:30:00.000", "20260329 03:10:00.000"  # 01:30 and 01:10 in UTC
    keys: list[Row] = [{"OperNum": "10"}, {"OperNum": "20"}]
    rows = plant(
        SLJobRoutes=keys,
        SLJrtSchs=[{**keys[0], "StartDate": skipped}, {**keys[1], "StartDate": after}],
    )

    assert column(schedule(rows), "operation_num") == [20, 10]


def test_the_summary_counts_the_answer() -> None:
    rows = plant(
        SLJobs=[{}, {"Suffix": "1"}],
        SLJobRoutes=[
            {"OperNum": "10", "Wc": "WELD"},
            {"OperNum": "20", "Wc": "paint", "QtyScrapped": None},
            {"OperNum": "30", "Wc": "weld ", "Complete": "1"},
            {"OperNum": "10", "Suffix": "1", "Wc": None},
            {"OperNum": "40", "Wc": "SAW", "Complete": "1"},
        ],
        SLJrtSchs=[{}, {"OperNum": "20", "EndDate": "20261101 00:00:00.000"}],
    )

    assert list(schedule(rows).summary.items()) == [
        ("total", 3),
        ("on_track", 1),
        ("behind", 1),
        ("complete", 0),
        ("unknown", 1),
        ("jobs", 2),
        ("hours_remaining", Decimal("7.10")),
        ("work_centers", ["paint", "WELD"]),
    ]
    whole = schedule(rows, include_completed=True).summary
    assert (whole["total"], whole["complete"], whole["jobs"]) == (5, 2, 2)
    assert whole["work_centers"] == ["paint", "SAW", "WELD"]


def test_hours_are_rounded_before_they_are_summed() -> None:
    keys: list[Row] = [{"OperNum": "10"}, {"OperNum": "20", "QtyScrapped": "0"}]
    tiny: list[Row] = [{**key, "SetupHrs": "0.00500000", "RunLbrHrs": "0"} for key in keys]

    assert schedule(plant(SLJobRoutes=keys, SLJrtSchs=tiny)).summary["hours_remaining"] == Decimal("0.02")


def test_an_empty_answer_has_a_summary_of_nothing() -> None:
    assert schedule(plant(), job="J99").summary == {
        "total": 0,
        "on_track": 0,
        "behind": 0,
        "complete": 0,
        "unknown": 0,
        "jobs": 0,
        "hours_remaining": Decimal(0),
        "work_centers": [],
    }
