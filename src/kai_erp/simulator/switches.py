"""Switches as JSON documents."""

from typing import get_type_hints

import orjson
from pydantic import ConfigDict, TypeAdapter, ValidationError

from kai_erp.simulator.documents import Catalogue, WrongDocument, among, below, read_collection
from kai_erp.simulator.options import SimulatorOptions, Switches

_SWITCHES = {
    name: TypeAdapter[object](kind, config=ConfigDict(strict=True))
    for name, kind in get_type_hints(Switches, include_extras=True).items()
}


def read_switches(document: object, catalogue: Catalogue, place: str = "") -> dict[str, object]:
    """Return the switches that a document turns, or raise WrongDocument."""
    if not isinstance(document, dict):
        raise WrongDocument(place, "an object is needed")
    return {name: _switch(name, value, catalogue, place) for name, value in document.items()}


def _switch(name: str, value: object, catalogue: Catalogue, place: str) -> object:
    where = below(place, name)
    if name not in _SWITCHES:
        raise WrongDocument(where, "it is no switch that can be turned", tuple(_SWITCHES))
    try:
        turned = _SWITCHES[name].validate_json(orjson.dumps(value))
    except ValidationError as error:
        raise WrongDocument(where, error.errors()[0]["msg"]) from None
    if isinstance(turned, dict):
        for collection, properties in turned.items():
            read_collection(collection, catalogue, where)
            for dropped in sorted(properties):
                among(dropped, list(catalogue[collection].columns), f"{where}.{collection}")
    return turned


def write_switches(options: SimulatorOptions) -> dict[str, object]:
    """Return the switches as they stand."""
    return {name: getattr(options, name) for name in _SWITCHES} | {
        "drop_properties": {name: sorted(dropped) for name, dropped in options.drop_properties.items()},
        "lake_lacks": sorted(options.lake_lacks),
    }
