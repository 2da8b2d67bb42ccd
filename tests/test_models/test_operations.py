"""Records and envelope: what they take, and what they show as JSON."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from kai_erp.core.types import CollectionReport, DataSource, Freshness, Notice
from kai_erp.models import Caution, Envelope, Meta, ScheduledOperation, ScheduleSummary, UpstreamRead
from kai_erp.models.result import utc_text

OPERATION: dict[str, Any] = {
    "job": "J000000012",
    "suffix": 0,
    "operation_num": 10,
    "item": "FB-1020",
    "item_description": None,
    "warehouse": "MAIN",
    "work_center": "WELD",
    "work_center_description": None,
    "qty_released": Decimal("25.00000000"),
    "qty_complete": Decimal("10.00000000"),
    "qty_scrapped": Decimal(1),
    "qty_remaining": Decimal("14.00000000"),
    "qty_here": Decimal(9),
    "pct_complete": Decimal("40.0"),
    "hours_remaining": Decimal("3.55"),
    "sched_start": datetime(2026, 11, 23, 8, tzinfo=ZoneInfo("Europe/Berlin")),
    "sched_finish": None,
    "status": "unknown",
    "qty_on_hand": None,
    "job_due": date(2026, 11, 30),
    "priority": 7,
    "customer_num": "888",
    "order_num": None,
    "order_line": None,
}
SUMMARY = {
    "total": 1,
    "on_track": 0,
    "behind": 0,
    "complete": 0,
    "unknown": 1,
    "jobs": 1,
    "hours_remaining": Decimal("3.55"),
    "work_centers": ["WELD"],
}
MOMENT = datetime(2026, 11, 22, 10, 0, 0, 123_456, tzinfo=UTC)


def test_an_operation_shows_numbers_as_numbers_and_moments_with_their_offset() -> None:
    shown = json.loads(ScheduledOperation(**OPERATION).model_dump_json())
    assert list(shown) == list(OPERATION)
    assert shown["qty_released"] == 25
    assert shown["hours_remaining"] == 3.55
    assert shown["sched_start"] == "2026-11-23T08:00:00+01:00"
    assert shown["job_due"] == "2026-11-30"
    assert shown["qty_on_hand"] is None


def test_quantities_stay_exact_inside() -> None:
    record = ScheduledOperation(**OPERATION | {"qty_here": Decimal("0.10000000")})
    assert record.model_dump()["qty_here"] == Decimal("0.1")


@pytest.mark.parametrize(
    "wrong",
    [{"status": "late"}, {"job": None}, {"suffix": None}, {"qty_released": None}, {"qty_here": "many"}],
    ids=str,
)
def test_an_operation_without_what_it_must_have_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ScheduledOperation(**OPERATION | wrong)


@pytest.mark.parametrize("name", OPERATION)
def test_no_field_may_be_left_out(name: str) -> None:
    with pytest.raises(ValidationError):
        ScheduledOperation(**{field: value for field, value in OPERATION.items() if field != name})


def test_records_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        setattr(ScheduledOperation(**OPERATION), "job", "other")  # noqa: B010  # a type checker refuses it too


def test_the_schema_says_that_quantities_are_numbers() -> None:
    properties = ScheduledOperation.model_json_schema(mode="serialization")["properties"]
    assert properties["qty_released"]["type"] == "number"
    assert {choice["type"] for choice in properties["hours_remaining"]["anyOf"]} == {"number", "null"}
    assert properties["status"]["enum"] == ["on_track", "behind", "complete", "unknown"]


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (MOMENT, "2026-11-22T10:00:00.123Z"),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00.000Z"),
    ],
)
def test_a_moment_is_shown_in_utc_with_milliseconds(moment: datetime, text: str) -> None:
    assert utc_text(moment) == text


def test_what_was_read_and_what_must_be_known_go_into_the_meta() -> None:
    notice = Notice("collection_denied", "no", "SLJrtSchs")
    report = CollectionReport("SLJobs", 7, 2, 12.5, "ok", MOMENT)
    assert Caution.of(notice).model_dump() == {
        "code": "collection_denied",
        "collection": "SLJrtSchs",
        "message": "no",
    }
    assert json.loads(UpstreamRead.of(report).model_dump_json()) == {
        "collection": "SLJobs",
        "rows": 7,
        "pages": 2,
        "ms": 12.5,
        "status": "ok",
        "as_of": "2026-11-22T10:00:00.123Z",
    }


def test_an_envelope_is_read_back_from_its_json() -> None:
    meta = Meta(
        connector="production_schedule",
        source=DataSource.REST,
        freshness=Freshness.REALTIME,
        simulated=False,
        as_of=MOMENT.replace(microsecond=0),
        latency_ms=1.5,
        record_count=1,
        total_count=1,
        truncated=False,
        next_cursor=None,
        filters_applied={},
        warnings=[],
        upstream=[],
    )
    kind = Envelope[ScheduledOperation, ScheduleSummary]
    envelope = kind(data=[ScheduledOperation(**OPERATION)], summary=ScheduleSummary(**SUMMARY), meta=meta)
    assert kind.model_validate_json(envelope.model_dump_json()).model_dump_json() == envelope.model_dump_json()
