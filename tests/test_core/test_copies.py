"""Kept master data are brought up to date by the rows that have changed since, or else read whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_erp.core import ido
from kai_erp.core.copies import Copies
from kai_erp.core.expressions import Comparison, Like, Operator
from kai_erp.core.rest_engine import RestEngine
from kai_erp.core.types import CollectionRead, IDOSpec, KeySource, Property
from kai_erp.errors import FilterRefused, PageTimedOut, PropertyMissing, UpstreamError, UpstreamFault
from tests.test_core.fakes import MOMENT, Clock, Row, Tables

ITEMS = IDOSpec("SLItems", (Property("Item"), Property("Description")), key=("Item",), reference=True, dated=True)
CREATED = datetime(2026, 11, 20, 9)  # noqa: DTZ001  # the ERP's wall clock has no zone
TTL = 300


@dataclass
class Plant:
    """Twenty items that an engine reads five at a time, and a clock of the ERP some hours off the engine's."""

    offset: timedelta = timedelta(0)
    spec: IDOSpec = ITEMS
    clock: Clock = field(default_factory=Clock)
    rows: dict[str, dict[str, str | None]] = field(default_factory=dict)
    refusal: UpstreamError | None = None
    lacks: str = ""
    jobs: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.tables = Tables({})
        for number in range(20):
            self.change(f"I{number:02}", CREATED + timedelta(hours=number))
        zone = timezone(self.offset)
        self.engine = RestEngine(self, page_size=5, clock=self.clock, now=self.now)
        self.engine.copies = Copies(self.clock, TTL, 1_000_000, zone)

    def now(self) -> datetime:
        return MOMENT + timedelta(seconds=self.clock() - 1_000)

    def change(self, item: str, when: datetime | None = None, text: str = "as made") -> None:
        wall = when or (self.now() + self.offset).replace(tzinfo=None)
        stamp = f"{wall:%Y%m%d %H:%M:%S}.{wall.microsecond // 1000:03}"
        self.rows[item] = {"Item": item, "Description": text, "RecordDate": stamp}

    async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
        if self.lacks in request.properties:
            raise PropertyMissing(request.collection, self.lacks)
        if self.refusal is not None and "RecordDate" in (request.filter or ""):
            raise self.refusal
        rows: list[Row] = sorted(self.rows.values(), key=lambda row: str(row["Item"]))
        self.tables.rows = {"SLItems": rows, "SLJobs": [{"Item": item} for item in self.jobs]}
        return await self.tables.page(request)

    async def property_names(self, collection: str) -> frozenset[str]:
        return await self.tables.property_names(collection)

    async def read(self, *, reuse: bool = True) -> CollectionRead:
        self.tables.asked.clear()
        return (await self.engine.parallel_fetch([self.spec], reuse=reuse))["SLItems"]

    def asked(self) -> list[str | None]:
        return self.tables.filters("SLItems")


WHOLE: list[str | None] = [None] * 4


def texts(read: CollectionRead) -> Mapping[str, str]:
    return dict(zip(*(read.table[name].to_pylist() for name in ("Item", "Description")), strict=True))


async def lapsed(plant: Plant) -> CollectionRead:
    """Return what was read first, a copy of which is good no more."""
    first = await plant.read()
    plant.clock.seconds += TTL
    return first


async def test_only_rows_that_changed_are_asked_for_when_a_copy_lapses() -> None:
    plant = Plant()
    first = await lapsed(plant)
    plant.change("I03", text="repainted")
    plant.change("NEW", text="drawn today")
    again = await plant.read()
    assert plant.asked() == ["RecordDate >= '20261121 02:50:00.000'"]
    assert texts(again) == dict(texts(first)) | {"I03": "repainted", "NEW": "drawn today"}
    assert again.report.rows == 21
    assert again.spec == plant.spec
    await plant.read()
    assert plant.asked() == []


async def test_such_a_copy_is_cached_and_as_of_the_moment_when_it_was_read_whole() -> None:
    plant = Plant()
    first = await lapsed(plant)
    for _ in range(2):
        again = await plant.read()
        assert (again.report.status, again.report.as_of) == ("cached", first.report.as_of)
        plant.clock.seconds += 1


async def test_a_copy_is_read_whole_after_four_times_as_long_as_it_is_good() -> None:
    plant = Plant()
    await plant.read()
    del plant.rows["I03"]
    for _ in range(3):
        plant.clock.seconds += TTL
        assert "I03" in texts(await plant.read())
        assert plant.asked() == ["RecordDate >= '20261121 02:50:00.000'"]
    plant.clock.seconds += TTL
    assert "I03" not in texts(await plant.read())
    assert plant.asked() == WHOLE


async def test_a_copy_is_read_whole_after_an_hour() -> None:
    plant = Plant()
    plant.engine.copies = Copies(plant.clock, 1_900, 1_000_000)
    await plant.read()
    plant.clock.seconds += 1_900
    await plant.read()
    assert plant.asked() == WHOLE


async def test_who_asks_for_now_gets_it_read_whole() -> None:
    plant = Plant()
    await lapsed(plant)
    assert (await plant.read(reuse=False)).report.status == "ok"
    assert plant.asked() == WHOLE


async def test_one_page_is_read_whole_since_that_takes_no_more_requests() -> None:
    plant = Plant()
    plant.engine = RestEngine(plant, page_size=50, clock=plant.clock, now=plant.now)
    plant.engine.copies = Copies(plant.clock, TTL, 1_000_000)
    await lapsed(plant)
    await plant.read()
    assert plant.asked() == [None]


