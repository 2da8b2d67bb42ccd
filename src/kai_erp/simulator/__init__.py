"""A stand-in for a SyteLine / CloudSuite Industrial tenant: it speaks the wire, with data of its own.

It shares no code with the rest of the package, so that the two can disagree.
"""

from kai_erp.simulator.changes import WrongChange
from kai_erp.simulator.data import Plant, build_plant
from kai_erp.simulator.documents import WrongDocument
from kai_erp.simulator.faults import (
    Abort,
    Answer,
    Delay,
    Drip,
    DropBookmark,
    Fault,
    Faults,
    Move,
    RepeatBookmark,
    Truncate,
)
from kai_erp.simulator.lake import Lake, LakeRequest
from kai_erp.simulator.lake_jobs import LakeJob
from kai_erp.simulator.running import RunningSimulator, run_simulator, start_simulator
from kai_erp.simulator.server import SimulatorOptions, create_simulator, ionapi_document
from kai_erp.simulator.setups import Setup, read_setup
from kai_erp.simulator.state import RecordedRequest, SimulatorState

__all__ = [
    "Abort",
    "Answer",
    "Delay",
    "Drip",
    "DropBookmark",
    "Fault",
    "Faults",
    "Lake",
    "LakeJob",
    "LakeRequest",
    "Move",
    "Plant",
    "RecordedRequest",
    "RepeatBookmark",
    "RunningSimulator",
    "Setup",
    "SimulatorOptions",
    "SimulatorState",
    "Truncate",
    "WrongChange",
    "WrongDocument",
    "build_plant",
    "create_simulator",
    "ionapi_document",
    "read_setup",
    "run_simulator",
    "start_simulator",
]
