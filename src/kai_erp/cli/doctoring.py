"""`kai-erp doctor`: a preflight against the tenant that is set up."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kai_erp.app import open_app
from kai_erp.catalogue import CollectionEntry
from kai_erp.cli.tables import printable
from kai_erp.config import Settings, load_settings
from kai_erp.demo import demo_settings
from kai_erp.logs import configure_logs
from kai_erp.preflight import CollectionCheck, ConnectorCheck, rights_to_ask_for

_STYLES = {
    "granted": "green",
    "empty": "yellow",
    "denied": "bold red",
    "missing": "bold red",
    "failing": "bold red",
}


def add_to(cli: typer.Typer) -> None:
    """Add the verb."""
    cli.command()(doctor)


def doctor(demo: Annotated[bool, typer.Option("--demo", help="Check the built-in simulator.")] = False) -> None:
    """Check the tenant: settings, token, and each collection and property that the connectors need."""
    settings = load_settings()
    configure_logs(settings, quiet=True)
    with demo_settings(settings) if demo else nullcontext(settings) as chosen:
        checks = asyncio.run(_checks(chosen, demo=demo))
    _print(chosen, checks)
    if not all(check.answers for check in checks):
        raise typer.Exit(1)


async def _checks(settings: Settings, *, demo: bool) -> list[ConnectorCheck]:
    async with open_app(settings, simulated=demo) as app:
        return await app.preflight()


def _print(settings: Settings, checks: list[ConnectorCheck]) -> None:
    console = Console(highlight=False)
    way_in = settings.sl10_ionapi_file or settings.sl10_base_url
    console.print(f"Tenant    {way_in}", soft_wrap=True, markup=False)
    console.print(
        f"Site      {settings.sl10_config_name}, whose clock is in {settings.sl10_timezone}", markup=False
    )
    console.print("Token     granted")
    console.print("Lake      not connected; this version asks over REST only\n")
    for check in checks:
        verdict = Text("can answer", "green") if check.answers else Text("CANNOT ANSWER", "bold red")
        console.print(Text.assemble((check.title, "bold"), ": ", verdict))
        console.print(_table(check))
    rights = rights_to_ask_for(checks)
    if rights:
        console.print(
            f"Ask the ERP administrator for Read privilege on the IDOs {', '.join(rights)},", markup=False
        )
        console.print("for the group of the service account's user (Mongoose: Object Authorizations for Groups).")


def _table(check: ConnectorCheck) -> Table:
    table = Table(
        "collection", "", "state", "ms", "what to know", box=None, header_style="dim", padding=(0, 2, 0, 0)
    )
    for entry, found in check.collections:
        needed = "needed" if entry.required else "optional"
        state = Text(found.grant, _STYLES[found.grant])
        table.add_row(entry.name, needed, state, f"{found.ms:.0f}", Text(printable(_remark(entry, found))))
    return table


def _remark(entry: CollectionEntry, found: CollectionCheck) -> str:
    if found.missing:
        return f"lacks {', '.join(found.missing)}"
    if found.readable:
        return "" if found.grant == "granted" else "no rows yet"
    lost = "no answer without it" if entry.required else "its fields come from elsewhere, or are null"
    return lost if found.grant == "denied" else f"{lost}: {found.said}"
