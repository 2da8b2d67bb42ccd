"""Values that are kept: for so long, in so much memory."""

from hypothesis import given
from hypothesis import strategies as st

from kai_erp.core.keeping import Keeping
from tests.conftest import HandClock


def test_a_value_lapses(clock: HandClock) -> None:
    keeping: Keeping[str] = Keeping(clock, 10, 100, len)
    keeping.put("a", "value")
    clock.seconds += 9.9
    assert keeping.get("a") == "value"
    clock.seconds += 0.1
    assert keeping.get("a") is None


def test_a_lapsed_value_can_be_looked_at_while_it_lingers(clock: HandClock) -> None:
    keeping: Keeping[str] = Keeping(clock, 10, 100, len, linger=5)
    keeping.put("a", "value")
    assert keeping.lapsed("a") is None
    clock.seconds += 10
    assert (keeping.get("a"), keeping.lapsed("a")) == (None, "value")
    keeping.put("b", "other")
    assert keeping.lapsed("a") == "value"
    clock.seconds += 5
    assert keeping.lapsed("a") is None
    keeping.put("c", "third")
    assert keeping.taken == len("other") + len("third")


def test_without_time_nothing_is_kept(clock: HandClock) -> None:
    keeping: Keeping[str] = Keeping(clock, 0, 100, len)
    keeping.put("a", "value")
    assert (keeping.used, keeping.get("a"), keeping.taken) == (False, None, 0)


def test_a_value_that_takes_all_room_is_not_kept(clock: HandClock) -> None:
    keeping: Keeping[str] = Keeping(clock, 10, 100, len)
    keeping.put("a", "x" * 60)
    keeping.put("b", "x" * 101)
    assert keeping.get("b") is None
    assert keeping.get("a") is not None


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 60), st.floats(0, 4)).map(
            lambda step: (step[0], "x" * step[1], step[2])
        ),
        max_size=40,
    )
)
def test_room_is_never_passed_and_what_is_given_is_what_was_put_last(steps: list[tuple[int, str, float]]) -> None:
    clock = HandClock()
    keeping: Keeping[str] = Keeping(clock, 5, 100, len)
    last: dict[int, tuple[str, float]] = {}
    for key, value, wait in steps:
        keeping.put(key, value)
        last[key] = (value, clock())
        assert keeping.taken <= 100
        assert keeping.get(key) == value
        clock.seconds += wait
        for other, (put, at) in last.items():
            assert keeping.get(other) in {put, None}
            assert clock() - at < 5 or keeping.get(other) is None
