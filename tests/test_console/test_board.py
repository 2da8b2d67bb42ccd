"""The board: every operation is on it or counted beside it, and no bar covers another."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from kai_erp.console.board import Lane, fill, lanes_of, window_of

ZONE = ZoneInfo("America/Chicago")
TODAY = date(2026, 11, 28)
NOON = datetime(2026, 11, 28, 18, tzinfo=UTC)
MOMENTS = st.none() | st.integers(-60 * 24, 60 * 24).map(lambda hours: NOON + timedelta(hours=hours))
OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {
            "job": st.sampled_from(["J1", "J000002"]),
            "suffix": st.integers(0, 2),
            "operation_num": st.sampled_from([10, 20, 30]),
            "work_center": st.sampled_from(["WELD", "weld", "SAW", None]),
            "work_center_description": st.sampled_from(["Welding", None]),
            "status": st.sampled_from(["behind", "on_track", "unknown", "complete"]),
            "hours_remaining": st.none() | st.decimals(0, 99, places=2),
            "sched_start": MOMENTS,
            "sched_finish": MOMENTS,
        }
    ),
    max_size=60,
)
SCHEMA = pa.schema(
    {
        "job": pa.string(),
        "suffix": pa.int64(),
        "operation_num": pa.int64(),
        "work_center": pa.string(),
        "work_center_description": pa.string(),
        "status": pa.string(),
        "hours_remaining": pa.decimal128(38, 2),
        "sched_start": pa.timestamp("us", "America/Chicago"),
        "sched_finish": pa.timestamp("us", "America/Chicago"),
    }
)


def filled(operations: list[dict[str, object]], weeks: int = 4) -> list[Lane]:
    table = pa.Table.from_pylist(operations, schema=SCHEMA)
    lanes = lanes_of(table)
    fill(lanes, table, window_of(None, weeks, TODAY, ZONE))
    return lanes


@settings(deadline=None)
@given(OPERATIONS, st.sampled_from([1, 2, 4, 8]))
def test_no_operation_is_lost(operations: list[dict[str, object]], weeks: int) -> None:
    lanes = filled(operations, weeks)
    assert sum(lane.operations for lane in lanes) == len(operations)
    for lane in lanes:
        assert len(lane.bars) + lane.earlier + lane.later + lane.unscheduled == lane.operations
        own = [one for one in operations if one["work_center"] == lane.work_center]
        assert lane.behind == sum(one["status"] == "behind" for one in own)
        hours = [Decimal(str(one["hours_remaining"])) for one in own if one["hours_remaining"] is not None]
        assert (lane.hours or 0) == sum(hours)


@settings(deadline=None)
@given(OPERATIONS)
def test_no_bar_covers_another_or_leaves_the_axis(operations: list[dict[str, object]]) -> None:
    for lane in filled(operations):
        rows = defaultdict(list)
        for bar in lane.bars:
            assert 0 <= bar.x <= 100
            assert bar.width > 0
            assert bar.x + bar.width <= 100.3
            rows[bar.row].append((bar.x, bar.x + bar.width))
        for spans in rows.values():
            assert all(stop <= start + 0.02 for (_, stop), (start, _) in pairwise(sorted(spans)))
        assert lane.rows == max([1, *(row + 1 for row in rows)])


def test_lanes_that_are_most_behind_come_first() -> None:
    def one(center: str | None, status: str) -> dict[str, object]:
        return {"work_center": center, "status": status}

    lanes = filled(
        [one("A", "on_track"), one(None, "behind"), one("C", "behind"), one("C", "behind"), one("B", "behind")]
    )
    assert [(lane.work_center, lane.behind) for lane in lanes] == [("C", 2), ("B", 1), (None, 1), ("A", 0)]


def test_a_bar_stands_where_its_hours_are_even_when_clocks_change() -> None:
    window = window_of("2026-10-26", 1, TODAY, ZONE)  # summer time ends on November 1, its last day
    assert window.place(window.start) == 0
    assert window.place(window.stop) == 100
    assert (window.stop.astimezone(UTC) - window.start.astimezone(UTC)) == timedelta(days=7, hours=1)
    half = window.place(datetime(2026, 10, 29, 12, 30, tzinfo=ZONE))
    assert round(half, 3) == 50


def test_an_odd_address_shows_the_usual_window() -> None:
    for text, weeks in (("nonsense", 4), (None, 3), ("2026-13-01", 0)):
        window = window_of(text, weeks, TODAY, ZONE)
        assert window.weeks == 4
        assert window.first <= TODAY < window.first + timedelta(weeks=4)


def test_hidden_fields_leave_a_board_that_can_be_read() -> None:
    table = pa.table({"job": ["J1"], "suffix": [0], "operation_num": [10]})
    lanes = lanes_of(table)
    fill(lanes, table, window_of(None, 4, TODAY, ZONE))
    assert [(lane.work_center, lane.operations, lane.unscheduled) for lane in lanes] == [(None, 1, 1)]
