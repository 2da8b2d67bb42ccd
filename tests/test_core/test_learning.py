"""What a read learns from the failures of a tenant, what it does then, and for how long it remembers."""

import asyncio
import re
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_erp.core import ido
from kai_erp.core.expressions import AllOf, AnyOf, NullTest, all_of, equals
from kai_erp.core.reading import Reading, ReadingRules
from kai_erp.core.traits import Traits
from kai_erp.core.types import CollectionRead, IDOSpec, Property
from kai_erp.core.walking import KeyList
from kai_erp.errors import FilterRefused, PageTimedOut, PropertyMissing, UpstreamFault
from tests.test_core.fakes import Clock, Row, Tables, now

SPEC = IDOSpec(
    "SLThings",
    (Property("Key"), Property("Name"), Property("Size", required=True)),
    filter=all_of(equals("Kind", "A"), equals("Stat", "R")),
    key=("Key",),
)
KEPT_SECONDS = 600.0
LANGUAGES = pytest.mark.parametrize("german", [False, True], ids=["english", "german"])


@dataclass
class Tenant(Tables):
    """A tenant that lacks properties, refuses filters on some, and manages pages up to `biggest` rows only.

    In German nothing of what it says is understood. The first `baffled` reads fail for no reason.
    """

    lacks: frozenset[str] = frozenset()
    refuses: frozenset[str] = frozenset()
    biggest: int | None = None
    denies: bool = False
    german: bool = False
    tells: bool = True
    baffled: int = 0
    failed: int = 0
    described: int = 0

    async def property_names(self, collection: str) -> frozenset[str]:
        self.described += 1
        known = await super().property_names(collection) if self.tells else frozenset[str]()
        return known - {name.casefold() for name in self.lacks}

    async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
        failure = self._failure(request)
        if failure is None:
            return await super().page(request)
        self.asked.append(request)
        self.failed += 1
        await asyncio.sleep(0)
        if self.german and not isinstance(failure, PageTimedOut):
            raise UpstreamFault("SLThings: Es ist ein Fehler aufgetreten")
        raise failure

    def _failure(self, request: ido.LoadRequest) -> Exception | None:
        filtered = re.findall(r"\w+", request.filter or "")
        if self.denies:
            return UpstreamFault("SLThings: Sie dürfen das nicht")
        if self.baffled and request.record_cap != 1:
            self.baffled -= 1
            return UpstreamFault("SLThings: Die Maschine brennt")
        if absent := [name for name in (*request.properties, *filtered) if name in self.lacks]:
            return PropertyMissing("SLThings", absent[0])
        if self.refuses & set(filtered):
            return FilterRefused("SLThings", "IllegalFilterException")
        if self.biggest is not None and not 0 < request.record_cap <= self.biggest:
            return PageTimedOut("SLThings did not come within 30 s")
        return None

    @property
    def caps(self) -> list[int]:
        """The caps of the walks, in order, each once."""
        return [request.record_cap for request in self.asked if request.bookmark is None]


def things(count: int = 6) -> dict[str, list[Row]]:
    """Return things, every second of which is of the kind that is wanted."""
    return {
        "SLThings": [
            {"Key": f"{n:04}", "Name": f"n{n}", "Size": str(n), "Kind": "AB"[n % 2], "Stat": "R"}
            for n in range(count)
        ]
    }


def knowing(clock: Clock | None = None, page_size: int = 1_000) -> ReadingRules:
    clock = clock or Clock()
    return ReadingRules(page_size=page_size, clock=clock, now=now, traits=Traits(clock))


async def read(
    tenant: Tenant, rules: ReadingRules | None = None, spec: IDOSpec = SPEC, keys: KeyList | None = None
) -> CollectionRead:
    return await Reading(spec, tenant, rules or knowing()).run(keys)


def codes(got: CollectionRead) -> list[str]:
    return [notice.code for notice in got.notices]


# Properties


@LANGUAGES
async def test_an_optional_property_that_the_tenant_lacks_is_null_and_said_to_be(german: bool) -> None:
    got = await read(Tenant(things(), lacks=frozenset({"Name"}), german=german))
    assert got.table["Key"].to_pylist() == ["0000", "0002", "0004"]
    assert got.table["Name"].null_count == 3
    assert (codes(got), got.lacking) == (["property_missing"], ("Name",))
    assert "SLThings has no property Name" in got.notices[0].message


