"""A plant: the collections of one site."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from kai_erp.simulator.collection import Collection


@dataclass(frozen=True, slots=True)
class Plant:
    """One site's data by canonical IDO name, and the wall clock of its ERP server.

    `scale` and `seed` tell what it was built from; a plant made by hand has none.
    """

    collections: Mapping[str, Collection]
    now: datetime
    scale: str | None = None
    seed: int | None = None

    def rows(self, ido: str) -> list[dict[str, str | None]]:
        """Return all rows of a collection with all properties, as on the wire, in natural key order."""
        return self.collections[ido].wire_rows()

    def find(self, ido: str, *, strict: bool = False) -> Collection | None:
        """Return the collection of that name; the old prefix `SL.` is ignored."""
        name = ido.removeprefix("SL.")
        if strict:
            return self.collections.get(name)
        folded = name.lower()
        return next((c for known, c in self.collections.items() if known.lower() == folded), None)
