"""`kai-erp connectors`: what can be asked."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kai_erp.catalogue import ConnectorEntry, catalogue
from kai_erp.config import load_settings
from kai_erp.errors import InvalidParameter
from kai_erp.plugins import shown_connectors
from kai_erp.reference import reference_page


def add_to(cli: typer.Typer) -> None:
    """Add the verb."""
    cli.command()(connectors)


def connectors(
    name: Annotated[str | None, typer.Argument(help="Only this one, by its name or its verb.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the catalogue as JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print reference pages in Markdown.")] = False,
) -> None:
    """List what can be asked: parameters, record fields and collections of each connector."""
    shown = shown_connectors(load_settings())
    chosen = [connector for connector in shown if name in {None, connector.name, connector.verb}]
    if not chosen:
        known = " or ".join(connector.name for connector in shown)
        raise InvalidParameter("NAME", f"{name!r} given, allowed is {known}")
    entries = catalogue(chosen)
    if json:
        typer.echo(TypeAdapter(list[ConnectorEntry]).dump_json(entries, indent=2).decode())
    elif markdown:
        typer.echo("\n".join(map(reference_page, chosen)), nl=False)
    else:
        _print(entries)


def _print(entries: list[ConnectorEntry]) -> None:
    console = Console(highlight=False)
    for entry in entries:
        console.print(Text(f"{entry.title} ({entry.name})", "bold"))
        console.print(Text(f"{entry.description}\nGET {entry.path} · tool {entry.tool}\n", "default"))
        console.print(_fields("Parameter", entry.parameters["properties"]))
        console.print(_fields("Record field", entry.record["properties"]))
        console.print(_collections(entry))


def _fields(heading: str, properties: dict[str, dict[str, object]]) -> Table:
    table = Table(heading, "Type", "Meaning", box=None, pad_edge=False, header_style="dim")
    for name, entry in properties.items():
        table.add_row(name, _type(entry), str(entry.get("description", "")))
    return table


def _type(entry: dict[str, object]) -> str:
    choices = entry.get("anyOf", [entry])
    kinds = (
        [choice.get("format") or choice.get("type", "") for choice in choices] if isinstance(choices, list) else []
    )
    return " or ".join(str(kind) for kind in kinds)


def _collections(entry: ConnectorEntry) -> Table:
    table = Table("Collection", "Needed", "Properties", box=None, pad_edge=False, header_style="dim")
    for collection in entry.collections:
        table.add_row(collection.name, "yes" if collection.required else "no", ", ".join(collection.properties))
    return table
