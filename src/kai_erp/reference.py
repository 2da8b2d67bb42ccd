"""Reference pages in Markdown, made from the connectors' declarations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kai_erp.catalogue import CollectionEntry, collections_of
from kai_erp.connectors import BaseConnector
from kai_erp.connectors.parameters import ConnectorQuery

_READS = """Without a needed collection there is no answer; without an optional one its fields are null or come
from elsewhere, and a warning says so."""

Schema = Mapping[str, Any]
Connector = BaseConnector[ConnectorQuery]


def reference_page(connector: Connector) -> str:
    """Return the page of one connector: how it is asked, what it answers, what it reads."""
    record = connector.record.model_json_schema(mode="serialization")
    parts = [
        f"# {connector.title}",
        connector.description,
        _ways(connector),
        "## Parameters",
        _table(("parameter", "type", "meaning"), _parameters(connector)),
        f"## Record: {connector.record.__name__}",
        _table(("field", "type", "meaning"), _fields(record)),
        *_nested(record),
        "## Summary",
        _table(("field", "type", "meaning"), _summary(connector)),
        "## What it reads",
        _READS,
        _table(("collection", "needed", "properties"), map(_collection, collections_of(connector))),
    ]
    return "\n\n".join(parts) + "\n"


def _ways(connector: Connector) -> str:
    rows = (
        ("HTTP", f"`GET {connector.path}`"),
        ("terminal", f"`kai-erp {connector.verb}`"),
        ("tool", f"`{connector.tool}`"),
        ("scope", f"`{connector.scope}`"),
    )
    return _table(("way", "name"), rows)


def _parameters(connector: Connector) -> Iterator[tuple[str, ...]]:
    schema = connector.query.model_json_schema()
    for name, entry in schema["properties"].items():
        needed = " Required." if name in schema.get("required", ()) else ""
        kind = _type(entry).removesuffix(" or null")
        yield f"`{name}`", kind, f"{entry.get('description', '')}{needed}"


def _fields(schema: Schema) -> Iterator[tuple[str, ...]]:
    for name, entry in schema["properties"].items():
        yield f"`{name}`", _type(entry), entry.get("description", "")


def _nested(record: Schema) -> Iterator[str]:
    for name, schema in record.get("$defs", {}).items():
        if "properties" in schema:
            yield f"### {name}"
            yield _table(("field", "type", "meaning"), _fields(schema))


def _summary(connector: Connector) -> Iterator[tuple[str, ...]]:
    schema = connector.summary.model_json_schema(mode="serialization")
    return _fields(schema)


def _type(entry: Schema) -> str:
    """Return what a value may be, in words; a record within the record by its name."""
    return " or ".join(dict.fromkeys(map(_word, entry.get("anyOf", [entry]))))


def _word(choice: Schema) -> str:
    if "$ref" in choice:
        return str(choice["$ref"].rsplit("/", 1)[1])
    if "enum" in choice:
        return ", ".join(map(str, choice["enum"]))
    if choice.get("type") == "array":
        return f"list of {_word(choice['items'])}"
    return str(choice.get("format") or choice.get("type", "value"))


def _collection(entry: CollectionEntry) -> tuple[str, ...]:
    return entry.name, "yes" if entry.required else "no", ", ".join(entry.properties)


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heading, tuple("---" for _ in heading), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
