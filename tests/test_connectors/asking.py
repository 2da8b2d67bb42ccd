"""How these tests ask the production schedule and what its answer is compared with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from kai_erp.app import LARGEST_LIMIT, Answer, App, Asked
from kai_erp.connectors import ScheduleQuery
from tests.oracles.production_schedule import expected_schedule

Rows = Mapping[str, Sequence[Mapping[str, str | None]]]
OPTIONAL = ("SLJrtSchs", "SLItems", "SLItemwhses", "SLWcs")


@dataclass(frozen=True, slots=True)
class Truth:
    """What the ERP holds, when it is looked at, and which collections it does not give."""

    rows: Rows
    now: datetime
    zone: ZoneInfo
    missing: frozenset[str] = frozenset()


async def ask(app: App, query: ScheduleQuery | None = None, limit: int = LARGEST_LIMIT) -> Answer:
    return await app.ask(Asked("production_schedule", query or ScheduleQuery(), limit=limit))


def check(answer: Answer, query: ScheduleQuery, truth: Truth) -> None:
    """Assert that a whole answer is what the contract promises for the ERP's rows."""
    check_records(answer.records.to_pylist(), answer.summary, query, truth)
    assert answer.meta.total_count == answer.records.num_rows


def check_records(
    records: list[dict[str, object]], summary: Mapping[str, object], query: ScheduleQuery, truth: Truth
) -> None:
    expected = expected_schedule(
        truth.rows, now=truth.now, zone=truth.zone, missing=truth.missing, **query.model_dump()
    )
    assert comparable(records) == comparable(expected.records), query
    assert dict(summary) == expected.summary, query


def comparable(records: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """Return records with moments as UTC: Python holds no moment of a repeated hour equal to one elsewhere."""
    return [{name: _instant(value) for name, value in record.items()} for record in records]


def _instant(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def warnings(answer: Answer) -> list[tuple[str, str | None]]:
    return [(caution.code, caution.collection) for caution in answer.meta.warnings]


def statuses(answer: Answer) -> dict[str, str]:
    return {read.collection: read.status for read in answer.meta.upstream}
