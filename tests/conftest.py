"""A small plant behind a simulator on a socket, settings that lead to it, and a shield against this machine's own.

Sockets, plants and the simulator are shared by the whole session; what a test turns on it is turned back.
"""

import gc
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import stamina
import structlog

from kai_erp import tenant
from kai_erp.app import App, open_app
from kai_erp.config import Settings, load_settings
from kai_erp.core.staging import StagingDatabase
from kai_erp.simulator import Plant, RunningSimulator, SimulatorOptions, build_plant, run_simulator
from tests.redis_server import RedisServer, running_redis
from tests.secrecy import Lookout, looking_out

ZONE = "America/Chicago"
WALL_CLOCK = datetime(2026, 5, 20, 10, 30)  # noqa: DTZ001  # the ERP's clock has no zone
SCHEDULE_COLLECTIONS = ("SLJobs", "SLJobRoutes", "SLJrtSchs", "SLItems", "SLItemwhses", "SLWcs")

Simulate = Callable[..., RunningSimulator]
RawRows = dict[str, list[dict[str, str | None]]]
SettingsFor = Callable[..., Settings]


@dataclass
class HandClock:
    """Seconds that move when they are told to."""

    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(scope="session", autouse=True)
def _shield(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the developer's environment, `.env` and key files out of every test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.lower() in Settings.model_fields:
                patch.delenv(name)
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        patch.setenv("COLUMNS", "200")
        patch.chdir(tmp_path_factory.mktemp("nowhere"))
        yield


@pytest.fixture(autouse=True)
def _plain_tracebacks() -> None:
    """Log without the variables of each frame, as the product does."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    )


@pytest.fixture(scope="session")
def lookout() -> Iterator[Lookout]:
    """The lookout of the whole session."""
    with looking_out() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _no_secret_leaks(lookout: Lookout) -> Iterator[None]:
    """Fail a test during which a secret reached a log, an error, a metric or the audit log."""
    yield
    leaks, lookout.leaks = lookout.leaks, []
    assert not leaks


@pytest.fixture(scope="session", autouse=True)
def _staging() -> Iterator[None]:
    """Let the apps of this process share its DuckDB: to open one takes ten times what the rest of an app takes."""
    with StagingDatabase() as database, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tenant, "StagingDatabase", lambda: nullcontext(database))
        yield


@pytest.fixture(scope="session")
def plant() -> Plant:
    """A plant that no test changes."""
    return build_plant("small", 1, WALL_CLOCK)


@pytest.fixture(scope="session")
def medium_plant() -> Plant:
    """A larger plant that no test changes; tests that ask for it run in one process, which builds it once."""
    return build_plant("medium", 4, WALL_CLOCK)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what stays, and look less often: plants are large and without cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of the medium plant together, whatever process they run in."""
    for item in items:
        if "medium_plant" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("medium"))


@pytest.fixture(scope="session")
def collections(plant: Plant) -> RawRows:
    """The raw rows of the six collections of the production schedule."""
    return schedule_rows(plant)


def schedule_rows(plant: Plant) -> RawRows:
    """Return a plant's raw rows, without the operations of jobs that nobody works on: most are history."""
    rows = {name: plant.rows(name) for name in SCHEDULE_COLLECTIONS}
    open_jobs = {row["Job"] for row in rows["SLJobs"] if row["Stat"] == "R"}
    for name in ("SLJobRoutes", "SLJrtSchs"):
        rows[name] = [row for row in rows[name] if row["Job"] in open_jobs]
    return rows


@pytest.fixture(scope="session")
def now() -> datetime:
    """The instant at which the plant's wall clock shows its time."""
    return WALL_CLOCK.replace(tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


@pytest.fixture(scope="session")
def _running(plant: Plant) -> Iterator[RunningSimulator]:
    with run_simulator(plant) as running:
        yield running


@pytest.fixture
def simulator(_running: RunningSimulator) -> RunningSimulator:
    """The shared simulator on its socket: nothing denied, no fault in force, nothing recorded."""
    state = _running.state
    state.faults.clear()
    state.denied.clear()
    state.requests.clear()
    state.token_requests = 0
    state.forget_changes()
    state.lake.forget()
    state.clock.reset()
    return _running


@pytest.fixture
def simulate(plant: Plant) -> Iterator[Simulate]:
    """Start a simulator of a tenant that behaves in its own way; it stops with the test."""
    with ExitStack() as stack:

        def start(options: SimulatorOptions | None = None, of: Plant | None = None) -> RunningSimulator:
            return stack.enter_context(run_simulator(of or plant, options))

        yield start


@pytest.fixture
def settings_for(tmp_path: Path) -> SettingsFor:
    """Return settings that lead to a simulator, changed as asked."""

    def make(simulator: RunningSimulator, **changes: Any) -> Settings:  # noqa: ANN401  # any setting
        return settings_of(simulator, tmp_path / "tenant.ionapi", **changes)

    return make


def settings_of(simulator: RunningSimulator, file: Path, **changes: Any) -> Settings:  # noqa: ANN401  # any setting
    """Return settings that lead to a simulator by credentials that are written to a file."""
    file.write_text(json.dumps(simulator.ionapi()))
    given = {
        "sl10_ionapi_file": file,
        "sl10_config_name": simulator.state.options.configurations[0],
        "sl10_timezone": ZONE,
        "sl10_requests_per_minute": 100_000,
    }
    return load_settings(given | changes)


@pytest.fixture
def settings(simulator: RunningSimulator, settings_for: SettingsFor) -> Settings:
    """Settings that lead to the shared simulator."""
    return settings_for(simulator)


@pytest.fixture
def clock() -> HandClock:
    """The clock of the app, moved by hand."""
    return HandClock()


@pytest.fixture
async def app(settings: Settings, clock: HandClock, now: datetime) -> AsyncIterator[App]:
    """An app that asks the shared simulator at the plant's own time."""
    async with open_app(settings, clock=clock, now=lambda: now) as opened:
        yield opened


@pytest.fixture
def without_waiting() -> Iterator[None]:
    """Try again at once, as often as the product does."""
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


@pytest.fixture(scope="session")
def _redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_server(_redis: RedisServer) -> RedisServer:
    """The tests' own Redis, empty and running whatever the test before did to it."""
    _redis.stop()
    _redis.start()
    return _redis
