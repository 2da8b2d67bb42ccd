"""All connectors: the built-in ones, and those that other packages bring by an entry point."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar
from zoneinfo import ZoneInfo

import structlog
from pydantic import BaseModel

from kai_erp.config import Settings
from kai_erp.connectors import (
    BaseConnector,
    BedrockOpsScheduler,
    CustomerSearch,
    InventoryStatus,
    Moment,
    SalesOrderTracker,
)
from kai_erp.connectors.hiding import field_names, hiding
from kai_erp.connectors.nearest import nearest
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.errors import InvalidSetting

__all__ = ["GROUP", "all_connectors", "check_connector", "refresh", "shown_connectors"]

GROUP = "kai_erp.connectors"
Connector = BaseConnector[ConnectorQuery]
Q = TypeVar("Q", bound=ConnectorQuery)
_BUILT_IN = (BedrockOpsScheduler, SalesOrderTracker, CustomerSearch, InventoryStatus)
_WORD = re.compile(r"[a-z][a-z0-9_]*")
_FORMS = {
    "name": _WORD,
    "tool": _WORD,
    "verb": re.compile(r"[a-z][a-z0-9-]*"),
    "path": re.compile(r"(/[a-z0-9][a-z0-9_-]*)+"),
}
_OWN_VERBS = frozenset({"ask", "close", "connectors", "doctor", "export", "keys", "mcp", "serve", "simulate"})
_OWN_ROOMS = frozenset({"connectors", "console", "docs", "health", "mcp", "metrics", "ready", "sign-in", "static"})
_OWN_SCOPES = frozenset({"ops:read"})
_OWN_PARAMETERS = frozenset(
    {"cursor", "demo", "form", "format", "freshness", "limit", "output", "overwrite", "restart", "source", "to"}
)
_KINDS = frozenset({"boolean", "integer", "null", "string"})


def all_connectors() -> list[Connector]:
    """Return every connector: the built-in ones first, then those of other packages by name.

    What another package brings and cannot be used is left out, with a warning in the log.
    """
    return list(_found())


def shown_connectors(settings: Settings) -> list[Connector]:
    """Return every connector without the fields that HIDDEN_FIELDS names.

    Raises InvalidSetting when one of them is no field of any record.
    """
    connectors, hidden = all_connectors(), frozenset(settings.hidden_fields)
    known = {name for connector in connectors for name in field_names(connector.record)}
    for name in settings.hidden_fields:
        if name not in known:
            near = " or ".join(nearest(name, sorted(known))) or "the name of a record's field"
            raise InvalidSetting(f"HIDDEN_FIELDS names {name!r}, allowed is {near}")
    return [hiding(connector, hidden) for connector in connectors]


def refresh() -> None:
    """Forget which connectors there are; the next call of `all_connectors` looks again."""
    _found.cache_clear()


def check_connector(connector: BaseConnector[Q]) -> None:
    """Return when a connector of another package is declared as it must be.

    Raises ValueError or TypeError that says what is wrong.
    """
    _check_names(connector)
    _check_models(connector)
    spec = connector.get_rest_spec(connector.example, Moment(datetime.now(UTC), ZoneInfo("UTC")))
    if not any(read.driving and read.required for read in spec.collections):
        raise ValueError("none of its required collections is the driving one")


@cache
def _found() -> tuple[Connector, ...]:
    connectors: list[Connector] = [kind() for kind in _BUILT_IN]  # type: ignore[misc]  # a connector is only handed its own query
    further: list[Connector] = []
    for entry in _entries():
        try:
            connector = _loaded(entry)
            check_connector(connector)
            _check_free(connector, [*connectors, *further])
        except (Exception, SystemExit) as failure:  # noqa: BLE001  # whatever the code of others does, we go on
            _warn(entry, failure)
        else:
            further.append(connector)
    return (*connectors, *sorted(further, key=lambda connector: connector.name))


def _entries() -> Iterator[EntryPoint]:
    """Yield the entry points of the group, in an order that does not depend on where they are installed."""
    yield from sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, _distribution(entry)))


def _loaded(entry: EntryPoint) -> Connector:
    with redirect_stdout(sys.stderr):  # stdout belongs to answers, and to the protocol of assistants
        found = entry.load()
        if isinstance(found, type) and issubclass(found, BaseConnector):
            found = found()
    if not isinstance(found, BaseConnector):
        raise TypeError(f"{entry.value} is neither a class made from BaseConnector nor an instance of one")
    return found


def _check_names(connector: BaseConnector[Q]) -> None:
    for kind, form in _FORMS.items():
        value = getattr(connector, kind)
        if not form.fullmatch(value):
            raise ValueError(f"its {kind} is {value!r}, allowed is what matches {form.pattern}")
    if connector.scope != f"{connector.name}:read":
        raise ValueError(f"its scope is {connector.scope!r}, allowed is '{connector.name}:read'")
    if not (connector.title.strip() and connector.description.strip()):
        raise ValueError("it has no title or no description")


def _check_models(connector: BaseConnector[Q]) -> None:
    models = {"query": ConnectorQuery, "record": BaseModel, "summary": BaseModel}
    for name, base in models.items():
        model = getattr(connector, name)
        if not (isinstance(model, type) and issubclass(model, base)):
            raise TypeError(f"its {name} is not made from {base.__name__}")
    if not isinstance(connector.example, connector.query):
        raise TypeError("its example is not one of its queries")
    connector.record.model_json_schema(mode="serialization")
    for name, schema in connector.query.model_json_schema().get("properties", {}).items():
        _check_parameter(name, schema)
    unknown = {*connector.table_fields, *connector.wide_fields, *connector.headings} - {
        *connector.record.model_fields
    }
    if unknown:
        raise ValueError(f"its tables show {', '.join(sorted(unknown))}, which is no field of its record")


def _check_parameter(name: str, schema: dict[str, list[dict[str, object]]]) -> None:
    if name in _OWN_PARAMETERS:
        raise ValueError(f"its parameter {name} has the name of one that every question takes")
    if not {choice.get("type") for choice in schema.get("anyOf", [schema])} <= _KINDS:
        raise ValueError(f"its parameter {name} is neither a text nor a whole number nor yes or no")


def _check_free(connector: Connector, others: list[Connector]) -> None:
    """Raise ValueError when a name is taken, by another connector or by kai-erp itself."""
    for kind in ("name", "path", "tool", "verb", "scope"):
        value = getattr(connector, kind)
        if any(getattr(other, kind) == value for other in others) or _is_own(kind, value):
            raise ValueError(f"its {kind} {value!r} is taken")


def _is_own(kind: str, value: str) -> bool:
    room = value.split("/")[1] if kind == "path" else ""
    return (
        room in _OWN_ROOMS
        or (kind == "verb" and value in _OWN_VERBS)
        or (kind == "scope" and value in _OWN_SCOPES)
    )


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "?"


def _warn(entry: EntryPoint, failure: BaseException) -> None:
    # To stderr, also before a program has set up its log: stdout belongs to answers.
    log = structlog.wrap_logger(structlog.PrintLogger(sys.stderr))
    log.warning(
        "connector left out",
        distribution=_distribution(entry),
        entry_point=f"{entry.name} = {entry.value}",
        because=f"{type(failure).__name__}: {failure}",
    )
