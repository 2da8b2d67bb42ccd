"""Where an answer is read from, by its volume and by how fresh it must be.

```text
estimated rows         realtime                near_realtime               batch_ok
up to 500              REST                    REST                        REST
up to preferred_max    REST                    REST                        lake, REST without one
up to hard_max         REST                    lake, REST without one      lake, REST without one
above                  TooManyRows             lake, else TooManyRows      lake, else TooManyRows
```
"""

from __future__ import annotations

from kai_erp.core.types import DataSource, Freshness
from kai_erp.errors import TooManyRows

__all__ = ["DataSource", "Freshness", "QueryRouter"]

SMALL = 500


class QueryRouter:
    """Chooses between REST and the data lake.

    Args:
        preferred_max: rows up to which REST is the natural choice.
        hard_max: rows above which REST is never used.
        lake: whether there is a data lake.
    """

    def __init__(self, *, preferred_max: int = 5_000, hard_max: int = 10_000, lake: bool = False) -> None:
        self.preferred_max, self.hard_max, self.lake = preferred_max, hard_max, lake

    def select_source(self, volume: int, freshness: Freshness) -> DataSource:
        """Return the source for an answer of about `volume` rows. Raises TooManyRows when none may give it."""
        rest_enough = {
            Freshness.REALTIME: self.hard_max,
            Freshness.NEAR_REALTIME: self.preferred_max,
            Freshness.BATCH_OK: min(SMALL, self.preferred_max),
        }[freshness]
        if volume <= rest_enough:
            return DataSource.REST
        if self.lake and freshness is not Freshness.REALTIME:
            return DataSource.LAKE
        if volume <= self.hard_max:
            return DataSource.REST
        raise TooManyRows(volume, self.hard_max)

    def explain(self, volume: int | None, freshness: Freshness) -> str:
        """Return, in a sentence, why an answer of about `volume` rows comes from where it does."""
        rows = f"about {volume:,} rows" if volume is not None else "an unknown number of rows"
        try:
            source = self.select_source(volume or 0, freshness)
        except TooManyRows:
            lake = "a realtime answer cannot come from the data lake" if self.lake else "there is no data lake"
            return f"Not answered: {rows} are more than the {self.hard_max:,} that REST may give, and {lake}."
        if source is DataSource.LAKE:
            return f"From the data lake: {rows}, {freshness} allows it, and it spares the running ERP."
        if volume is None:
            return f"Over REST: {rows}; reading stops after {self.hard_max:,}."
        why = "the question asks for the present" if freshness is Freshness.REALTIME else self._why_rest(volume)
        return f"Over REST: {rows}, and {why}."

    def _why_rest(self, volume: int) -> str:
        return "that is little" if self.lake or volume <= SMALL else "there is no data lake"

    def without_lake(self) -> QueryRouter:
        """Return the router for a question that the lake cannot answer."""
        return QueryRouter(preferred_max=self.preferred_max, hard_max=self.hard_max) if self.lake else self

    def is_large(self, volume: int) -> bool:
        """Tell whether a REST read of so many rows deserves a warning."""
        return volume > self.preferred_max
