"""JSON documents that tell the simulator what to do: how they are read, and what is said of a wrong one."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from kai_erp.simulator.collection import Collection

STRICT = ConfigDict(strict=True, extra="forbid")
Catalogue = Mapping[str, Collection]

_Model = TypeVar("_Model", bound=BaseModel)


class WrongDocument(ValueError):
    """A document has a wrong member; `allowed` lists what may stand there, where that is a list."""

    def __init__(self, member: str, problem: str, allowed: tuple[str, ...] = ()) -> None:
        listed = f" (allowed: {', '.join(allowed)})" if allowed else ""
        super().__init__(f"{member}: {problem}{listed}" if member else f"{problem}{listed}")
        self.member, self.problem, self.allowed = member, problem, allowed


def read_json(text: bytes) -> object:
    """Return what a JSON text holds, or raise WrongDocument."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise WrongDocument("", f"this is not JSON: {error}") from None


def validated(
    model: type[_Model], document: object, place: str, nested: Mapping[str, type[BaseModel]] | None = None
) -> _Model:
    """Return a document as its model, or raise WrongDocument; `nested` are the models of its members."""
    try:
        return model.model_validate_json(orjson.dumps(document))
    except ValidationError as error:
        first = error.errors()[0]
    where = place
    for part in first["loc"]:
        where = f"{where}[{part}]" if isinstance(part, int) else below(where, part)
    if first["type"] == "extra_forbidden":
        parent = str(first["loc"][-2]) if len(first["loc"]) > 1 else ""
        raise WrongDocument(where, "it is not known", tuple((nested or {}).get(parent, model).model_fields))
    raise WrongDocument(where, first["msg"])


def below(place: str, name: str) -> str:
    """Return the place of a member."""
    return f"{place}.{name}" if place else name


def read_collection(name: object, catalogue: Catalogue, place: str, besides: tuple[str, ...] = ()) -> str:
    """Return the name of a collection as the plant spells it, or raise WrongDocument."""
    return among(name, [*besides, *catalogue], place)


def among(name: object, known: Sequence[str], place: str) -> str:
    """Return a name that is known, or raise WrongDocument."""
    if name not in known:
        raise WrongDocument(place, f"{orjson.dumps(name).decode()} is not known", tuple(known))
    return str(name)