@LANGUAGES
@pytest.mark.parametrize("name", ["Size", "Key"])
async def test_without_a_required_property_or_key_there_is_no_answer(name: str, german: bool) -> None:
    tenant = Tenant(things(), lacks=frozenset({name}), german=german)
    with pytest.raises(PropertyMissing, match=f"SLThings has no property {name}"):
        await read(tenant)
    assert tenant.failed == 1


@LANGUAGES
async def test_a_property_that_only_the_filter_names_takes_its_term_along_and_nothing_else(german: bool) -> None:
    tenant = Tenant(things(), lacks=frozenset({"Stat"}), german=german)
    got = await read(tenant)
    assert tenant.filters("SLThings")[-1] == "Kind = 'A'"
    assert got.table["Key"].to_pylist() == ["0000", "0002", "0004"]
    assert (codes(got), got.lacking) == (["filter_local"], ())


@LANGUAGES
async def test_a_property_that_is_read_and_filtered_is_null_and_its_term_dropped(german: bool) -> None:
    spec = replace(SPEC, properties=(*SPEC.properties, Property("Stat")))
    got = await read(Tenant(things(), lacks=frozenset({"Stat"}), german=german), spec=spec)
    assert codes(got) == ["property_missing", "filter_local"]
    assert got.table["Stat"].null_count == got.table.num_rows == 3


async def test_in_a_strange_language_all_missing_properties_are_found_at_once() -> None:
    spec = replace(SPEC, properties=(*SPEC.properties, Property("One"), Property("two")))
    tenant = Tenant(things(), lacks=frozenset({"One", "two", "Name"}), german=True)
    got = await read(tenant, spec=spec)
    assert (tenant.failed, tenant.described) == (1, 1)
    assert got.lacking == ("Name", "One", "two")


async def test_in_a_strange_language_without_metadata_a_missing_property_stays_a_fault_that_is_quoted() -> None:
    tenant = Tenant(things(), lacks=frozenset({"Name"}), german=True, tells=False)
    with pytest.raises(UpstreamFault, match="Es ist ein Fehler aufgetreten"):
        await read(tenant)


async def test_in_a_strange_language_the_required_property_is_named_not_an_optional_one() -> None:
    optional = [f"Optional{n}" for n in range(200)]
    spec = replace(SPEC, properties=(*SPEC.properties, *map(Property, optional)))
    with pytest.raises(PropertyMissing, match="no property Size"):
        await read(Tenant(things(), lacks=frozenset({*optional, "Size"}), german=True), spec=spec)


# Filters


@LANGUAGES
async def test_only_the_terms_that_are_refused_are_dropped(german: bool) -> None:
    tenant = Tenant(things(), refuses=frozenset({"Kind"}), german=german)
    got = await read(tenant)
    assert tenant.filters("SLThings")[-1] == "Stat = 'R'"
    assert got.table.num_rows == 6
    assert codes(got) == ["filter_local"]
    assert "SLThings does not accept the filter on Kind; it was applied here" in got.notices[0].message


async def test_terms_are_tried_out_by_reads_of_one_row_and_one_property() -> None:
    tenant = Tenant(things(), refuses=frozenset({"Kind"}))
    await read(tenant)
    first, *probes, last = tenant.asked
    assert [(probe.filter, probe.record_cap, probe.properties) for probe in probes] == [
        ("Kind = 'A'", 1, ("Key",)),
        ("Stat = 'R'", 1, ("Key",)),
    ]
    assert (first.record_cap, last.record_cap) == (1_000, 1_000)


async def test_a_disjunction_is_one_term() -> None:
    either = AnyOf((equals("Name", "n0"), NullTest("Name")))
    tenant = Tenant(things(), refuses=frozenset({"Name"}))
    got = await read(tenant, spec=replace(SPEC, filter=all_of(equals("Kind", "A"), either)))
    assert tenant.filters("SLThings")[-1] == "Kind = 'A'"
    assert got.table.num_rows == 3


async def test_a_conjunction_of_conjunctions_is_all_their_terms() -> None:
    tenant = Tenant(things(), refuses=frozenset({"Stat"}))
    inner = AllOf((equals("Kind", "A"), equals("Stat", "R")))
    await read(tenant, spec=replace(SPEC, filter=all_of(inner, equals("Name", "n2"))))
    assert tenant.filters("SLThings")[-1] == "Kind = 'A' AND Name = 'n2'"


