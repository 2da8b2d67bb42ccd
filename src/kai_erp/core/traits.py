"""What has been learnt about a tenant's collections, so that it need not be learnt with each question."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kai_erp.core.expressions import Expression, names_in
from kai_erp.core.types import Clock, IDOSpec, Property

_KEPT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Shape:
    """What a filter term is like whatever value it holds: its kind and its properties."""

    kind: str
    names: frozenset[str]

    @classmethod
    def of(cls, term: Expression) -> Shape:
        """Return the shape of a term."""
        return cls(type(term).__name__, names_in(term))


@dataclass(frozen=True, slots=True)
class Trait:
    """How a collection differs from what was expected.

    Args:
        page_size: the rows per page that the tenant manages, where the usual number timed out.
        lacking: properties that it does not have, case-folded.
        refused: filter terms that it does not accept, whatever their values.
        unkeyed: it does not accept a list of keys.
    """

    page_size: int | None = None
    lacking: frozenset[str] = frozenset()
    refused: frozenset[Shape] = frozenset()
    unkeyed: bool = False

    def has(self, prop: Property) -> bool:
        """Tell whether a property can be asked for."""
        return prop.wire.casefold() not in self.lacking

    def accepts(self, term: Expression) -> bool:
        """Tell whether a filter term can be sent; one that cannot is decided after staging."""
        return Shape.of(term) not in self.refused

    def lacking_of(self, spec: IDOSpec) -> list[Property]:
        """Return the properties of a declaration that the tenant does not have."""
        return [prop for prop in spec.properties if not self.has(prop)]


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
        self._note(collection, replace(known, lacking=known.lacking | {name.casefold() for name in names}))

    def learn_refused(self, collection: str, terms: frozenset[Expression]) -> None:
        """Note filter terms that the tenant does not accept."""
        known = self.of(collection)
        self._note(collection, replace(known, refused=known.refused | {Shape.of(term) for term in terms}))

    def learn_unkeyed(self, collection: str) -> None:
        """Note that the tenant does not accept a list of keys."""
        self._note(collection, replace(self.of(collection), unkeyed=True))

    def _note(self, collection: str, trait: Trait) -> None:
        """Keep a trait, if it is new: what is already known does not prolong its own memory."""
        if trait != self.of(collection):
            self._known[collection] = (self._clock(), trait)
