"""A form for any connector, made from its parameters' JSON Schema, and the question that it makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from kai_erp.api.routes.questions import PageParameters
from kai_erp.api.security import caller_of
from kai_erp.app import Asked
from kai_erp.connectors import BaseConnector
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.mcp.schemas import arguments_schema

M = TypeVar("M", bound=BaseModel)
SENT = "ask"
"""The name of what a form that was sent carries; a box that was not ticked is not sent at all."""
DEFAULT_LIMIT = 100
_PAGE = ("limit", "freshness")
_YES = frozenset({"true", "1", "yes", "on", "y", "t"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A field of a form: what may be put in, what is in it, and what is wrong with that, if anything."""

    name: str
    kind: str
    description: str
    required: bool
    options: tuple[str, ...]
    minimum: int | None
    maximum: int | None
    value: str
    error: str

    @property
    def label(self) -> str:
        """Its name in words."""
        return self.name.replace("_", " ").capitalize()

    @property
    def ticked(self) -> bool:
        """Whether its box is ticked."""
        return self.value.lower() in _YES


@dataclass(frozen=True, slots=True)
class Filled:
    """What somebody put into a connector's form; `errors` are by field, those of no field by what was given."""

    connector: BaseConnector[ConnectorQuery]
    values: Mapping[str, str]
    errors: Mapping[str, str]
    query: ConnectorQuery | None
    page: PageParameters

    def entries(self, errors: Mapping[str, str]) -> list[Entry]:
        """Return the fields of the form, with these errors beside them."""
        own = arguments_schema(self.connector.query)
        page = arguments_schema(PageParameters)["properties"]
        properties = own["properties"] | {name: page[name] for name in _PAGE}
        needed = own.get("required", ())
        return [
            _entry(name, schema, self.values.get(name), errors.get(name, ""), required=name in needed)
            for name, schema in properties.items()
        ]

    def asked(self, request: Request) -> Asked | None:
        """Return the question; None when something is wrong with it."""
        if self.query is None or self.errors:
            return None
        page, given = self.page, frozenset(self.values) - {"limit", "cursor"}
        return Asked(
            self.connector.name, self.query, page.freshness, page.limit, page.cursor, caller_of(request), given
        )


def filled(request: Request, connector: BaseConnector[ConnectorQuery]) -> Filled:
    """Return what the address of a page puts into a connector's form."""
    given = {name: text for name, text in request.query_params.items() if name != SENT and text.strip()}
    if SENT in request.query_params:
        given = _unticked(connector) | given
    values = {"limit": str(DEFAULT_LIMIT)} | given
    page, errors = _checked(
        PageParameters, {name: values[name] for name in PageParameters.model_fields if name in values}
    )
    own = {name: text for name, text in given.items() if name not in PageParameters.model_fields}
    query, wrong = _checked(connector.query, _stand_ins(connector, given) | own)
    return Filled(connector, values, {**wrong, **errors}, query, page or PageParameters())


def _unticked(connector: BaseConnector[ConnectorQuery]) -> dict[str, str]:
    """Return what boxes say that are not ticked, where that is not what goes without saying."""
    fields = connector.query.model_fields.items()
    return {name: "false" for name, field in fields if field.default is True}


def _stand_ins(connector: BaseConnector[ConnectorQuery], given: Iterable[str]) -> dict[str, object]:
    """Return values for what must be given; a cursor that goes alone knows what was asked."""
    if "cursor" not in given:
        return {}
    required = (name for name, field in connector.query.model_fields.items() if field.is_required())
    return {name: getattr(connector.example, name) for name in required}


def _checked(model: type[M], given: Mapping[str, object]) -> tuple[M | None, dict[str, str]]:
    """Return what the given makes, or what is wrong with it, by field."""
    try:
        return model.model_validate(given), {}
    except ValidationError as failure:
        errors = failure.errors(include_url=False)
    return None, {
        str(error["loc"][0]) if error["loc"] else "": _said(error["type"], error["msg"]) for error in errors
    }


def _said(kind: str, message: str) -> str:
    match kind:
        case "missing":
            return "must be given"
        case "extra_forbidden":
            return "unknown parameter"
        case _:
            return message.removeprefix("Value error, ").replace("Input should", "It should")


def _entry(name: str, schema: Mapping[str, Any], value: str | None, error: str, *, required: bool) -> Entry:
    options = tuple(str(option) for option in schema.get("enum", ()))
    return Entry(
        name=name,
        kind="choice" if options else str(schema.get("type", "string")),
        description=str(schema.get("description", "")),
        required=required,
        options=options,
        minimum=schema.get("minimum"),
        maximum=schema.get("maximum"),
        value=_typed(schema.get("default")) if value is None else value,
        error=error,
    )


def _typed(default: object) -> str:
    """Return what stands in a field before anybody puts anything into it."""
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default is None else str(default)
