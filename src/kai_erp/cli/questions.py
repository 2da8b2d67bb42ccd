"""One verb for each connector, made from its declaration."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from kai_erp import formats
from kai_erp.api.answers import envelope
from kai_erp.app import LARGEST_LIMIT, Answer, Asked, open_app
from kai_erp.cli.tables import print_table
from kai_erp.cli.texts import printable
from kai_erp.config import Settings, load_settings
from kai_erp.connectors import BaseConnector
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import CollectionReport, Freshness, Progress
from kai_erp.demo import demo_settings
from kai_erp.errors import InvalidParameter
from kai_erp.logs import configure_logs
from kai_erp.plugins import all_connectors

TABLE_ROWS = 50
Connector = BaseConnector[ConnectorQuery]


class Format(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a question is put and its answer shown."""

    format: Format
    limit: int
    freshness: Freshness
    demo: bool


_LIMIT = f"Records to show; {TABLE_ROWS} in a table, otherwise all, up to {LARGEST_LIMIT:,}."
_COMMON: dict[str, tuple[object, object]] = {
    "output": (Annotated[Format, typer.Option("--format", help="How to print the answer.")], Format.TABLE),
    "limit": (Annotated[int | None, typer.Option(help=_LIMIT, min=1, max=LARGEST_LIMIT)], None),
    "freshness": (Annotated[Freshness, typer.Option(help="How old the data may be.")], Freshness.REALTIME),
    "demo": (Annotated[bool, typer.Option("--demo", help="Ask the built-in simulator.")], False),
}
_TYPES: dict[str, Any] = {"boolean": bool, "integer": int | None, "string": str | None}


def add_to(cli: typer.Typer) -> None:
    """Add the verbs of all connectors."""
    for connector in all_connectors():
        cli.command(connector.verb, help=connector.description)(_command(connector))


def _command(connector: Connector) -> Callable[..., None]:
    filters = filters_of(connector)

    def command(**options: Any) -> None:  # noqa: ANN401  # the signature is made below
        chosen: Format = options["output"]
        limit = options["limit"] or (TABLE_ROWS if chosen is Format.TABLE else LARGEST_LIMIT)
        query = query_of(connector, {name: options[name] for name in filters})
        _ask(connector, query, _Manner(chosen, limit, options["freshness"], options["demo"]))

    return with_options(command, {**filters, **_COMMON})


def with_options(
    command: Callable[..., None], options: Mapping[str, tuple[object, object]]
) -> Callable[..., None]:
    """Return a command with options that typer can read: for each its annotation and its default."""
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # read by typer
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in options.items()
        ]
    )
    command.__annotations__ = {name: annotation for name, (annotation, _) in options.items()}
    return command


def filters_of(connector: Connector) -> dict[str, tuple[object, object]]:
    """Return the option of each of the connector's parameters: its annotation and its default."""
    schema = connector.query.model_json_schema()
    return {
        name: _option(name, entry, name in schema.get("required", ()))
        for name, entry in schema["properties"].items()
    }


def _option(name: str, entry: Mapping[str, Any], required: bool) -> tuple[object, object]:
    kinds = [choice["type"] for choice in entry.get("anyOf", [entry])]
    flag = f"--{name.replace('_', '-')}"
    annotation = Annotated[_TYPES[kinds[0]], typer.Option(flag, help=entry.get("description"))]  # type: ignore[valid-type]
    return annotation, ... if required else entry.get("default")


def query_of(connector: Connector, values: Mapping[str, object]) -> ConnectorQuery:
    """Return the question with these filters. Raises InvalidParameter for a value that cannot be."""
    try:
        return connector.query.model_validate(values)
    except ValidationError as failure:
        error = failure.errors(include_url=False)[0]
        option = f"--{str(error['loc'][0]).replace('_', '-')}"
        raise InvalidParameter(option, error["msg"].removeprefix("Value error, ")) from None


def _ask(connector: Connector, query: ConnectorQuery, manner: _Manner) -> None:
    settings = load_settings()
    configure_logs(settings, quiet=True)
    with demo_settings(settings) if manner.demo else nullcontext(settings) as chosen:
        shown, answer = asyncio.run(_answer(connector, query, manner, chosen))
        _print(shown, answer, manner.format, chosen)


async def _answer(
    connector: Connector, query: ConnectorQuery, manner: _Manner, settings: Settings
) -> tuple[Connector, Answer]:
    """Return the answer, and the connector as the settings show it."""
    asked = Asked(connector.name, query, manner.freshness, manner.limit)
    async with open_app(settings, simulated=manner.demo) as app:
        with _progress() as told:
            return app.connectors[connector.name], await app.ask(asked, told)


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Yield what shows the progress of a read on stderr; nothing when that is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    rows: dict[str, int] = {}
    with console.status("Asking the ERP …") as status:

        def tell(report: CollectionReport) -> None:
            rows[report.collection] = max(rows.get(report.collection, 0), report.rows)
            status.update("Reading " + " · ".join(f"{name} {count:,}" for name, count in rows.items()))

        yield tell


def _print(connector: Connector, answer: Answer, chosen: Format, settings: Settings) -> None:
    match chosen:
        case Format.TABLE:
            print_table(connector, answer, settings.zone)
            return
        case Format.JSON:
            parts: Iterator[bytes] = chain(envelope(answer, connector.summary, settings.zone), [b"\n"])
        case Format.CSV:
            parts = formats.csv(formats.flat(answer.records, connector.rows_of), settings.zone)
        case Format.JSONL:
            parts = formats.jsonl(answer.records, settings.zone)
    for part in parts:
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()
    _tell_rest(answer)


def _tell_rest(answer: Answer) -> None:
    """Say on stderr what a reader of bare records would miss."""
    console = Console(stderr=True, highlight=False)
    for caution in answer.meta.warnings:
        console.print(printable(f"{caution.code}: {caution.message}"), markup=False)
    if answer.meta.truncated:
        console.print(f"{answer.meta.record_count:,} of {answer.meta.total_count:,} records; --limit shows more")
