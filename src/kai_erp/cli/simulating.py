"""`kai-erp simulate`: a stand-in tenant alone, over HTTP."""

from __future__ import annotations

import json
import signal
import threading
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kai_erp.demo import ZONE, plant_now
from kai_erp.simulator import SimulatorOptions, build_plant, run_simulator


class Scale(StrEnum):
    """How large the plant is."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


def add_to(cli: typer.Typer) -> None:
    """Add the verb."""
    cli.command()(simulate)


def simulate(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes any that is free.", min=0, max=65535)] = 8110,
    scale: Annotated[Scale, typer.Option(help="Size of the plant.")] = Scale.SMALL,
    seed: Annotated[int, typer.Option(help="The same seed gives the same plant.")] = 1,
    ionapi_out: Annotated[Path | None, typer.Option(help="Write a matching .ionapi file here.")] = None,
) -> None:
    """Run the simulator alone: a plant with a gateway, tokens and IDO collections to point any client at."""
    options = SimulatorOptions()
    with run_simulator(build_plant(scale.value, seed, plant_now()), options, host=host, port=port) as simulator:
        typer.echo(f"A {scale.value} plant is at {simulator.base_url}", err=True)
        if ionapi_out is not None:
            ionapi_out.touch(mode=0o600)
            ionapi_out.write_text(json.dumps(simulator.ionapi(), indent=2) + "\n", encoding="utf-8")
            typer.echo(f"SL10_IONAPI_FILE={ionapi_out}", err=True)
        typer.echo(
            f"SL10_CONFIG_NAME={options.configurations[0]}\nSL10_TIMEZONE={ZONE}\nCtrl-C stops it.", err=True
        )
        _wait()


def _wait() -> None:
    """Return when the process is asked to end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
