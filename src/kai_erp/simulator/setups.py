"""A file of faults: rules, denied collections and switches in one document."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from kai_erp.simulator.documents import STRICT, Catalogue, read_collection, read_json, validated
from kai_erp.simulator.faults import Fault
from kai_erp.simulator.rules import read_fault
from kai_erp.simulator.state import SimulatorState
from kai_erp.simulator.switches import read_switches


class _SetupDocument(BaseModel):
    model_config = STRICT
    faults: list[dict[str, object]] = []
    deny: list[str] = []
    options: dict[str, object] = {}


@dataclass(frozen=True, slots=True)
class Setup:
    """What a file of faults asks for: rules, denied collections, switches."""

    faults: tuple[Fault, ...]
    deny: tuple[str, ...]
    options: Mapping[str, object]

    def arrange(self, state: SimulatorState) -> None:
        """Put it in force."""
        state.turn(self.options)
        for fault in self.faults:
            state.faults.add(fault)
        for ido in self.deny:
            state.deny(ido)


def read_setup(text: bytes, catalogue: Catalogue) -> Setup:
    """Return what a file of faults asks for, or raise WrongDocument."""
    document = validated(_SetupDocument, read_json(text), "")
    faults = [read_fault(rule, catalogue, f"faults[{n}]") for n, rule in enumerate(document.faults)]
    denied = [read_collection(name, catalogue, f"deny[{n}]") for n, name in enumerate(document.deny)]
    return Setup(tuple(faults), tuple(denied), read_switches(document.options, catalogue, "options"))
