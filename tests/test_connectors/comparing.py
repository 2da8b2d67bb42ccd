"""How a whole answer is held against what an oracle expects of it."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice

from pydantic import BaseModel

from kai_erp.app import Answer
from tests.oracles.answers import Expected

SHOWN = 5
CALLED_FOR = frozenset({"mixed_currencies", "job_allocation_unplaced", "no_match"})


def check_whole(answer: Answer, expected: Expected, record: type[BaseModel], asked: object) -> None:
    """Assert that a whole answer is the expected one, warnings that the data call for included."""
    records = answer.records.to_pylist()
    check_records(records, answer.summary, expected, asked)
    assert answer.meta.total_count == answer.records.num_rows
    assert {caution.code for caution in answer.meta.warnings} & CALLED_FOR == expected.codes, asked
    assert answer.records.column_names == list(record.model_fields)
    for shown in records:
        record.model_validate(shown)


def check_records(
    records: Sequence[Mapping[str, object]], summary: Mapping[str, object], expected: Expected, asked: object
) -> None:
    found = [
        *islice(differences("summary", dict(summary), expected.summary), SHOWN),
        *islice(differences("records", records, expected.records), SHOWN),
    ]
    assert not found, f"{asked!r}: {found}"


def differences(place: str, actual: object, expected: object) -> Iterator[str]:
    """Yield where two values differ: in content, in type, or in the order of their fields."""
    if isinstance(expected, dict) and isinstance(actual, dict) and list(actual) == list(expected):
        for name, value in expected.items():
            yield from differences(f"{place}.{name}", actual[name], value)
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(actual) != len(expected):
            yield f"{place}: {_extra(actual, expected)} too much, {_extra(expected, actual)} missing"
        for number, (one, other) in enumerate(zip(actual, expected, strict=False)):
            yield from differences(f"{place}[{number}]", one, other)
    elif _kind(actual) is not _kind(expected) or actual != expected:
        yield f"{place}: {actual!r} instead of {expected!r}"


def _kind(value: object) -> type:
    """Return the type of a value; a whole number is as exact as a decimal."""
    return Decimal if type(value) is int else type(value)


def _extra(some: Sequence[object], others: Sequence[object]) -> list[object]:
    return [one for one in map(_name, some) if one not in list(map(_name, others))][:SHOWN]


def _name(value: object) -> object:
    return next(iter(value.values()), None) if isinstance(value, dict) else value
