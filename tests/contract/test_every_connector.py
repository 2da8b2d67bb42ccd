"""What every connector owes, whichever there are: a full declaration, and answers that keep to it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import get_args
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from pydantic import BaseModel

from kai_erp.app import LARGEST_LIMIT, Answer, App, Asked, open_app
from kai_erp.catalogue import collections_of
from kai_erp.config import Settings
from kai_erp.connectors import BaseConnector, Moment
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.rest_engine import check_order
from kai_erp.plugins import all_connectors
from kai_erp.simulator import RunningSimulator

Connector = BaseConnector[ConnectorQuery]
MOMENT = Moment(datetime(2026, 5, 20, 15, 30, tzinfo=UTC), ZoneInfo("America/Chicago"))
NONSENSE = "no such thing"

pytestmark = pytest.mark.parametrize("connector", all_connectors(), ids=lambda connector: connector.name)


@pytest.fixture
async def asked(settings: Settings, now: datetime) -> AsyncIterator[App]:
    """An app that asks the shared simulator."""
    async with open_app(settings, now=lambda: now) as opened:
        yield opened


async def ask(app: App, connector: Connector, query: ConnectorQuery) -> Answer:
    return await app.ask(Asked(connector.name, query, limit=LARGEST_LIMIT))


def unfiltered(connector: Connector) -> ConnectorQuery:
    """Return the question that narrows least: nothing is given, but for a letter where a text must be."""
    required = {name: "a" for name, field in connector.query.model_fields.items() if field.is_required()}
    return connector.query.model_validate(required)


def test_the_declaration_is_complete(connector: Connector) -> None:
    for name in ("name", "title", "description", "path", "tool", "verb", "scope"):
        assert getattr(connector, name).strip() == getattr(connector, name) != ""
    assert connector.path.startswith("/")
    assert connector.scope.endswith(":read")
    assert issubclass(connector.query, ConnectorQuery)
    assert issubclass(connector.record, BaseModel)
    assert issubclass(connector.summary, BaseModel)
    assert isinstance(connector.example, connector.query)


def test_names_are_those_of_nobody_else(connector: Connector) -> None:
    for name in ("name", "path", "tool", "verb", "scope"):
        values = [getattr(other, name) for other in all_connectors()]
        assert values.count(getattr(connector, name)) == 1


def test_every_parameter_and_every_field_is_described(connector: Connector) -> None:
    for model in (connector.query, connector.record):
        for name, field in model.model_fields.items():
            assert field.description, name


def test_the_table_shows_fields_of_the_record(connector: Connector) -> None:
    fields = set(connector.record.model_fields)
    if connector.rows_of is not None:
        fields |= {f"{connector.rows_of}.{name}" for name in part_of(connector, connector.rows_of).model_fields}
    assert set(connector.table_fields) <= fields
    assert set(connector.wide_fields) <= set(connector.table_fields)
    assert set(connector.headings) <= set(connector.table_fields)


def test_the_vocabulary_is_that_of_parameters_and_staged_columns(connector: Connector) -> None:
    spec = connector.get_rest_spec(connector.example, MOMENT)
    columns = {(read.table, prop.name) for read in spec.collections for prop in read.properties}
    for name, words in connector.vocabulary.items():
        assert name in connector.query.model_fields
        assert set(words.staged) <= columns
        for path in words.fields:
            field, _, inner = path.partition(".")
            assert field in connector.record.model_fields
            assert not inner or inner in part_of(connector, field).model_fields


def part_of(connector: Connector, field: str) -> type[BaseModel]:
    """Return the record within the records that a list field holds."""
    part: type[BaseModel] = get_args(connector.record.model_fields[field].annotation)[0]
    return part


def test_the_collections_are_declared_in_an_order_that_can_be_read(connector: Connector) -> None:
    spec = connector.get_rest_spec(connector.example, MOMENT)
    check_order(spec.collections)
    assert [read.table for read in spec.collections if read.driving] != []
    assert all(read.required for read in spec.collections if read.driving)
    for read in spec.collections:
        wire = {prop.wire for prop in read.properties}
        assert set(read.key) <= wire, f"{read.table} is not read with its key"
        if read.fallback:
            assert read.fallback.table == read.table
            assert {prop.name for prop in read.properties} == {prop.name for prop in read.fallback.properties}


def test_every_property_exists_on_the_tenant(connector: Connector, simulator: RunningSimulator) -> None:
    for entry in collections_of(connector):
        known = simulator.plant.collections[entry.name].columns
        assert [name for name in entry.properties if name not in known] == []


async def test_the_example_is_answered(connector: Connector, asked: App) -> None:
    answer = await ask(asked, connector, connector.example)
    assert answer.records.num_rows > 0
    assert {caution.code for caution in answer.meta.warnings} <= {"mixed_currencies"}
    assert answer.meta.connector == connector.name


async def test_records_have_the_fields_of_the_model_in_its_order(connector: Connector, asked: App) -> None:
    for query in (connector.example, unfiltered(connector)):
        answer = await ask(asked, connector, query)
        assert answer.records.column_names == list(connector.record.model_fields)
        for record in answer.records.to_pylist():
            connector.record.model_validate(record)


async def test_the_summary_is_one_of_its_model(connector: Connector, asked: App) -> None:
    answer = await ask(asked, connector, connector.example)
    assert list(answer.summary) == list(connector.summary.model_fields)
    assert connector.summary.model_validate(answer.summary).model_dump()["total"] == answer.records.num_rows


async def test_an_empty_answer_has_the_same_columns_and_types(connector: Connector, asked: App) -> None:
    full = await ask(asked, connector, connector.example)
    empty = await ask(asked, connector, nonsense(connector))
    assert empty.records.schema == full.records.schema
    connector.summary.model_validate(empty.summary)


async def test_a_filter_narrows_and_says_so(connector: Connector, asked: App) -> None:
    whole = await ask(asked, connector, unfiltered(connector))
    narrowed = await ask(asked, connector, connector.example)
    assert 0 < narrowed.records.num_rows < whole.records.num_rows
    assert narrowed.meta.filters_applied == connector.example.model_dump(exclude_defaults=True)
    assert set(rows(narrowed.records)) <= set(rows(whole.records))


def rows(records: pa.Table) -> list[str]:
    return [repr(record) for record in records.to_pylist()]


async def test_nonsense_matches_nothing_and_the_answer_says_so(connector: Connector, asked: App) -> None:
    answer = await ask(asked, connector, nonsense(connector))
    assert answer.records.num_rows == 0
    assert [caution.code for caution in answer.meta.warnings] == ["no_match"]
    assert NONSENSE in answer.meta.warnings[0].message


def nonsense(connector: Connector) -> ConnectorQuery:
    """Return a question for something that there is not."""
    name = next(iter(connector.vocabulary), "query")
    return connector.query.model_validate(connector.example.model_dump() | {name: NONSENSE})


async def test_the_same_question_has_the_same_answer(connector: Connector, asked: App) -> None:
    first, second = [await ask(asked, connector, connector.example) for _ in range(2)]
    assert first.records == second.records
    assert first.summary == second.summary
