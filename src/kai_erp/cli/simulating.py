"""`kai-erp simulate`: a stand-in tenant alone, over HTTP."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kai_erp.demo import ZONE, plant_now
from kai_erp.errors import InvalidSetting
from kai_erp.simulator import (
    Plant,
    RunningSimulator,
    Setup,
    SimulatorOptions,
    build_plant,
    read_setup,
    run_simulator,
)


class Scale(StrEnum):
    """How large the plant is."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


def add_to(cli: typer.Typer) -> None:
    """Add the verb."""
    cli.command()(simulate)


def simulate(  # noqa: PLR0913  # the options of the command
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes any that is free.", min=0, max=65535)] = 8110,
    scale: Annotated[Scale, typer.Option(help="Size of the plant.")] = Scale.SMALL,
    seed: Annotated[int, typer.Option(help="The same seed gives the same plant.")] = 1,
    ionapi_out: Annotated[Path | None, typer.Option(help="Write a matching .ionapi file here.")] = None,
    faults: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON file of faults, denied collections and switches.")
    ] = None,
    latency: Annotated[
        float | None, typer.Option(metavar="MS", help="Every IDO request takes that long.", min=0, max=600_000)
    ] = None,
) -> None:
    """Run the simulator alone: a plant with a gateway, tokens and IDO collections to point any client at."""
    plant = build_plant(scale.value, seed, plant_now())
    setup = None if faults is None else _read(faults, plant)
    with _running(plant, host, port) as simulator:
        if setup is not None:
            setup.arrange(simulator.state)
        if latency is not None:
            simulator.state.turn({"latency_ms": latency})
        typer.echo(f"A {scale.value} plant is at {simulator.base_url}", err=True)
        if ionapi_out is not None:
            _write(simulator, ionapi_out)
        configuration = simulator.state.options.configurations[0]
        typer.echo(f"SL10_CONFIG_NAME={configuration}\nSL10_TIMEZONE={ZONE}\nCtrl-C stops it.", err=True)
        _wait()


@contextmanager
def _running(plant: Plant, host: str, port: int) -> Iterator[RunningSimulator]:
    with ExitStack() as stack:
        try:
            simulator = stack.enter_context(run_simulator(plant, SimulatorOptions(), host=host, port=port))
        except OSError as failure:
            where, reason = f"{host} port {port}", failure.strerror or str(failure)
            raise InvalidSetting(f"Cannot listen on {where}: {reason}", suggestion="Try another --port.") from None
        yield simulator


def _read(file: Path, plant: Plant) -> Setup:
    try:
        return read_setup(file.read_bytes(), plant.collections)
    except (OSError, ValueError) as wrong:
        reason = (wrong.strerror if isinstance(wrong, OSError) else None) or str(wrong)
        raise InvalidSetting(f"--faults {file}: {reason}", suggestion="Mend the file and start again.") from None


def _write(simulator: RunningSimulator, file: Path) -> None:
    try:
        file.touch(mode=0o600)
        file.chmod(0o600)
        file.write_text(json.dumps(simulator.ionapi(), indent=2) + "\n", encoding="utf-8")
    except OSError as failure:
        raise InvalidSetting(f"--ionapi-out {file}: {failure.strerror}", suggestion="Try another file.") from None
    typer.echo(f"SL10_IONAPI_FILE={file}", err=True)


def _wait() -> None:
    """Return when the process is asked to end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
