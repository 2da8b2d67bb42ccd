"""`kai-erp keys`: who may ask a server."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from kai_erp.access.keys import KeyRecord, KeysFile
from kai_erp.callers import EVERYTHING, OPERATE
from kai_erp.config import keys_file, load_settings
from kai_erp.errors import InvalidParameter
from kai_erp.plugins import all_connectors

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
commands = typer.Typer(no_args_is_help=True, help="Make, list and revoke the keys by which callers are let in.")


def add_to(cli: typer.Typer) -> None:
    """Add the verb."""
    cli.add_typer(commands, name="keys")


@commands.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is: letters, digits and . _ @ -")],
    scope: Annotated[list[str], typer.Option("--scope", help="What it allows; may be given several times.")],
    expires: Annotated[
        str | None, typer.Option(help="The last day it is good (2027-03-31), or for how many days.")
    ] = None,
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    if not _NAME.fullmatch(name):
        raise InvalidParameter("NAME", f"{name!r} given, allowed are up to 64 letters, digits and . _ @ -")
    known = sorted({connector.scope for connector in all_connectors()} | {OPERATE, EVERYTHING})
    unknown = [one for one in scope if one not in known]
    if unknown:
        raise InvalidParameter("--scope", f"{unknown[0]!r} given, allowed is {' or '.join(known)}")
    file, now = _file(), datetime.now(UTC)
    key = file.create(name, frozenset(scope), now, _end(expires, now))
    typer.echo(key)
    typer.echo(
        f"Keep it now: it is not shown again. Send it as X-API-Key. Kept as a hash in {file.path}.", err=True
    )


@commands.command("list")
def list_() -> None:
    """List the keys: what each allows, until when, and when it was last used."""
    file, now = _file(), datetime.now(UTC)
    records, used = file.read(), file.last_used()
    if not records:
        typer.echo(f"There is no key in {file.path}. Make one: kai-erp keys create NAME --scope '*'", err=True)
        return
    table = Table("Name", "State", "Scopes", "Created", "Expires", "Last used", box=None, pad_edge=False)
    for record in records:
        scopes = ", ".join(sorted(record.scopes))
        times = (_shown(moment) for moment in (record.created, record.expires))
        table.add_row(record.name, _state(record, now), scopes, *times, used.get(record.name, "")[:16])
    Console(highlight=False).print(table)


@commands.command()
def revoke(name: Annotated[str, typer.Argument(help="Whose key.")]) -> None:
    """Take a key out of use, at once and for good."""
    _file().revoke(name, datetime.now(UTC))
    typer.echo(f"The key {name} lets nobody in any more.", err=True)


def _file() -> KeysFile:
    return KeysFile(keys_file(load_settings()))


def _end(expires: str | None, now: datetime) -> datetime | None:
    """Return the moment at which a key lapses. Raises InvalidParameter for what is no day to come."""
    if expires is None:
        return None
    try:
        if expires.isascii() and expires.isdigit():
            end = now + timedelta(days=int(expires))
        else:
            end = datetime.combine(date.fromisoformat(expires) + timedelta(days=1), time(), UTC)
    except (ValueError, OverflowError):
        raise InvalidParameter("--expires", f"{expires!r} given, allowed is a day or a number of days") from None
    if end <= now:
        raise InvalidParameter("--expires", f"{expires!r} is over already")
    return end


def _state(record: KeyRecord, now: datetime) -> str:
    if record.revoked is not None:
        return "revoked"
    return "good" if record.is_good(now) else "expired"


def _shown(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
