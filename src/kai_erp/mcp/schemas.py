"""JSON Schemas as they are sent to a model: what a name says already is left out."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]
_NOT_SENT = frozenset({"maxLength", "minLength", "pattern", "title"})  # a refusal says them


def arguments_schema(model: type[BaseModel]) -> Schema:
    """Return the schema of a model of arguments; optional ones are left out rather than sent as null."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    made: Schema = {
        "type": "object",
        "properties": {name: _argument(entry, definitions) for name, entry in schema["properties"].items()},
    }
    if "required" in schema:
        made["required"] = schema["required"]
    return made | {"additionalProperties": False}


def shape(model: type[BaseModel]) -> Schema:
    """Return the schema of a model of records: names and types; the data dictionary says what they mean."""
    schema = model.model_json_schema(mode="serialization")
    return _typed(schema, schema.get("$defs", {}))


def _argument(entry: Schema, definitions: Schema) -> Schema:
    entry = _resolved(entry, definitions)
    choices = [choice for choice in entry.get("anyOf", []) if choice.get("type") != "null"]
    if len(choices) == 1:
        entry = choices[0] | {name: value for name, value in entry.items() if name != "anyOf"}
    return {name: value for name, value in entry.items() if name not in _NOT_SENT and value is not None}


def _resolved(entry: Schema, definitions: Schema) -> Schema:
    """Return a schema with the definition that it refers to in place of the reference."""
    if "$ref" not in entry:
        return entry
    definition = definitions[entry["$ref"].rpartition("/")[2]]
    own = {name: value for name, value in entry.items() if name != "$ref"}
    return {name: value for name, value in definition.items() if name not in {"description", "title"}} | own


def _typed(entry: Schema, definitions: Schema) -> Schema:
    """Return a schema without anything but names and types."""
    entry = _resolved(entry, definitions)
    if "anyOf" in entry:
        return _union([_typed(choice, definitions) for choice in entry["anyOf"]])
    kept: Schema = {name: entry[name] for name in ("type", "enum") if name in entry}
    if "enum" in kept:
        kept.pop("type", None)
    if "items" in entry:
        kept["items"] = _typed(entry["items"], definitions)
    if "properties" in entry:
        kept["properties"] = {name: _typed(value, definitions) for name, value in entry["properties"].items()}
    return kept


def _union(choices: list[Schema]) -> Schema:
    """Return one schema for several: a type and null become a list of types."""
    null = {"type": "null"}
    others = [choice for choice in choices if choice != null]
    if len(others) != 1 or not isinstance(others[0].get("type"), str):
        return {"anyOf": choices}
    return others[0] | {"type": [others[0]["type"], "null"]} if null in choices else others[0]
