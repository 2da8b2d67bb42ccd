"""Resources: the catalogue, and for each connector a dictionary, for when a name does not say enough."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from pydantic import BaseModel

from kai_erp.app import App
from kai_erp.catalogue import collections_of
from kai_erp.mcp.arguments import Connector, arguments_model

CATALOGUE = "kai-erp://connectors"
DICTIONARY = "kai-erp://connectors/{name}"
_JSON = "application/json"
Schema = Mapping[str, Any]


def add_resources(server: MCPServer[App], connectors: Iterable[Connector]) -> None:
    """Add the catalogue and the dictionaries."""
    by_name = {connector.name: connector for connector in connectors}

    @server.resource(CATALOGUE, title="What can be asked", mime_type=_JSON, name="connectors")
    def catalogue() -> str:
        """Every connector: its tool, its parameters, where its dictionary is."""
        return _text([_entry(connector) for connector in by_name.values()])

    @server.resource(DICTIONARY, title="Data dictionary", mime_type=_JSON, name="connector")
    def dictionary(name: str) -> str:
        """What the parameters, record fields and totals of a connector mean, and which collections it reads."""
        if name not in by_name:
            raise ResourceNotFoundError(f"There is no connector of this name, there are {', '.join(by_name)}")
        return _text(_dictionary(by_name[name]))


def _text(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1)


def _entry(connector: Connector) -> dict[str, object]:
    return {
        "name": connector.name,
        "title": connector.title,
        "description": connector.description,
        "tool": connector.tool,
        "path": connector.path,
        "parameters": list(arguments_model(connector).model_fields),
        "dictionary": DICTIONARY.format(name=connector.name),
    }


def _dictionary(connector: Connector) -> dict[str, object]:
    return {
        "name": connector.name,
        "title": connector.title,
        "tool": connector.tool,
        "parameters": _meanings(arguments_model(connector).model_json_schema()),
        "record": _meanings_of(connector.record),
        "summary": _meanings_of(connector.summary),
        "collections": [entry.model_dump() for entry in collections_of(connector)],
    }


def _meanings_of(model: type[BaseModel]) -> dict[str, object]:
    return _meanings(model.model_json_schema(mode="serialization"))


def _meanings(schema: Schema, definitions: Schema | None = None) -> dict[str, object]:
    """Return what each property means; of a list of records, what each of theirs does."""
    definitions = definitions or schema.get("$defs", {})
    return {
        name: _meaning(name, property_, definitions) for name, property_ in schema.get("properties", {}).items()
    }


def _meaning(name: str, property_: Schema, definitions: Schema) -> object:
    text = property_.get("description") or name.replace("_", " ")
    elements = [choice["items"] for choice in (property_, *property_.get("anyOf", ())) if "items" in choice]
    inner = definitions.get(elements[0].get("$ref", "").rpartition("/")[2]) if elements else None
    return {"meaning": text, "fields": _meanings(inner, definitions)} if inner else text
