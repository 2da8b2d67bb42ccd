import pytest

from kai_erp.core.expressions import equals
from kai_erp.core.traits import Shape, Trait, Traits
from tests.test_core.fakes import Clock

KIND, STAT = equals("Kind", "A"), equals("Stat", "R")
KEPT_SECONDS = 600.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def traits(clock: Clock) -> Traits:
    return Traits(clock)


def test_a_collection_is_as_expected_until_something_is_learnt(traits: Traits) -> None:
    assert traits.of("SLJobs") == Trait(page_size=None, lacking=frozenset(), refused=frozenset())


def test_what_is_learnt_adds_up(traits: Traits) -> None:
    traits.learn_page_size("SLJobs", 500)
    traits.learn_lacking("SLJobs", frozenset({"Whse"}))
    traits.learn_lacking("SLJobs", frozenset({"CustNum"}))
    traits.learn_refused("SLJobs", frozenset({KIND}))
    traits.learn_refused("SLJobs", frozenset({STAT}))
    assert traits.of("SLJobs") == Trait(
        500, frozenset({"whse", "custnum"}), frozenset({Shape.of(KIND), Shape.of(STAT)})
    )


def test_the_page_size_that_was_learnt_last_counts(traits: Traits) -> None:
    traits.learn_page_size("SLJobs", 500)
    traits.learn_page_size("SLJobs", 250)
    assert traits.of("SLJobs").page_size == 250


def test_properties_are_known_in_any_spelling(traits: Traits) -> None:
    traits.learn_lacking("SLJobs", frozenset({"QtyOnHand"}))
    traits.learn_lacking("SLJobs", frozenset({"QTYONHAND"}))
    assert traits.of("SLJobs").lacking == {"qtyonhand"}


def test_collections_are_known_apart(traits: Traits) -> None:
    traits.learn_page_size("SLJobs", 500)
    assert traits.of("SLItems") == Trait()


def test_a_trait_is_forgotten_after_ten_minutes(traits: Traits, clock: Clock) -> None:
    traits.learn_page_size("SLJobs", 500)
    clock.seconds += KEPT_SECONDS
    assert traits.of("SLJobs").page_size == 500
    clock.seconds += 0.001
    assert traits.of("SLJobs") == Trait()


def test_what_is_added_keeps_the_rest_for_another_ten_minutes(traits: Traits, clock: Clock) -> None:
    traits.learn_page_size("SLJobs", 500)
    clock.seconds += KEPT_SECONDS - 1
    traits.learn_lacking("SLJobs", frozenset({"Whse"}))
    clock.seconds += KEPT_SECONDS - 1
    assert traits.of("SLJobs") == Trait(500, frozenset({"whse"}))


def test_what_is_forgotten_does_not_come_back_with_what_is_learnt_next(traits: Traits, clock: Clock) -> None:
    traits.learn_refused("SLJobs", frozenset({KIND}))
    traits.learn_lacking("SLJobs", frozenset({"Whse"}))
    clock.seconds += KEPT_SECONDS + 1
    traits.learn_refused("SLJobs", frozenset({STAT}))
    assert traits.of("SLJobs") == Trait(refused=frozenset({Shape.of(STAT)}))


def test_asking_does_not_prolong_the_memory(traits: Traits, clock: Clock) -> None:
    traits.learn_page_size("SLJobs", 500)
    for _ in range(3):
        clock.seconds += KEPT_SECONDS / 2
        traits.of("SLJobs")
    assert traits.of("SLJobs") == Trait()


def test_learning_nothing_does_not_prolong_the_memory(traits: Traits, clock: Clock) -> None:
    traits.learn_page_size("SLJobs", 500)
    clock.seconds += KEPT_SECONDS - 1
    traits.learn_refused("SLJobs", frozenset())
    clock.seconds += KEPT_SECONDS - 1
    assert traits.of("SLJobs") == Trait()
