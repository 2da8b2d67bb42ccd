"""A kept answer comes back from bytes as it was, to the last digit."""

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, get_args

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kai_erp.app import App, Asked
from kai_erp.config import load_settings
from kai_erp.connectors import ConnectorResult, ScheduleQuery
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import CollectionReport, DataSource, Freshness, Notice, NoticeCode, ReadStatus
from kai_erp.plugins import shown_connectors
from kai_erp.shared.packing import NotPackable, pack, unpack
from kai_erp.snapshots import Question, Snapshot

NAMES = [connector.name for connector in shown_connectors(load_settings())]
moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001  # bounds
    lambda moment: moment.replace(fold=0)
)
texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=50)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    texts,
    st.floats(),
    st.decimals(allow_nan=False),
    st.dates(),
    moments,
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(texts, inner, max_size=3),
    ),
    max_leaves=8,
)
summaries = st.dictionaries(texts, values, max_size=5)
reports = st.builds(
    CollectionReport,
    texts,
    st.integers(0),
    st.integers(0),
    st.floats(0, 1e6),
    st.sampled_from(get_args(ReadStatus)),
    moments,
)
notices = st.builds(Notice, st.sampled_from(get_args(NoticeCode)), texts, st.none() | texts)


def cells(kind: pa.DataType) -> st.SearchStrategy[Any]:
    """Return values of a column of a record, nulls among them."""
    if pa.types.is_list(kind):
        return st.none() | st.lists(cells(kind.value_type), max_size=3)
    if pa.types.is_struct(kind):
        return st.none() | st.fixed_dictionaries({field.name: cells(field.type) for field in kind})
    return st.none() | _plain_cells(kind)


def _plain_cells(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_decimal(kind):
        digits = 10 ** (kind.precision - kind.scale - 1)
        return st.decimals(-digits, digits, places=kind.scale)
    if pa.types.is_timestamp(kind):
        return moments
    plain = {pa.string(): texts, pa.int64(): st.integers(-(2**63), 2**63 - 1), pa.bool_(): st.booleans()}
    return plain[kind] if kind in plain else {pa.date32(): st.dates()}[kind]


def queries(connector: Any) -> st.SearchStrategy[ConnectorQuery]:  # noqa: ANN401  # of any query
    """Return questions that name some parameters, and leave others out."""
    given_texts = texts.map(lambda text: f"x{text}")
    fields = {
        name: st.booleans()
        if field.annotation is bool
        else st.integers(0, 365)
        if int in get_args(field.annotation)
        else given_texts
        for name, field in connector.query.model_fields.items()
    }
    needed = {
        name: fields.pop(name) for name, field in connector.query.model_fields.items() if field.is_required()
    }
    return st.fixed_dictionaries(needed, optional=fields).map(lambda given: connector.query(**given))


@pytest.mark.parametrize("name", NAMES)
async def test_answers_of_every_connector_come_back_exactly(app: App, name: str) -> None:
    connector = app.connectors[name]
    schema = (await app.ask(Asked(name, connector.example))).records.schema
    rows = st.lists(st.fixed_dictionaries({field.name: cells(field.type) for field in schema}), max_size=4)

    @given(rows, queries(connector), summaries, st.lists(reports, max_size=3), st.lists(notices, max_size=3))
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(
        rows: list[dict[str, Any]],
        query: ConnectorQuery,
        summary: dict[str, Any],
        upstream: list[CollectionReport],
        said: list[Notice],
    ) -> None:
        question = Question(name, query, Freshness.NEAR_REALTIME, "key:änna")
        records = pa.Table.from_pylist(rows, schema)
        result = ConnectorResult(
            records, summary, DataSource.LAKE, datetime(2026, 5, 1, 1, 2, 3, 4, UTC), tuple(upstream), tuple(said)
        )
        assert_same(unpack(pack(Snapshot(question, result)), connector.query), Snapshot(question, result))

    check()


def assert_same(found: Snapshot, expected: Snapshot) -> None:
    assert found.question == expected.question
    assert found.question.query.model_dump(exclude_unset=True) == expected.question.query.model_dump(
        exclude_unset=True
    )
    assert found.result.records.schema.equals(expected.result.records.schema, check_metadata=True)
    assert found.result.records.equals(expected.result.records)
    # by repr, since 1 == True == Decimal("1.0"), and since a float that is no number equals nothing
    assert repr(found.result.summary) == repr(expected.result.summary)
    for part in ("source", "as_of", "upstream", "notices"):
        assert repr(getattr(found.result, part)) == repr(getattr(expected.result, part))


def snapshot_with(summary: dict[str, Any], records: pa.Table | None = None) -> Snapshot:
    table = pa.table({"row": [1, 2, 3]}) if records is None else records
    result = ConnectorResult(table, summary, DataSource.REST, datetime(2026, 1, 1, tzinfo=UTC), (), ())
    return Snapshot(Question("production_schedule", ScheduleQuery(), Freshness.REALTIME), result)


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize("value", [Colour.RED, object(), b"bytes", {1: "no text"}, {"a": [Colour.RED]}, {1, 2}])
def test_a_value_that_would_not_come_back_as_it_is_is_not_packed(value: object) -> None:
    with pytest.raises(NotPackable):
        pack(snapshot_with({"value": value}))


def test_a_text_that_looks_like_a_mark_stays_a_text() -> None:
    summary = {"decimal": "1.5", "dict": {"Decimal": "1.5"}, "list": ["date", "2026-01-01"]}
    assert unpack(pack(snapshot_with(summary)), ScheduleQuery).result.summary == summary


def test_records_in_several_pieces_or_part_of_a_table_come_back_too() -> None:
    whole = pa.table({"row": list(range(10)), "text": [None, *"abcdefghi"]})
    pieces = pa.concat_tables([whole.slice(2, 3), whole.slice(7)])
    assert unpack(pack(snapshot_with({}, pieces)), ScheduleQuery).result.records.equals(pieces)


def test_an_answer_takes_less_room_than_its_columns() -> None:
    table = pa.table({"text": ["the same text again and again"] * 10_000})
    assert len(pack(snapshot_with({}, table))) < table.nbytes / 10


def test_decimals_and_dates_keep_their_kind() -> None:
    summary = {"amount": Decimal("1.50"), "day": date(2026, 5, 1), "at": datetime(2026, 5, 1, 12, tzinfo=UTC)}
    assert repr(unpack(pack(snapshot_with(summary)), ScheduleQuery).result.summary) == repr(summary)
