"""Properties read off row objects: most of a collection is one attribute of each row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from kai_erp.simulator.columns import Column, Native, Origin, Shape, text

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class View(Generic[Row]):
    """Makes columns of rows; values are read when a column is first used."""

    rows: Sequence[Row]

    def column(
        self, name: str, shape: Shape, pick: Callable[[Row], Native], origin: Origin = Origin.BOUND
    ) -> Column:
        """Return the property whose value `pick` reads off a row."""
        return Column(name, shape, lambda: list(map(pick, self.rows)), origin)

    def joined(self, name: str, shape: Shape, pick: Callable[[Row], Native]) -> Column:
        """Return a property of a table that is joined one to one."""
        return self.column(name, shape, pick, Origin.JOINED)

    def derived(self, name: str, shape: Shape, pick: Callable[[Row], Native]) -> Column:
        """Return a property the server computes from the row."""
        return self.column(name, shape, pick, Origin.DERIVED)

    def constant(self, name: str, shape: Shape, value: Native = None) -> Column:
        """Return a bound property with the same value in every row."""
        return Column(name, shape, lambda: [value] * len(self.rows))

    def unbound(self, name: str) -> Column:
        """Return a form's working field, null in every load."""
        return Column(name, text(30), lambda: [None] * len(self.rows), Origin.UNBOUND)
