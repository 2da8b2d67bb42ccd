"""`kai-erp doctor`: a preflight against the tenant that is set up."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kai_erp.app import open_app
from kai_erp.catalogue import CollectionEntry
from kai_erp.cli.texts import printable
from kai_erp.config import Settings, load_settings
from kai_erp.demo import demo_settings
from kai_erp.logs import configure_logs
from kai_erp.preflight import CollectionCheck, ConnectorCheck, LakeCheck, rights_to_ask_for

_LONG = 120  # minutes from which hours are told
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
        checks, lake = asyncio.run(_checks(chosen, demo=demo))
    _print(chosen, checks, lake)
    if not all(check.answers for check in checks):
        raise typer.Exit(1)


async def _checks(settings: Settings, *, demo: bool) -> tuple[list[ConnectorCheck], LakeCheck | None]:
    async with open_app(settings, simulated=demo) as app:
        return await app.preflight(), await app.lake_check()


def _print(settings: Settings, checks: list[ConnectorCheck], lake: LakeCheck | None) -> None:
    console = Console(highlight=False)
    way_in = settings.sl10_ionapi_file or settings.sl10_base_url
    console.print(f"Tenant    {way_in}", soft_wrap=True, markup=False)
    console.print(
        f"Site      {settings.sl10_config_name}, whose clock is in {settings.sl10_timezone}", markup=False
    )
    console.print("Token     granted")
    console.print(Text.assemble("Lake      ", _lake(lake), "\n"), soft_wrap=True)
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


def _lake(check: LakeCheck | None) -> Text:
    if check is None:
        return Text("not enabled: large questions are refused")
    if check.said:
        return Text(printable(f"fails: {check.said}"), "bold red")
    age = f"its newest row came {_minutes(check.age)} ago" if check.age is not None else "its tables are empty"
    lag = f", {_minutes(check.lag)} after the ERP changed it" if check.lag is not None else ""
    return Text.assemble(
        f"granted; {age}{lag}", (f"\n          {check.advice}" if check.advice else "", "bold yellow")
    )


def _minutes(length: timedelta) -> str:
    minutes = length.total_seconds() / 60
    return f"{minutes:,.0f} min" if abs(minutes) < _LONG else f"{minutes / 60:,.1f} h"


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
