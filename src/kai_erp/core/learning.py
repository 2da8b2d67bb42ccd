"""What a failed read teaches about a tenant: it lacks a property, refuses a filter, or is too slow for a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from kai_erp.core import ido
from kai_erp.core.expressions import Expression, names_in, terms_of
from kai_erp.core.traits import Trait, Traits
from kai_erp.core.types import IDOSpec
from kai_erp.core.walking import PageSource
from kai_erp.errors import FilterRefused, PageTimedOut, PropertyMissing, UpstreamError, UpstreamFault

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Learning:
    """Learns about the collection of one read; `keyed` tells that it is read by a list of keys."""

    spec: IDOSpec
    source: PageSource
    traits: Traits
    keyed: bool

    async def learn(self, failure: UpstreamError, record_cap: int) -> None:
        """Note what a failure says about the tenant. Raises it when there is no doing without what is missing."""
        match failure:
            case PageTimedOut():
                self._learn_page_size(record_cap)
            case PropertyMissing():
                self._learn_lacking(failure, [failure.property_name])
            case FilterRefused():
                await self._learn_refused(failure)
            case _ if type(failure) is UpstreamFault:
                await self._learn_from_metadata(failure)
            case _:
                raise failure

    @property
    def _trait(self) -> Trait:
        return self.traits.of(self.spec.name)

    def _terms(self) -> list[Expression]:
        return [term for term in terms_of(self.spec.filter) if self._trait.accepts(term)]

    def _learn_page_size(self, record_cap: int) -> None:
        known, size = self._trait.page_size, max(record_cap // 2, ido.SMALLEST_PAGE)
        if size < record_cap and (known is None or size < known):
            self.traits.learn_page_size(self.spec.name, size)

    def _learn_lacking(self, failure: UpstreamError, names: Iterable[str]) -> None:
        lacking = {name.casefold() for name in names}
        asked = {prop.wire.casefold() for prop in self.spec.properties if self._trait.has(prop)}
        if asked <= lacking or lacking & self._needed():
            raise failure
        terms = self._terms()
        self._drop(failure, [term for term in terms if lacking & {name.casefold() for name in names_in(term)}])
        if lacking & {prop.wire.casefold() for prop in self.spec.properties}:
            self.traits.learn_lacking(self.spec.name, frozenset(lacking))

    def _needed(self) -> set[str]:
        required = {prop.wire.casefold() for prop in self.spec.properties if prop.required}
        return required | {name.casefold() for name in self.spec.key}

    async def _learn_refused(self, failure: UpstreamError) -> None:
        """Find out by small reads which terms of the filter are refused; if none is, the list of keys must be."""
        refused = [term for term in self._terms() if not await self._accepted(term)]
        self._drop(failure, refused)
        if not refused and self.keyed and self.spec.required:
            self.traits.learn_unkeyed(self.spec.name)

    def _drop(self, failure: UpstreamError, terms: list[Expression]) -> None:
        """Do without some terms; an optional collection, though, is not read whole for want of a filter."""
        whole = len(terms) == len(self._terms()) and not self.keyed
        if terms and whole and not self.spec.required:
            raise failure
        self.traits.learn_refused(self.spec.name, frozenset(terms))

    async def _learn_from_metadata(self, failure: UpstreamFault) -> None:
        """Find out what a fault means whose text nobody knows, such as one in another language."""
        log.warning("unrecognised fault", collection=self.spec.name, said=str(failure))
        names = await self.source.property_names(self.spec.name)
        used = [prop.wire for prop in sorted(self.spec.properties, key=lambda prop: not prop.required)]
        used += [name for term in self._terms() for name in sorted(names_in(term))]
        lacking = [name for name in used if names and name.casefold() not in names | self._trait.lacking]
        if lacking:
            self._learn_lacking(PropertyMissing(self.spec.name, lacking[0]), lacking)
        elif await self._accepted(None):
            await self._learn_refused(failure)

    async def _accepted(self, term: Expression | None) -> bool:
        """Tell whether the tenant answers a one-row read with this filter."""
        name = self.spec.key[:1] or tuple(prop.wire for prop in self.spec.properties if self._trait.has(prop))[:1]
        text = ido.render(term) if term is not None else None
        try:
            await self.source.page(ido.LoadRequest(self.spec.name, name, text, name, record_cap=1))
        except UpstreamFault as failure:
            if type(failure) not in {FilterRefused, UpstreamFault}:
                raise
            return False
        return True
