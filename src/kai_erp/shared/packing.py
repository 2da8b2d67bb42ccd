"""A kept answer as bytes and back, exactly: a head of JSON, then the records as an Arrow stream."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import astuple
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from kai_erp.connectors import ConnectorResult
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import CollectionReport, DataSource, Freshness, Notice
from kai_erp.snapshots import Question, Snapshot

_LENGTH = struct.Struct(">I")
_AS_IT_IS = (type(None), bool, int, str)


class NotPackable(Exception):
    """An answer holds a value of a kind that cannot be written down exactly."""


def pack(snapshot: Snapshot) -> bytes:
    """Return an answer as bytes. Raises NotPackable."""
    question, result = snapshot.question, snapshot.result
    head = {
        "connector": question.connector,
        "query": question.query.model_dump_json(exclude_unset=True),
        "freshness": question.freshness,
        "caller": question.caller,
        "summary": _tagged(dict(result.summary)),
        "source": result.source,
        "as_of": _tagged(result.as_of),
        "upstream": [_tagged(astuple(report)) for report in result.upstream],
        "notices": [_tagged(astuple(notice)) for notice in result.notices],
    }
    encoded = json.dumps(head).encode()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(
        sink, result.records.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
    ) as stream:
        stream.write_table(result.records)
    return b"".join((_LENGTH.pack(len(encoded)), encoded, sink.getvalue()))


def unpack(content: bytes, query: type[ConnectorQuery]) -> Snapshot:
    """Return the answer that bytes hold; its question is checked anew, as one of class `query`."""
    (length,) = _LENGTH.unpack_from(content)
    start = _LENGTH.size + length
    head = json.loads(content[_LENGTH.size : start])
    records = pa.ipc.open_stream(pa.py_buffer(content).slice(start)).read_all()
    question = Question(
        head["connector"], query.model_validate_json(head["query"]), Freshness(head["freshness"]), head["caller"]
    )
    result = ConnectorResult(
        records=records,
        summary=_plain(head["summary"]),
        source=DataSource(head["source"]),
        as_of=_plain(head["as_of"]),
        upstream=tuple(CollectionReport(*_plain(report)) for report in head["upstream"]),
        notices=tuple(Notice(*_plain(notice)) for notice in head["notices"]),
    )
    return Snapshot(question, result)


def _tagged(value: object) -> object:
    """Return a value for JSON: what JSON has stands as it is, all else is an object of its kind's name."""
    kind = type(value)
    if kind in _AS_IT_IS or (isinstance(value, float) and math.isfinite(value)):
        return value
    if kind not in _WRITE or (isinstance(value, dict) and not all(type(name) is str for name in value)):
        raise NotPackable(kind.__name__)
    return {kind.__name__: _WRITE[kind](value)}


def _plain(value: Any) -> Any:  # noqa: ANN401  # whatever was tagged
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    return _READ[kind](inner)


_WRITE: Mapping[type, Callable[[Any], object]] = {
    Decimal: str,
    date: date.isoformat,
    datetime: datetime.isoformat,
    dict: lambda value: {name: _tagged(inner) for name, inner in value.items()},
    float: repr,
    list: lambda value: [_tagged(inner) for inner in value],
    tuple: lambda value: [_tagged(inner) for inner in value],
}
_READ: Mapping[str, Callable[[Any], object]] = {
    "Decimal": Decimal,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "dict": lambda inner: {name: _plain(value) for name, value in inner.items()},
    "float": float,
    "list": lambda inner: [_plain(value) for value in inner],
    "tuple": lambda inner: tuple(_plain(value) for value in inner),
}
