from kai_erp.core.seen import SeenValues, SeenVolumes
from tests.test_core.fakes import Clock


def test_a_volume_is_known_for_ten_minutes_and_no_longer() -> None:
    clock = Clock()
    volumes = SeenVolumes(clock)
    volumes.remember(("schedule", "WELD"), 812)
    clock.seconds += 600
    assert volumes.last(("schedule", "WELD")) == 812
    clock.seconds += 0.001
    assert volumes.last(("schedule", "WELD")) is None


def test_a_question_never_asked_has_no_volume_even_when_the_clock_starts_at_zero() -> None:
    assert SeenVolumes(Clock(0.0)).last("anything") is None


def test_a_volume_belongs_to_exactly_its_question() -> None:
    volumes = SeenVolumes(Clock())
    volumes.remember(("schedule", "WELD"), 1)
    volumes.remember(("schedule", "PAINT"), 2)
    assert (volumes.last(("schedule", "WELD")), volumes.last(("schedule", None))) == (1, None)


def test_the_last_volume_counts_and_its_ten_minutes_start_anew() -> None:
    clock = Clock()
    volumes = SeenVolumes(clock)
    volumes.remember("q", 1)
    clock.seconds += 599
    volumes.remember("q", 0)
    clock.seconds += 599
    assert volumes.last("q") == 0


def test_of_too_many_questions_those_not_asked_for_longest_are_forgotten() -> None:
    volumes = SeenVolumes(Clock())
    for number in range(1_000):
        volumes.remember(number, number)
    volumes.remember(0, 0)
    volumes.remember("one more", 7)
    assert volumes.last(1) is None
    assert (volumes.last(0), volumes.last(2), volumes.last("one more")) == (0, 2, 7)


def test_values_are_recalled_oldest_first_and_each_once() -> None:
    values = SeenValues()
    values.remember("schedule", "work_center", ["WELD", "PAINT"])
    values.remember("schedule", "work_center", ["WELD", "SAW"])
    assert values.recall("schedule", "work_center") == ("PAINT", "WELD", "SAW")


def test_values_belong_to_a_field_of_a_connector() -> None:
    values = SeenValues()
    values.remember("schedule", "item", ["A"])
    values.remember("inventory", "item", ["B"])
    assert values.recall("inventory", "item") == ("B",)
    assert values.recall("schedule", "job") == ()


def test_of_too_many_values_the_oldest_are_forgotten() -> None:
    values = SeenValues()
    values.remember("schedule", "item", map(str, range(10_000)))
    values.remember("schedule", "item", ["0", "new"])
    kept = values.recall("schedule", "item")
    assert len(kept) == 10_000
    assert (kept[0], kept[-2:]) == ("2", ("0", "new"))


def test_many_values_at_once_keep_the_newest() -> None:
    values = SeenValues()
    values.remember("schedule", "item", map(str, range(25_000)))
    assert values.recall("schedule", "item") == tuple(map(str, range(15_000, 25_000)))
