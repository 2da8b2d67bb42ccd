"""The built-in simulator as the ERP: everything works without an account, and every answer says so."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from kai_erp.config import DIRECT, Settings
from kai_erp.simulator import SimulatorOptions, build_plant, run_simulator

ZONE = "America/Chicago"


def plant_now() -> datetime:
    """Return what the wall clock of the simulated plant shows."""
    return datetime.now(ZoneInfo(ZONE)).replace(tzinfo=None)


@contextmanager
def demo_settings(settings: Settings, *, scale: str = "small", seed: int = 1) -> Iterator[Settings]:
    """Run a simulator on this machine and yield settings that lead to it, whatever ERP was set before."""
    plant = build_plant(scale, seed, plant_now())
    options = SimulatorOptions()
    with run_simulator(plant, options) as simulator, tempfile.TemporaryDirectory(prefix="kai-erp-") as folder:
        file = Path(folder) / "simulator.ionapi"
        file.touch(mode=0o600)
        file.write_text(json.dumps(simulator.ionapi()))
        yield settings.model_copy(
            update={
                **dict.fromkeys(DIRECT),
                "sl10_ionapi_file": file,
                "sl10_config_name": options.configurations[0],
                "sl10_timezone": ZONE,
                "sl10_suite": options.suite,
                "sl10_ca_bundle": None,
            }
        )
