"""Run a simulator on a socket, in a thread beside the program that uses it."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from kai_erp.simulator.deliveries import TRANSPORT
from kai_erp.simulator.options import SimulatorOptions, ionapi_document
from kai_erp.simulator.plant import Plant
from kai_erp.simulator.server import create_simulator
from kai_erp.simulator.state import SimulatorState

_STARTED_WITHIN = 10.0
_POLITE = 0.4


class _Server(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@dataclass(slots=True)
class RunningSimulator:
    """A simulator that listens at `base_url` until it is closed."""

    base_url: str
    state: SimulatorState
    _server: _Server = field(repr=False)
    _thread: threading.Thread = field(repr=False)

    @property
    def plant(self) -> Plant:
        """The plant of the default site."""
        return next(iter(self.state.plants.values()))

    def ionapi(self) -> dict[str, str]:
        """Return the credentials file of this simulator."""
        return ionapi_document(self.base_url, self.state.options)

    def close(self) -> None:
        """Stop listening, cut connections that are still open, and put rows back that were moved or changed."""
        self._server.should_exit = True
        self._thread.join(_POLITE)
        self._server.force_exit = True
        self._thread.join(_STARTED_WITHIN)
        self.state.faults.movements.restore()
        self.state.forget_changes()
        self.state.lake.close()


@contextmanager
def run_simulator(
    plants: Plant | Mapping[str, Plant],
    options: SimulatorOptions | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[RunningSimulator]:
    """Serve the plants over HTTP while the block runs; port 0 takes a free one."""
    running = start_simulator(plants, options, host, port)
    try:
        yield running
    finally:
        running.close()


def start_simulator(
    plants: Plant | Mapping[str, Plant],
    options: SimulatorOptions | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> RunningSimulator:
    """Start serving the plants over HTTP and return the running simulator, to be closed by the caller."""
    app = create_simulator(plants, options)
    listener = socket.create_server((host, port))
    # The program around may log through uvicorn too: its loggers are left as they are.
    config = uvicorn.Config(_with_transport(app), log_config=None, access_log=False, lifespan="off")
    server = _Server(config)
    thread = threading.Thread(target=_serve, args=(server, listener), name="simulator", daemon=True)
    thread.start()
    if not server.ready.wait(_STARTED_WITHIN):
        raise RuntimeError("the simulator did not start")
    base_url = f"http://{host}:{listener.getsockname()[1]}"
    return RunningSimulator(base_url, app.state.simulator, server, thread)


def _serve(server: _Server, listener: socket.socket) -> None:
    with listener:
        server.run(sockets=[listener])


def _with_transport(app: ASGIApp) -> ASGIApp:
    """Return the app with the connection in its scope, which a fault may cut."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        cycle = getattr(send, "__self__", None)
        scope[TRANSPORT] = getattr(cycle, "transport", None)
        await app(scope, receive, send)

    return serve
