"""`kai-erp export NAME --to FILE|DIR`: a verb within for each connector and each collection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from kai_erp.cli.questions import Connector, filters_of, query_of, with_options
from kai_erp.cli.texts import printable
from kai_erp.config import Settings, load_settings
from kai_erp.core.types import DataSource
from kai_erp.demo import demo_settings
from kai_erp.errors import InvalidParameter, KaiErpError
from kai_erp.exporting import (
    Export,
    FileFormat,
    Finished,
    Source,
    Target,
    Told,
    run_export,
    saved_rows,
    whole_collections,
)
from kai_erp.logs import configure_logs
from kai_erp.plugins import all_connectors

_INTERRUPTED = 130
_KILO = 1000
_COMMON: dict[str, tuple[object, object]] = {
    "to": (Annotated[str, typer.Option("--to", help="The file, or the folder of Parquet files, to write.")], ...),
    "form": (
        Annotated[FileFormat | None, typer.Option("--format", help="By default what the file's name ends in.")],
        None,
    ),
    "source": (Annotated[Source, typer.Option(help="Where to read from.")], Source.AUTO),
    "overwrite": (Annotated[bool, typer.Option("--overwrite", help="Replace a target that exists.")], False),
    "restart": (
        Annotated[bool, typer.Option("--restart", help="Give up what an earlier run has read.")],
        False,
    ),
    "demo": (Annotated[bool, typer.Option("--demo", help="Ask the built-in simulator.")], False),
}
_ABOUT = """Write a connector's whole answer, or a whole collection, to Parquet, CSV or JSON Lines.

No limit of rows or time holds, the request budget does. An export that is broken off leaves TARGET.partial; the
same command goes on from there.
"""


def add_to(cli: typer.Typer) -> None:
    """Add the verb."""
    verbs = typer.Typer(
        help=_ABOUT,
        no_args_is_help=True,
        subcommand_metavar="NAME --to FILE|DIR [--FILTER …]",
        rich_markup_mode=None,
    )
    connectors = all_connectors()
    for connector in connectors:
        names = dict.fromkeys((connector.verb, connector.name))
        for name in names:
            about = f"Records of {connector.title.lower()}."
            verbs.command(name, help=about, hidden=name != connector.verb)(_command(connector))
    for name in sorted(whole_collections(connectors)):
        verbs.command(name, help=f"The whole collection {name}.")(_command(name))
    cli.add_typer(verbs, name="export")


def _command(what: Connector | str) -> Callable[..., None]:
    filters = {} if isinstance(what, str) else filters_of(what)

    def command(**options: Any) -> None:  # noqa: ANN401  # the signature is made below
        query = None if isinstance(what, str) else query_of(what, {name: options[name] for name in filters})
        export = Export(
            name=what if isinstance(what, str) else what.name,
            query=query,
            target=Target.of(options["to"], options["form"]),
            source=options["source"],
            simulated=options["demo"],
            overwrite=options["overwrite"],
            restart=options["restart"],
        )
        _run(export)

    return with_options(command, {**filters, **_COMMON})


def _run(export: Export) -> None:
    """Run an export; when it is broken off, say how it goes on."""
    settings = load_settings()
    configure_logs(settings, quiet=True)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    started = time.perf_counter()
    try:
        with demo_settings(settings) if export.simulated else nullcontext(settings) as chosen:
            with _progress(console, export.name) as told:
                finished = asyncio.run(run_export(export, chosen, told))
            line = _closing(export, finished, chosen, time.perf_counter() - started)
    except KeyboardInterrupt:
        console.print(printable(f"Stopped. {_how_to_go_on(export.target)}"), markup=False)
        raise typer.Exit(_INTERRUPTED) from None
    except InvalidParameter:
        raise
    except KaiErpError as failure:
        failure.suggestion = f"{failure.suggestion} {_how_to_go_on(export.target)}".strip()
        raise
    console.print(printable(line), markup=False)


def _how_to_go_on(target: Target) -> str:
    rows = saved_rows(target)
    if rows is None:
        return "The same command starts again."
    return f"{rows:,} rows are in {target.partial}; the same command goes on from there."


@contextmanager
def _progress(console: Console, name: str) -> Iterator[Told | None]:
    """Yield what shows on stderr how far an export is; nothing when that is no terminal."""
    if not console.is_terminal:
        yield None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"{name}: asking the ERP …", total=None)
        started, first = time.perf_counter(), list[int]()

        def tell(rows: int, pages: int) -> None:
            first[:] = first or [rows]
            rate = (rows - first[0]) / max(time.perf_counter() - started, 0.001)
            bar.update(task, description=f"{name}: {rows:,} rows · {pages:,} pages · {rate:,.0f} rows/s")

        yield tell


def _closing(export: Export, finished: Finished, settings: Settings, seconds: float) -> str:
    place = "the data lake" if finished.source is DataSource.LAKE else "the ERP over REST"
    earlier = f" ({finished.earlier:,} of them from an earlier run)" if finished.earlier else ""
    demo = " (simulated)" if export.simulated else ""
    moment = finished.as_of.astimezone(settings.zone).isoformat(timespec="seconds")
    told = "".join(f"; {remark}" for remark in finished.remarks)
    return (
        f"{finished.rows:,} rows{earlier} in {export.target.path}, {_size(finished.bytes)}, {seconds:.1f} s, "
        f"from {place}{demo}, as of {moment}{told}"
    )


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < _KILO:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= _KILO
    return f"{count:.1f} TB"
