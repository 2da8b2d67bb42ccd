"""`kai-erp mcp`: the MCP server for an assistant that starts it itself, over stdio."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kai_erp.config import CLOUD, DIRECT, Settings, load_settings
from kai_erp.demo import demo_settings
from kai_erp.logs import configure_logs
from kai_erp.mcp.stdio import protocol_streams


class Assistant(StrEnum):
    """Whose configuration is printed."""

    CLAUDE_DESKTOP = "claude-desktop"
    VSCODE = "vscode"
    CURSOR = "cursor"
    GENERIC = "generic"


_PLACES = {
    Assistant.CLAUDE_DESKTOP: "claude_desktop_config.json (Settings, Developer, Edit Config); then restart it",
    Assistant.VSCODE: ".vscode/mcp.json of the workspace, or the user's mcp.json (MCP: Open User Configuration)",
    Assistant.CURSOR: "~/.cursor/mcp.json, or .cursor/mcp.json of the project",
    Assistant.GENERIC: "the client's configuration of MCP servers, over stdio",
}
_SECRET = "sl10_password"  # noqa: S105  # the name of a setting


def add_to(cli: typer.Typer) -> None:
    """Add the verb."""
    cli.command()(mcp)


def mcp(
    demo: Annotated[bool, typer.Option("--demo", help="Ask the built-in simulator: no ERP, no account.")] = False,
    print_config: Annotated[
        Assistant | None, typer.Option(help="Print what to paste into an assistant's configuration, and end.")
    ] = None,
) -> None:
    """Serve an assistant over stdio; it starts this command itself."""
    if print_config is not None:
        typer.echo(json.dumps(configuration(print_config, load_settings(), demo=demo), indent=2))
        typer.echo(f"Paste this into {_PLACES[print_config]}.", err=True)
        return
    if sys.stdin is not None and sys.stdin.isatty():
        typer.echo(
            "Waiting for an assistant, which starts this itself: see --print-config. Ctrl-C ends it.", err=True
        )
    with protocol_streams() as streams:
        from kai_erp.mcp.server import run_stdio  # noqa: PLC0415  # it takes a second, and others do not need it

        settings = load_settings()
        configure_logs(settings)
        with demo_settings(settings) if demo else nullcontext(settings) as chosen:
            run_stdio(chosen, streams, simulated=demo)


def configuration(assistant: Assistant, settings: Settings, *, demo: bool) -> dict[str, object]:
    """Return an assistant's configuration of this server, without secrets."""
    server: dict[str, object] = {"command": _command(), "args": ["mcp", "--demo"] if demo else ["mcp"]}
    if not demo:
        server["env"] = _environment(settings)
    match assistant:
        case Assistant.VSCODE:
            return {"servers": {"kai-erp": {"type": "stdio", **server}}}
        case Assistant.GENERIC:
            return {"name": "kai-erp", "transport": "stdio", **server}
        case _:
            return {"mcpServers": {"kai-erp": server}}


def _command() -> str:
    """Return the command by its whole path: a desktop program does not search where a shell does."""
    beside = Path(sys.executable).with_name("kai-erp")
    found = shutil.which("kai-erp", path=str(beside.parent)) or shutil.which("kai-erp")
    return str(Path(found).absolute()) if found else "kai-erp"


def _environment(settings: Settings) -> dict[str, str]:
    """Return the variables that lead to the ERP: an assistant starts the command where there is no `.env`."""
    direct = settings.sl10_base_url is not None
    names = (*(DIRECT if direct else CLOUD), "sl10_config_name", "sl10_timezone")
    return {name.upper(): _shown(settings, name) for name in names}


def _shown(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    if value is None or name == _SECRET:
        return f"<{name.upper()}>"
    return str(value.absolute()) if isinstance(value, Path) else str(value)
