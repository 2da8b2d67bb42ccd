import pytest

from kai_erp.core.router import QueryRouter
from kai_erp.core.types import DataSource, Freshness
from kai_erp.errors import TooManyRows

REALTIME, NEAR, BATCH = Freshness.REALTIME, Freshness.NEAR_REALTIME, Freshness.BATCH_OK
REST, LAKE, REFUSED = DataSource.REST, DataSource.LAKE, None

# volume, and for each freshness the source (with a lake, without one)
TABLE: list[tuple[int, dict[Freshness, tuple[DataSource | None, DataSource | None]]]] = [
    (0, {REALTIME: (REST, REST), NEAR: (REST, REST), BATCH: (REST, REST)}),
    (500, {REALTIME: (REST, REST), NEAR: (REST, REST), BATCH: (REST, REST)}),
    (501, {REALTIME: (REST, REST), NEAR: (REST, REST), BATCH: (LAKE, REST)}),
    (5_000, {REALTIME: (REST, REST), NEAR: (REST, REST), BATCH: (LAKE, REST)}),
    (5_001, {REALTIME: (REST, REST), NEAR: (LAKE, REST), BATCH: (LAKE, REST)}),
    (10_000, {REALTIME: (REST, REST), NEAR: (LAKE, REST), BATCH: (LAKE, REST)}),
    (10_001, {REALTIME: (REFUSED, REFUSED), NEAR: (LAKE, REFUSED), BATCH: (LAKE, REFUSED)}),
    (10**9, {REALTIME: (REFUSED, REFUSED), NEAR: (LAKE, REFUSED), BATCH: (LAKE, REFUSED)}),
]
CASES = [
    pytest.param(volume, freshness, lake, source, id=f"{volume}-{freshness}-{'lake' if lake else 'no lake'}")
    for volume, row in TABLE
    for freshness, sources in row.items()
    for lake, source in zip((True, False), sources, strict=True)
]


def chosen(router: QueryRouter, volume: int, freshness: Freshness) -> DataSource | None:
    try:
        return router.select_source(volume, freshness)
    except TooManyRows:
        return REFUSED


@pytest.mark.parametrize(("volume", "freshness", "lake", "source"), CASES)
def test_volume_and_freshness_decide_the_source(
    volume: int, freshness: Freshness, *, lake: bool, source: DataSource | None
) -> None:
    assert chosen(QueryRouter(lake=lake), volume, freshness) is source


@pytest.mark.parametrize(("volume", "large"), [(0, False), (5_000, False), (5_001, True), (10_000, True)])
def test_a_read_above_what_rest_is_for_deserves_a_warning(volume: int, *, large: bool) -> None:
    assert QueryRouter().is_large(volume) is large


def test_the_limits_may_be_set() -> None:
    router = QueryRouter(preferred_max=10, hard_max=20, lake=True)
    assert [chosen(router, volume, NEAR) for volume in (10, 11, 20, 21)] == [REST, LAKE, LAKE, LAKE]
    assert [chosen(router, volume, REALTIME) for volume in (10, 11, 20, 21)] == [REST, REST, REST, REFUSED]
    assert [chosen(router, volume, BATCH) for volume in (10, 11)] == [REST, LAKE]


def test_one_limit_for_both_leaves_no_room_between() -> None:
    router = QueryRouter(preferred_max=10, hard_max=10)
    assert [chosen(router, volume, REALTIME) for volume in (10, 11)] == [REST, REFUSED]


def test_a_refusal_tells_the_estimate_and_the_limit() -> None:
    with pytest.raises(TooManyRows, match="takes 12,345 rows or more, the limit is 10,000") as raised:
        QueryRouter().select_source(12_345, REALTIME)
    assert (raised.value.estimated, raised.value.limit) == (12_345, 10_000)


def test_the_names_of_the_contract_are_importable_from_here() -> None:
    from kai_erp.core import router  # noqa: PLC0415  # the import is what is tested

    assert (router.Freshness, router.DataSource) == (Freshness, DataSource)
    assert [freshness.value for freshness in Freshness] == ["realtime", "near_realtime", "batch_ok"]
