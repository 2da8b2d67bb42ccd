"""Serve a page of a walk while rows move around it."""

from collections.abc import Sequence

from kai_erp.simulator.collection import Collection
from kai_erp.simulator.columns import Column, Kind, Origin
from kai_erp.simulator.faults import Move
from kai_erp.simulator.loads import Page
from kai_erp.simulator.movements import Movements
from kai_erp.simulator.service import Load


def serve_moving(load: Load, move: Move, movements: Movements) -> tuple[Page, bytes]:
    """Return the page and its answer as JSON; the rows have moved when it returns.

    What is inserted does not exist while the page is answered, the rest exists as it was.
    """
    collection = load.scope.collection
    unborn = _unborn(load, move)
    collection.hide(unborn)
    try:
        page = load.page()
        ahead, answer = _ahead(load, page), load.write(page)
    finally:
        collection.show(unborn)
    _post(load, move, (page.rows, ahead), movements)
    return page, answer


def _unborn(load: Load, move: Move) -> list[int]:
    page = load.page()
    ahead = _ahead(load, page)
    return [*page.rows[: move.insert_behind], *ahead[max(len(ahead) - move.insert_ahead, 0) :]]


def _ahead(load: Load, page: Page) -> Sequence[int]:
    """Return the rows that the walk has still to meet after the page, in its order."""
    if not page.rows:
        return []
    rows = load.selections.find(load.scope, load.question).rows
    place = rows.index(page.rows[-1])
    return rows[place + 1 :] if load.request.forward else rows[:place][::-1]


def _post(load: Load, move: Move, walk: tuple[Sequence[int], Sequence[int]], movements: Movements) -> None:
    """Delete the first rows of what was served and of what lies ahead, change those that follow."""
    collection, now = load.scope.collection, load.scope.now
    column = _changing(load, move.property)
    for rows, deleted, changed in zip(
        walk, (move.delete_served, move.delete_ahead), (move.change_served, move.change_ahead), strict=True
    ):
        movements.change(collection, rows[deleted : deleted + changed], column, now)
        movements.delete(collection, rows[:deleted])


def _changing(load: Load, name: str | None) -> Column | None:
    """Return the property that changes: the one that is named, else the first decimal that is read."""
    collection = load.scope.collection
    read = [column for column in load.columns if column.shape.kind is Kind.DECIMAL]
    named = [] if name is None else filter(None, [collection.find(name)])
    return next((c for c in (read if name is None else named) if changeable(collection, c)), None)


def changeable(collection: Collection, column: Column) -> bool:
    """Whether a posting may change a property: one of the table itself, but no key."""
    table = column.origin is Origin.BOUND and column.name not in collection.table.key
    return table and column.shape.kind is not Kind.GUID
