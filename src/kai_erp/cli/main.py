"""The command `kai-erp`.

Exit codes: 0 answered; 1 failed; 2 wrong usage, or wrong or missing settings; 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from kai_erp import __version__
from kai_erp.cli.texts import printable
from kai_erp.cli.verbs import VerbGroup
from kai_erp.errors import ConfigurationError, InvalidParameter, KaiErpError

FAILED, MISUSED = 1, 2

cli = typer.Typer(
    cls=VerbGroup,
    help="Ask an Infor SyteLine / CloudSuite Industrial ERP one question in place of six API calls.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"kai-erp {__version__}")
        raise typer.Exit


@cli.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Ask an Infor SyteLine / CloudSuite Industrial ERP one question in place of six API calls."""


def main() -> None:
    """Run the command; a failure is one line that says why and what to do."""
    try:
        cli()
    except KaiErpError as failure:
        print(printable(f"kai-erp: {failure}. {failure.suggestion}"), file=sys.stderr)  # noqa: T201  # this is a terminal program
        sys.exit(MISUSED if isinstance(failure, ConfigurationError | InvalidParameter) else FAILED)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
