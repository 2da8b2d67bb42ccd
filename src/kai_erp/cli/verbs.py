"""The verbs of the command, each imported when it is used: the overview does not wait for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter

_QUESTIONS = "questions"


@dataclass(frozen=True, slots=True)
class Verb:
    """Where a verb is made, and what the overview says of it."""

    module: str
    about: str


OVERVIEW: Mapping[str, Verb] = {
    "schedule": Verb(_QUESTIONS, "Operations of released jobs, by work center; what is behind."),
    "orders": Verb(_QUESTIONS, "Customer orders with lines still to be shipped; what is late."),
    "customers": Verb(_QUESTIONS, "Customers by part of their name or city, by state or number."),
    "inventory": Verb(_QUESTIONS, "Stock of items: on hand, available, on order, in each warehouse."),
    "export": Verb("exporting", "Write a whole answer, or collection, to Parquet, CSV or JSONL."),
    "serve": Verb("serving", "Serve the REST API, and assistants over HTTP."),
    "mcp": Verb("assisting", "Serve an assistant over stdio; it starts this command itself."),
    "connectors": Verb("catalogue", "List what can be asked, and the rights that needs."),
    "doctor": Verb("doctoring", "Check the settings, the token and what the tenant lets us read."),
    "simulate": Verb("simulating", "Run the simulated plant alone."),
    "keys": Verb("keys", "Make, list and revoke the keys by which callers are let in."),
}


class VerbGroup(TyperGroup):
    """The group of all verbs."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401  # as the framework calls it
        super().__init__(**attributes)
        self.commands = _Verbs()  # type: ignore[assignment]  # nothing is added to it

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002
        """Return the names of the verbs."""
        return list(self.commands)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
        """Write the overview."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.about) for name, verb in overview().items()])


class _Verbs(Mapping[str, "Command"]):
    """The commands by their names; each is made when it is asked for."""

    def __getitem__(self, name: str) -> Command:
        maker = typer.Typer(rich_markup_mode=None)
        maker.callback()(_together)
        verb = OVERVIEW.get(name) or overview()[name]
        import_module(f"kai_erp.cli.{verb.module}").add_to(maker)
        made: Any = get_command(maker)  # a group, since it has a callback
        command: Command = made.commands[name]
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(overview())

    def __len__(self) -> int:
        return len(overview())


def overview() -> dict[str, Verb]:
    """Return all verbs; those that other packages bring have to be imported for it."""
    if not entry_points(group="kai_erp.connectors"):
        return dict(OVERVIEW)
    from kai_erp.plugins import all_connectors  # noqa: PLC0415  # see above

    brought = {connector.verb: Verb(_QUESTIONS, connector.title) for connector in all_connectors()}
    return {**OVERVIEW, **{name: verb for name, verb in brought.items() if name not in OVERVIEW}}


def _together() -> None:
    """Keep a single command in a group, by its name."""
