"""The arguments of a tool call: a connector's parameters, and which page of how fresh an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias

from pydantic import BaseModel, Field, ValidationError, create_model
from pydantic_core import ErrorDetails

from kai_erp.app import Asked
from kai_erp.callers import ANYBODY, Caller
from kai_erp.connectors import BaseConnector
from kai_erp.connectors.nearest import nearest
from kai_erp.connectors.parameters import LONGEST_TEXT, ConnectorQuery
from kai_erp.core.types import Freshness
from kai_erp.errors import QueryError
from kai_erp.mcp.schemas import arguments_schema
from kai_erp.mcp.untrusted import plain, quoted

Connector: TypeAlias = BaseConnector[ConnectorQuery]
DEFAULT_LIMIT, LARGEST_LIMIT = 50, 500


class PageArguments(BaseModel):
    """What every tool takes beside its connector's parameters."""

    limit: int = Field(DEFAULT_LIMIT, ge=1, le=LARGEST_LIMIT, description="Records per page.")
    cursor: str | None = Field(None, description="next_cursor of the page before; filters unchanged.")
    freshness: Freshness = Field(Freshness.REALTIME, description="How old the data may be.")


class WrongArguments(QueryError):
    """Arguments of a call are unknown, malformed or out of range; the text says which and what is allowed."""

    suggestion = "Mend the arguments and call again."


@cache
def arguments_model(connector: Connector) -> type[BaseModel]:
    """Return the model that a connector's arguments are checked by."""
    return create_model(f"{connector.query.__name__}Arguments", __base__=(PageArguments, connector.query))


def asked_by(connector: Connector, arguments: Mapping[str, Any], caller: Caller = ANYBODY) -> Asked:
    """Return what a call asks. Raises WrongArguments.

    Null counts as absent. A cursor may go alone: the question it goes on with is known.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    resumed = bool(str(given.get("cursor") or "").strip())
    known = _required(connector) if resumed else {}
    page = _checked(connector, {**known, **given})
    query = connector.query.model_validate({name: getattr(page, name) for name in connector.query.model_fields})
    return Asked(
        connector=connector.name,
        query=query,
        freshness=page.freshness,
        limit=page.limit,
        cursor=page.cursor if resumed else None,
        caller=caller,
        given=frozenset(name for name in given if getattr(page, name) is not None) - {"limit", "cursor"},
    )


def _required(connector: Connector) -> dict[str, object]:
    """Return values for the parameters that must be given, to stand in for those that a cursor knows."""
    fields = connector.query.model_fields.items()
    return {name: getattr(connector.example, name) for name, field in fields if field.is_required()}


def _checked(connector: Connector, arguments: Mapping[str, object]) -> Any:  # noqa: ANN401  # of a model made at run time
    try:
        return arguments_model(connector).model_validate(arguments)
    except ValidationError as failure:
        wrong = failure.errors(include_url=False)
    raise WrongArguments("; ".join(_told(connector, wrong)))


def _told(connector: Connector, wrong: list[ErrorDetails]) -> Iterator[str]:
    """Yield what is wrong with each argument and what is allowed."""
    fields = arguments_model(connector).model_fields
    names = [*connector.query.model_fields, *PageArguments.model_fields]
    for error in wrong:
        name = str(error["loc"][0]) if error["loc"] else "arguments"
        match error["type"]:
            case "extra_forbidden":
                near = nearest(name, names)[:1]
                meant = f" (did you mean {near[0]}?)" if near else ""
                yield f"{plain(name[:60])}: unknown argument{meant}, allowed are {', '.join(names)}"
            case "missing":
                yield f"{name}: must be given. {fields[name].description}"
            case "string_pattern_mismatch":
                pattern = error.get("ctx", {}).get("pattern")
                yield f"{name}: {quoted(error['input'])} given, allowed is what matches {pattern}"
            case "value_error":
                yield f"{name}: {quoted(error['input'])} given, {error['msg'].removeprefix('Value error, ')}"
            case _:
                yield f"{name}: {quoted(error['input'])} given, allowed is {_allowed(connector, name)}"


def _allowed(connector: Connector, name: str) -> str:
    """Return what an argument may be."""
    entry = arguments_schema(arguments_model(connector))["properties"].get(name, {})
    if "enum" in entry:
        return " or ".join(map(str, entry["enum"]))
    match entry.get("type"):
        case "integer":
            ends = [
                f"{word} {entry[end]}" for word, end in (("from", "minimum"), ("to", "maximum")) if end in entry
            ]
            return " ".join(["a whole number", *ends])
        case "boolean":
            return "true or false"
        case _:
            return f"a text of at most {LONGEST_TEXT} characters"
