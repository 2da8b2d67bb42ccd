"""What every part of a plant is built from: its scale, its calendar and its dice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from kai_erp.simulator.calendar import MINUTES_A_DAY, Calendar
from kai_erp.simulator.columns import DATE, FLAG, GUID, Column, Guids, Native, Natives, Shape, text
from kai_erp.simulator.scales import Scale
from kai_erp.simulator.vocabulary import CLERKS


@dataclass(frozen=True, slots=True)
class Blueprint:
    """The numbers and the random streams of one plant; equal blueprints give equal plants."""

    scale: Scale
    seed: int
    calendar: Calendar

    def dice(self, name: str) -> Random:
        """Return the random stream of that name: one per purpose, so that parts stay independent."""
        return Random(f"{self.seed}/{name}")  # noqa: S311 - synthetic data, nothing secret

    def spread(
        self, name: str, shape: Shape, values: Sequence[Native], size: int, weights: Sequence[int] | None = None
    ) -> Column:
        """Return a bound property whose values are drawn at first use."""
        return Column(name.rpartition(".")[2], shape, lambda: self.dice(name).choices(values, weights, k=size))

    def audit(self, table: str, size: int, ages: Callable[[], Sequence[int]] | None = None) -> list[Column]:
        """Return the columns that every table has; `ages` are minutes since the last change."""
        stamp = self.calendar.past

        def aged() -> Sequence[int]:
            return ages() if ages else self._ages(table, size)

        def created() -> Natives:
            extra = self.dice(f"{table}/created")
            return [stamp(age + extra.randrange(1, 40) * 397) for age in aged()]

        return [
            Column("RowPointer", GUID, Guids(table, self.seed, size)),
            Column("RecordDate", DATE, lambda: [stamp(age) for age in aged()]),
            Column("CreateDate", DATE, created),
            self.spread(f"{table}.CreatedBy", text(30), CLERKS, size),
            self.spread(f"{table}.UpdatedBy", text(30), CLERKS, size),
            self.spread(f"{table}.NoteExistsFlag", FLAG, (0, 1), size, (9, 1)),
            Column("InWorkflow", FLAG, lambda: [0] * size),
        ]

    def _ages(self, table: str, size: int) -> Sequence[int]:
        recent = self.dice(f"{table}/ages")
        return recent.choices(range(30, 700 * MINUTES_A_DAY, 1201), k=size)
