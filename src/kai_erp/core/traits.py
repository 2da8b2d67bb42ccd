"""What has been learnt about a tenant's collections, so that it need not be learnt with each question."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kai_erp.core.expressions import Expression
from kai_erp.core.types import Clock

_KEPT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Trait:
    """How a collection differs from what was expected.

    Args:
        page_size: the rows per page that the tenant manages, where the usual number timed out.
        lacking: properties that it does not have, case-folded.
        refused: filter terms that it does not accept.
    """

    page_size: int | None = None
    lacking: frozenset[str] = frozenset()
    refused: frozenset[Expression] = frozenset()


class Traits:
    """The traits of all collections; each is forgotten ten minutes after it was last added to, and learnt anew."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, Trait]] = {}

    def of(self, collection: str) -> Trait:
        """Return what is known of a collection."""
        at, trait = self._known.get(collection, (float("-inf"), Trait()))
        return trait if self._clock() - at <= _KEPT_SECONDS else Trait()

    def learn_page_size(self, collection: str, rows: int) -> None:
        """Note how many rows per page the tenant manages."""
        self._note(collection, replace(self.of(collection), page_size=rows))

    def learn_lacking(self, collection: str, names: frozenset[str]) -> None:
        """Note properties that the tenant lacks."""
        known = self.of(collection)
        if not names:
            return
        self._note(collection, replace(known, lacking=known.lacking | {name.casefold() for name in names}))

    def learn_refused(self, collection: str, terms: frozenset[Expression]) -> None:
        """Note filter terms that the tenant does not accept."""
        known = self.of(collection)
        if not terms:
            return
        self._note(collection, replace(known, refused=known.refused | terms))

    def _note(self, collection: str, trait: Trait) -> None:
        self._known[collection] = (self._clock(), trait)