@LANGUAGES
async def test_a_required_collection_is_read_whole_when_no_term_is_accepted(german: bool) -> None:
    tenant = Tenant(things(), refuses=frozenset({"Kind", "Stat"}), german=german)
    got = await read(tenant)
    assert got.table.num_rows == 6
    assert tenant.filters("SLThings")[-1] is None
    assert codes(got) == ["filter_local"] * 2


@LANGUAGES
async def test_an_optional_collection_is_never_read_whole_for_want_of_a_filter(german: bool) -> None:
    tenant = Tenant(things(), refuses=frozenset({"Kind", "Stat"}), german=german)
    with pytest.raises(UpstreamFault):
        await read(tenant, spec=replace(SPEC, required=False))
    assert None not in [request.filter for request in tenant.asked if request.record_cap > 1]


async def test_an_optional_collection_is_still_read_by_its_keys() -> None:
    tenant = Tenant(things(), refuses=frozenset({"Kind", "Stat"}))
    got = await read(tenant, spec=replace(SPEC, required=False), keys=KeyList("Key", ("0001", "0002")))
    assert got.table["Key"].to_pylist() == ["0001", "0002"]


async def test_a_required_collection_that_takes_no_filter_at_all_is_read_whole_in_place_of_its_keys() -> None:
    tenant = Tenant(things(), refuses=frozenset({"Kind", "Stat", "Key"}))
    got = await read(tenant, keys=KeyList("Key", ("0001", "0002")))
    assert {"0001", "0002"} <= set(got.table["Key"].to_pylist())


async def test_a_refusal_that_no_term_explains_is_raised() -> None:
    tenant = Tenant(things(), {"SLThings": [FilterRefused("SLThings", "IllegalFilterException")]})
    with pytest.raises(FilterRefused):
        await read(tenant)
    assert len(tenant.asked) == 3


# Faults that nothing explains


async def test_an_unexplained_fault_that_passes_goes_unnoticed() -> None:
    tenant = Tenant(things(), baffled=1)
    got = await read(tenant)
    assert (got.table.num_rows, got.notices, tenant.failed) == (3, (), 1)


async def test_an_unexplained_fault_that_stays_is_tried_once_more_and_quoted() -> None:
    tenant = Tenant(things(), baffled=9)
    with pytest.raises(UpstreamFault, match="SLThings: Die Maschine brennt"):
        await read(tenant)
    assert tenant.failed == 2


async def test_a_denial_in_a_strange_language_is_quoted_and_no_filter_is_blamed() -> None:
    tenant, rules = Tenant(things(), denies=True), knowing()
    with pytest.raises(UpstreamFault, match="Sie dürfen das nicht"):
        await read(tenant, rules)
    assert rules.traits.of("SLThings") == Traits(Clock()).of("SLThings")
    probes = [request.filter for request in tenant.asked if request.record_cap == 1]
    assert probes == [None, None]


# Page sizes


async def test_a_page_that_takes_too_long_is_halved_until_it_comes() -> None:
    tenant = Tenant(things(500), biggest=100)
    got = await read(tenant)
    assert got.table["Key"].to_pylist() == [f"{n:04}" for n in range(0, 500, 2)]
    assert tenant.caps == [1_000, 500, 250, 125, 62]
    assert got.notices == ()


async def test_the_cap_stays_as_it_is_while_a_walk_goes_on() -> None:
    tenant = Tenant(things(500), biggest=100)
    await read(tenant)
    followed = {request.record_cap for request in tenant.asked if request.bookmark is not None}
    assert followed == {62}


async def test_a_page_in_the_middle_that_takes_too_long_doubles_no_row() -> None:
    class Tiring(Tenant):
        async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
            if request.bookmark and request.record_cap > 50:
                raise PageTimedOut("slow")
            return await super().page(request)

    tenant = Tiring(things(500))
    got = await read(tenant, knowing(page_size=100))
    assert got.report.rows == got.table.num_rows == 250
    assert tenant.caps == [100, 50]


