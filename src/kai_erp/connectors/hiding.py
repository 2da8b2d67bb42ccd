"""Fields that nobody sees: left out of records, of the lists within, of summaries and of what describes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from functools import reduce
from operator import or_
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel, create_model

if TYPE_CHECKING:
    from kai_erp.connectors.base import BaseConnector, Words

C = TypeVar("C", bound="BaseConnector[Any]")


def field_names(model: type[BaseModel]) -> Iterator[str]:
    """Yield the names of a record's fields, and of the fields of the records within it."""
    for name, field in model.model_fields.items():
        yield name
        for inner in _models_in(field.annotation):
            yield from field_names(inner)


def hiding(connector: C, hidden: frozenset[str]) -> C:
    """Return a connector that shows, and tells of, no hidden field; the given one where it has none of them."""
    if hidden.isdisjoint({*field_names(connector.record), *field_names(connector.summary)}):
        return connector
    reduced = copy(connector)
    vars(reduced).update(
        hidden=hidden,
        record=_without(connector.record, hidden),
        summary=_without(connector.summary, hidden | _lists_of(connector.summary, hidden)),
        table_fields=tuple(name for name in connector.table_fields if name not in hidden),
        wide_fields=tuple(name for name in connector.wide_fields if name not in hidden),
        headings={name: text for name, text in connector.headings.items() if name not in hidden},
        rows_of=None if connector.rows_of in hidden else connector.rows_of,
        vocabulary=_still_told(connector.vocabulary, hidden),
    )
    return reduced


def visible_rows(table: pa.Table, hidden: frozenset[str]) -> pa.Table:
    """Return records without the columns, and without the columns of the lists within, that are hidden."""
    if not hidden:
        return table
    fields = [field.with_type(_visible(field.type, hidden)) for field in table.schema if field.name not in hidden]
    return table.select([field.name for field in fields]).cast(pa.schema(fields))


def visible_totals(totals: Mapping[str, Any], connector: BaseConnector[Any]) -> Mapping[str, Any]:
    """Return a summary without what its connector hides."""
    return {name: value for name, value in totals.items() if name in connector.summary.model_fields}


def _visible(kind: pa.DataType, hidden: frozenset[str]) -> pa.DataType:
    if pa.types.is_list(kind):
        return pa.list_(_visible(kind.value_type, hidden))
    if pa.types.is_struct(kind):
        return pa.struct([f.with_type(_visible(f.type, hidden)) for f in kind if f.name not in hidden])
    return kind


def _without(model: type[BaseModel], hidden: frozenset[str]) -> type[BaseModel]:
    fields: dict[str, Any] = {
        name: (_annotation(field.annotation, hidden), field)
        for name, field in model.model_fields.items()
        if name not in hidden
    }
    reduced: type[BaseModel] = create_model(
        model.__name__, __config__=model.model_config, __doc__=model.__doc__, __module__=model.__module__, **fields
    )
    return reduced


def _lists_of(summary: type[BaseModel], hidden: frozenset[str]) -> frozenset[str]:
    """Return the fields of a summary that list a hidden field's values: they are named by its plural."""
    lists = {name for name, field in summary.model_fields.items() if get_origin(field.annotation) is list}
    return frozenset(lists & {f"{name}s" for name in hidden})


def _annotation(kind: Any, hidden: frozenset[str]) -> Any:  # noqa: ANN401  # any annotation there is
    """Return the annotation of a field, with the records in it reduced."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _without(kind, hidden)
    if get_origin(kind) is None or not any(_models_in(kind)):
        return kind
    inner = tuple(_annotation(argument, hidden) for argument in get_args(kind))
    return reduce(or_, inner) if get_origin(kind) in {Union, UnionType} else get_origin(kind)[inner]


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield part
        elif part is not annotation:
            yield from _models_in(part)


def _still_told(vocabulary: Mapping[str, Words], hidden: Iterable[str]) -> dict[str, Words]:
    """Return where parameters' values can be seen; one that a hidden field would show is not suggested at all."""
    return {
        parameter: words
        for parameter, words in vocabulary.items()
        if not any(part in hidden for path in words.fields for part in path.split("."))
    }
