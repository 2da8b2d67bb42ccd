"""`kai-erp serve`: the REST server."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Callable
from contextlib import nullcontext
from types import FrameType
from typing import Annotated

import structlog
import typer
import uvicorn

from kai_erp import __version__
from kai_erp.access import check_bind
from kai_erp.app import open_app
from kai_erp.config import Settings, load_settings
from kai_erp.demo import demo_settings
from kai_erp.errors import InvalidSetting
from kai_erp.logs import configure_logs
from kai_erp.tracing import tracing

_GRACE_SECONDS = 30  # in which answers under way are finished; orchestrators wait as long, or longer
_MOST_HEADER_BYTES = 32 * 1024
log = structlog.get_logger(__name__)


def add_to(cli: typer.Typer) -> None:
    """Add the verb."""
    cli.command()(serve)


def serve(
    demo: Annotated[
        bool, typer.Option("--demo", help="Serve the built-in simulator: no ERP, no account.")
    ] = False,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.  [default: HOST, else 127.0.0.1]")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port.  [default: PORT, else 8100]", min=0, max=65535)] = None,
) -> None:
    """Serve the REST API."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = load_settings(given)
    configure_logs(settings)
    unused = (
        ("--demo serves the simulator; the ERP that is set is not asked",)
        if demo and not settings.missing()
        else ()
    )
    for warning in (*check_bind(settings), *unused):
        _say(settings, f"warning: {warning}")
    demonstrated = demo_settings(settings) if demo else nullcontext(settings)
    with tracing(), _listening(settings) as listener, demonstrated as chosen:
        asyncio.run(_check_opens(chosen))
        import kai_erp.wire  # noqa: F401, PLC0415  # or the first question would wait for it
        from kai_erp.api.main import create_app  # noqa: PLC0415  # half a second, which other verbs need not wait for

        api = create_app(chosen, simulated=demo)
        config = uvicorn.Config(
            api,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            http="h11",  # the other parser takes headers of any size
            h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        greeting = _greeting(listener, chosen, demo=demo)
        _run(_Server(config, lambda: _say(chosen, greeting), api.state.stop_streams), listener)


async def _check_opens(settings: Settings) -> None:
    """Raise what keeps the app from opening while it can still be told in one line."""
    async with open_app(settings):
        pass


def _say(settings: Settings, text: str) -> None:
    """Tell whoever started the server; where logs are JSON, so that every line is."""
    if settings.log_format == "json":
        log.info(text.splitlines()[0])
    else:
        typer.echo(text, err=True)


def _run(server: _Server, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; both end in order, so that what was opened is closed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """A server that says where it is once it can be asked."""

    def __init__(
        self, config: uvicorn.Config, greet: Callable[[], None], stop_streams: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._greet, self._stop_streams = greet, stop_streams

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take no more requests and finish those under way; when asked again, end at once."""
        if self.should_exit:
            self.force_exit = True
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stop_streams()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            _settle()
            self._greet()


def _settle() -> None:
    """Take what is here by now for good: garbage collections, which hold up all callers, pass it by."""
    gc.collect()
    gc.freeze()


def _listening(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as failure:
        reason = failure.strerror or str(failure)
        raise InvalidSetting(
            f"Cannot listen on {settings.host} port {settings.port}: {reason}",
            suggestion="Choose another --host or --port.",
        ) from None


def _greeting(listener: socket.socket, settings: Settings, *, demo: bool) -> str:
    port = listener.getsockname()[1]
    here = "localhost" if settings.host in {"127.0.0.1", "0.0.0.0", "::1", "::"} else settings.host  # noqa: S104  # compared only
    missing = settings.missing()
    about = "a simulated plant: nothing in it is real" if demo else f"configuration {settings.sl10_config_name}"
    if missing:
        about = f"no ERP yet, set {', '.join(missing)}"
    return "\n".join(
        (
            f"kai-erp {__version__} on http://{here}:{port} ({about})",
            f"Open http://{here}:{port}/ in a browser, or try:",
            f"  curl 'http://{here}:{port}/bedrock/schedule?limit=3'",
            f"  curl 'http://{here}:{port}/bedrock/schedule?work_center=WELD' -H 'Accept: text/csv'",
            f"  http://{here}:{port}/docs for every parameter and field",
            "Ctrl-C stops it.",
        )
    )