async def test_a_page_is_not_made_smaller_than_the_smallest() -> None:
    tenant = Tenant(things(100), biggest=ido.SMALLEST_PAGE - 1)
    with pytest.raises(PageTimedOut):
        await read(tenant)
    assert min(tenant.caps) == ido.SMALLEST_PAGE
    assert tenant.caps.count(ido.SMALLEST_PAGE) == 1


@given(page_size=st.integers(1, 100_000), biggest=st.integers(ido.SMALLEST_PAGE, 100_000))
async def test_whatever_a_tenant_manages_is_found(page_size: int, biggest: int) -> None:
    tenant = Tenant(things(60), biggest=biggest)
    got = await read(tenant, knowing(page_size=page_size))
    assert got.table.num_rows == 30
    assert all(smaller >= larger // 2 for larger, smaller in zip(tenant.caps, tenant.caps[1:], strict=False))
    assert tenant.caps[-1] >= min(page_size, ido.SMALLEST_PAGE)


async def test_reads_that_time_out_together_halve_the_page_once() -> None:
    tenant, rules = Tenant(things(100), biggest=500), knowing()
    await asyncio.gather(*(read(tenant, rules) for _ in range(5)))
    assert rules.traits.of("SLThings").page_size == 500


# Memory


TRAITS = pytest.mark.parametrize(
    "changes",
    [
        {"lacks": frozenset({"Name"})},
        {"lacks": frozenset({"Stat"})},
        {"refuses": frozenset({"Kind"})},
        {"lacks": frozenset({"Name"}), "refuses": frozenset({"Kind"}), "german": True},
        {"biggest": 100},
    ],
    ids=["a property", "a filtered property", "a filter", "both in German", "a page size"],
)


@TRAITS
async def test_what_was_learnt_costs_no_failure_for_ten_minutes_and_is_learnt_anew_then(
    changes: dict[str, object],
) -> None:
    clock = Clock()
    rules, tenant = knowing(clock), Tenant(things(50), **changes)  # type: ignore[arg-type]  # each fits its field
    first = await read(tenant, rules)
    failures = tenant.failed
    assert failures >= 1

    clock.seconds += KEPT_SECONDS
    again = await read(tenant, rules)
    assert tenant.failed == failures
    assert (again.table, again.notices, again.lacking) == (first.table, first.notices, first.lacking)

    clock.seconds += 1
    anew = await read(tenant, rules)
    assert tenant.failed == 2 * failures
    assert (anew.table, anew.notices, anew.lacking) == (first.table, first.notices, first.lacking)


async def test_a_tenant_that_was_mended_is_believed_after_ten_minutes() -> None:
    clock = Clock()
    rules, tenant = knowing(clock), Tenant(things(), lacks=frozenset({"Name"}))
    await read(tenant, rules)
    tenant.lacks = frozenset()
    clock.seconds += KEPT_SECONDS + 1
    got = await read(tenant, rules)
    assert got.table["Name"].null_count == 0
    assert got.notices == ()


async def test_what_is_learnt_of_one_collection_does_not_count_for_another() -> None:
    rules, tenant = knowing(), Tenant(things() | {"SLOthers": things()["SLThings"]}, lacks=frozenset({"Name"}))
    await read(tenant, rules)
    tenant.lacks = frozenset()
    got = await read(tenant, rules, replace(SPEC, name="SLOthers", table=""))
    assert got.table["Name"].null_count == 0


async def test_what_is_refused_for_one_value_is_not_tried_with_another() -> None:
    rules, tenant = knowing(), Tenant(things(), refuses=frozenset({"Name"}))
    for name in ("n0", "n2"):
        await read(tenant, rules, replace(SPEC, filter=all_of(equals("Kind", "A"), equals("Name", name))))
    assert tenant.failed == 2  # the read, and the trial of the term that explains it


async def test_what_lapses_while_a_read_goes_on_is_still_said_of_that_read() -> None:
    clock = Clock()

    class Slow(Tenant):
        async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
            clock.seconds += 2
            return await super().page(request)

    rules, tenant = knowing(clock), Slow(things(), lacks=frozenset({"Name"}))
    await read(tenant, rules)
    clock.seconds += KEPT_SECONDS - 3
    got = await read(tenant, rules)
    assert got.table["Name"].null_count == got.table.num_rows
    assert (codes(got), got.lacking) == (["property_missing"], ("Name",))
