"""Answers as tables that people like to read."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date, datetime, tzinfo
from decimal import Decimal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kai_erp import formats
from kai_erp.app import Answer
from kai_erp.cli.texts import printable
from kai_erp.connectors import BaseConnector
from kai_erp.connectors.parameters import ConnectorQuery

WIDE = 200
_CENTS = -2  # computed amounts and hours have two places, stored quantities eight
_STYLES = {"behind": "bold red", "on_track": "green", "complete": "dim", "unknown": "yellow"}
_MARKS = {"behind": "! ", "on_track": "  ", "complete": "✓ ", "unknown": "? "}


def print_table(connector: BaseConnector[ConnectorQuery], answer: Answer, zone: tzinfo) -> None:
    """Print a title, the records in the connector's table fields, the summary, and where all that comes from."""
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False, soft_wrap=False)
    if answer.records.num_rows:
        console.print(_table(connector, answer, zone))
    console.print(_summary(answer.summary))
    for caution in answer.meta.warnings:
        console.print(Text(printable(f"{caution.code}: {caution.message}"), "yellow"))
    console.print(Text(_provenance(answer, zone), "dim"))


def _table(connector: BaseConnector[ConnectorQuery], answer: Answer, zone: tzinfo) -> Table:
    nested = any("." in name for name in connector.table_fields)
    records = formats.flat(answer.records, connector.rows_of if nested else None)
    fields = [name for name in connector.table_fields if records[name].null_count < records.num_rows]
    table = Table(box=box.SIMPLE_HEAD, title=connector.title, title_justify="left", pad_edge=False)
    for name in fields:
        text = name in connector.wide_fields
        sample = records[name].drop_null().slice(0, 1).to_pylist()
        number = bool(sample) and isinstance(sample[0], int | Decimal) and not isinstance(sample[0], bool)
        heading = connector.headings.get(name, name.replace("_", " "))
        table.add_column(
            heading,
            justify="right" if number else "left",
            no_wrap=True,
            ratio=1 if text else None,
            overflow="ellipsis",
        )
    shown: dict[str, object] = {}
    for record in records.select(fields).to_pylist():
        own = {name: value for name, value in record.items() if "." not in name}
        again = nested and own == shown
        table.add_row(*("" if again and "." not in name else _cell(record[name], zone) for name in fields))
        shown = own
    return table


def _cell(value: object, zone: tzinfo) -> Text:
    """Return a value as people write it: no trailing zeros, short dates, a mark beside a coloured status."""
    if value is None or value is False:
        return Text("")
    if value is True:
        return Text("yes", "bold yellow")
    if isinstance(value, str) and value in _STYLES:
        return Text(_MARKS[value] + value.replace("_", " "), _STYLES[value])
    return Text(_plain(value, zone))


def _plain(value: object, zone: tzinfo) -> str:
    match value:
        case Decimal() if value.as_tuple().exponent == _CENTS:
            return f"{value:,.2f}"
        case Decimal():
            return f"{value.normalize():,f}"
        case datetime():
            return f"{value.astimezone(zone):%m-%d %H:%M}"
        case _:
            return printable(f"{value:%Y-%m-%d}" if isinstance(value, date) else str(value))


def _summary(summary: Mapping[str, object]) -> Text:
    line = Text()
    for name, value in summary.items():
        if isinstance(value, list) or value is None:
            continue
        shown = f"{value.normalize():,f}" if isinstance(value, Decimal) else f"{value:,}"
        line.append(f"{name.replace('_', ' ')} ", "dim").append(shown, _STYLES.get(name, "bold")).append("   ")
    return line


def _provenance(answer: Answer, zone: tzinfo) -> str:
    meta = answer.meta
    shown = f"{meta.record_count:,} of {meta.total_count:,} shown, --limit shows more; " if meta.truncated else ""
    source = "the built-in simulator" if meta.simulated else "the ERP"
    collections = ", ".join(read.collection for read in meta.upstream)
    as_of = meta.as_of.astimezone(zone)
    read = f"from {source} over {meta.source.value.upper()} ({collections})"
    return f"{shown}{read}, as of {as_of:%Y-%m-%d %H:%M:%S %Z}, {meta.latency_ms:,.0f} ms"
