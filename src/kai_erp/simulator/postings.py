"""Changes of the ERP as JSON documents."""

from collections.abc import Mapping

from pydantic import BaseModel, Field

from kai_erp.simulator.changes import Change, WrongChange
from kai_erp.simulator.documents import STRICT, WrongDocument, below, validated
from kai_erp.simulator.state import SimulatorState

Value = str | int | float | bool | None


class _ChangeDocument(BaseModel):
    model_config = STRICT
    collection: str
    key: dict[str, Value]
    values: dict[str, Value] = Field(default={}, alias="set")
    delete: bool = False


def post(document: object, state: SimulatorState) -> None:
    """Make the change, or the list of changes, that a document holds, or raise WrongDocument and make none."""
    documents = document if isinstance(document, list) else [document]
    places = [f"[{n}]" for n in range(len(documents))] if isinstance(document, list) else [""]
    pairs = zip(documents, places, strict=True)
    wanted = [(validated(_ChangeDocument, one, place), place) for one, place in pairs]
    before = len(state.changes.log)
    for change, place in wanted:
        try:
            _make(change, state)
        except WrongChange as wrong:
            state.changes.restore(before)
            raise WrongDocument(below(place, wrong.member), wrong.problem) from None


def _make(change: _ChangeDocument, state: SimulatorState) -> None:
    if change.delete is bool(change.values):
        raise WrongChange("set", "either values are set or the row is deleted")
    key: Mapping[str, object] = change.key
    if change.delete:
        state.delete(change.collection, key)
    else:
        state.change(change.collection, key, change.values)


def write_change(change: Change) -> dict[str, object]:
    """Return a change as a document: the key, what the row held before, and when it was made."""
    collection = change.collection
    return {
        "collection": collection.name,
        "key": {name: collection.columns[name].natives[change.row] for name in collection.table.key},
        "before": change.before,
        "deleted": change.deleted,
        "at": round(change.at, 3),
    }