async def test_where_more_than_a_quarter_changed_all_is_read() -> None:
    plant = Plant()
    await lapsed(plant)
    for number in range(6):
        plant.change(f"I{number:02}", text="repriced")
    assert list(texts(await plant.read()).values()).count("repriced") == 6
    assert plant.asked()[-4:] == WHOLE


async def test_where_the_newest_row_does_not_come_again_all_is_read() -> None:
    plant = Plant()
    await lapsed(plant)
    del plant.rows["I19"]
    assert "I19" not in texts(await plant.read())
    assert plant.asked()[-4:] == WHOLE


@pytest.mark.parametrize(
    "refusal", [FilterRefused("SLItems", "no"), UpstreamFault("SLItems"), PageTimedOut("SLItems")]
)
@pytest.mark.parametrize("required", [True, False])
async def test_a_tenant_that_refuses_to_compare_dates_is_read_whole(
    refusal: UpstreamError, *, required: bool
) -> None:
    plant = Plant(spec=replace(ITEMS, required=required), refusal=refusal)
    await lapsed(plant)
    plant.change("I03", text="repainted")
    again = await plant.read()
    assert (texts(again)["I03"], again.report.status, again.notices) == ("repainted", "ok", ())
    plant.clock.seconds += TTL
    await plant.read()
    assert plant.asked() == WHOLE


@pytest.mark.parametrize("required", [True, False])
async def test_a_tenant_without_the_property_is_read_whole_and_nobody_is_warned(*, required: bool) -> None:
    plant = Plant(spec=replace(ITEMS, required=required), lacks="RecordDate")
    await lapsed(plant)
    again = await plant.read()
    assert (again.report.rows, again.notices, again.lacking) == (20, (), ())
    assert plant.asked() == WHOLE


async def test_a_copy_that_lacks_what_the_tenant_has_by_now_is_read_whole() -> None:
    plant = Plant(lacks="Description")
    await lapsed(plant)
    plant.clock.seconds += TTL + 1
    plant.lacks = ""
    assert set(texts(await plant.read()).values()) == {"as made"}
    assert plant.asked()[-4:] == WHOLE


async def test_a_date_to_come_hides_no_change() -> None:
    plant = Plant()
    plant.change("I19", datetime(2030, 1, 1))  # noqa: DTZ001  # the ERP's wall clock has no zone
    await lapsed(plant)
    plant.change("I03", text="repainted")
    assert texts(await plant.read())["I03"] == "repainted"
    assert plant.asked() == ["RecordDate >= '20261124 08:50:00.000'"]


@pytest.mark.parametrize("date", [None, "", "yesterday", "20490101 00:00:00.000"])
async def test_where_a_row_has_no_date_all_is_read(date: str | None) -> None:
    plant = Plant()
    plant.rows["I03"]["RecordDate"] = date
    await lapsed(plant)
    await plant.read()
    assert plant.asked() == WHOLE


@pytest.mark.parametrize(
    "changes",
    [
        {"dated": False},
        {"key": ()},
        {"key": ("Item", "Site")},
        {"driving": True},
        {"filter": Like("Description", "made")},
    ],
)
async def test_what_the_dates_do_not_tell_of_is_read_whole(changes: dict[str, object]) -> None:
    plant = Plant(spec=replace(ITEMS, **changes))  # type: ignore[arg-type]  # fields of different types
    await lapsed(plant)
    await plant.read()
    assert not any("RecordDate" in (text or "") for text in plant.asked())
    assert len(plant.asked()) == 4


async def test_a_filter_on_the_key_goes_with_the_date() -> None:
    plant = Plant(spec=replace(ITEMS, filter=Comparison("Item", Operator.GE, "I04")))
    await lapsed(plant)
    plant.change("I05", text="repainted")
    assert texts(await plant.read())["I05"] == "repainted"
    assert plant.asked() == ["Item >= 'I04' AND RecordDate >= '20261121 02:50:00.000'"]


async def test_a_copy_by_keys_gets_no_other_rows() -> None:
    jobs = IDOSpec("SLJobs", (Property("Item"),), key=("Item",))
    keyed = replace(ITEMS, keys_from=(KeySource("SLJobs", "Item", "Item"),))
    plant = Plant(jobs=[f"I{number:02}" for number in range(4, 20)])
    first = await plant.engine.parallel_fetch([jobs, keyed])
    plant.clock.seconds += TTL
    plant.change("I03", text="repainted")
    plant.change("i05", text="repainted")
    del plant.rows["I05"]
    plant.tables.asked.clear()
    again = await plant.engine.parallel_fetch([jobs, keyed], reuse=True)
    assert plant.asked() == ["RecordDate >= '20261121 02:50:00.000'"]
    expected = dict(texts(first["SLItems"])) | {"i05": "repainted"}
    del expected["I05"]
    assert texts(again["SLItems"]) == expected


@given(
    hours=st.integers(-11, 11),
    steps=st.lists(
        st.tuples(st.sets(st.integers(0, 24), max_size=8), st.floats(1, 200)),
        min_size=1,
        max_size=25,
    ),
)
async def test_a_copy_lacks_no_change_that_came_before_it_was_renewed(
    hours: int, steps: list[tuple[set[int], float]]
) -> None:
    """Whatever the clock of the ERP is off by: each answer is the plant as it was when the ERP was last asked."""
    plant = Plant(offset=timedelta(hours=hours))
    plant.engine.copies = Copies(plant.clock, TTL, 1_000_000, UTC)
    seen: Mapping[str, str] = {}
    for step, (changed, seconds) in enumerate(steps):
        read = texts(await plant.read())
        if plant.asked():
            seen = {item: str(row["Description"]) for item, row in plant.rows.items()}
        assert read == seen
        plant.clock.seconds += seconds
        for number in changed:
            plant.change(f"I{number:02}", text=f"step {step}")
