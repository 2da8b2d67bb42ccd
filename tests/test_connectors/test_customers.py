"""The customers that a simulated plant gives over HTTP are those computed row by row from its raw data."""

from datetime import datetime
from itertools import product
from random import Random

import pytest
from pydantic import ValidationError

from kai_erp.app import App, open_app
from kai_erp.connectors import CustomerQuery
from kai_erp.simulator import Plant, RunningSimulator, SimulatorOptions, build_plant
from tests.conftest import WALL_CLOCK, RawRows, SettingsFor, Simulate
from tests.test_connectors.asking import statuses, warnings
from tests.test_connectors.asking_customers import COLLECTIONS, PROPERTIES, ask_customers, check_customers
from tests.test_connectors.made_plants import raw_rows
from tests.test_connectors.typing_in import dice, marks, typed_keys, typed_parts


@pytest.fixture(scope="module")
def rows(plant: Plant) -> RawRows:
    return customer_rows(plant)


def customer_rows(plant: Plant) -> RawRows:
    return raw_rows(plant, PROPERTIES)


def cells(rows: RawRows, name: str, **having: str) -> list[str]:
    """Return the different values of a property among the customers that have those of others."""
    found = [
        row[name] or ""
        for row in rows["SLCustomers"]
        if row["CustSeq"] == "0" and all(row[other] == value for other, value in having.items())
    ]
    return list(dict.fromkeys(found))


def some(texts: list[str], count: int) -> list[str]:
    return texts[:: max(1, len(texts) // count)]


async def test_customers_are_found_by_part_of_their_name(app: App, rows: RawRows) -> None:
    names = cells(rows, "Name")
    awkward = [name for name in names if marks([name]) or name != name.strip()]
    assert len(awkward) > 10
    for number, name in enumerate([*awkward[:4], names[1]]):
        for typed in list(typed_parts(name))[number % 2 :: 2]:
            answer = await check_customers(app, CustomerQuery(query=typed), rows)
            assert answer.records.num_rows > 0 or answer.summary["inactive_hidden"] != 0, typed


async def test_customers_are_found_by_part_of_their_city(app: App, rows: RawRows) -> None:
    for number, city in enumerate(cells(rows, "City")):
        for typed in list(typed_parts(city))[number % 4 :: 4]:
            answer = await check_customers(app, CustomerQuery(query=typed, active_only=number % 2 == 0), rows)
            assert answer.records.num_rows > 0, typed


async def test_customers_are_found_by_their_whole_state(app: App, rows: RawRows) -> None:
    for state in cells(rows, "State"):
        answer = await check_customers(app, CustomerQuery(query=f" {state.lower()} "), rows)
        assert state in answer.records["state"].to_pylist()
        await check_customers(app, CustomerQuery(query=state[0]), rows)


async def test_a_customer_is_found_by_number_as_people_type_it(app: App, rows: RawRows) -> None:
    numbers = cells(rows, "CustNum")
    old = [number for number in numbers if number.strip().isdigit()]
    new = [number for number in numbers if not number.strip().isdigit()]
    for typed in [form for number in (old[0], new[0], new[-1]) for form in typed_keys(number)]:
        answer = await check_customers(app, CustomerQuery(query=typed), rows)
        assert answer.records.num_rows >= 1, typed


async def test_an_inactive_customer_is_found_by_number_alone_unless_asked_for(app: App, rows: RawRows) -> None:
    hidden = cells(rows, "CustNum", ShowInDropDownList="0")
    for number in some(hidden, 2):
        answer = await check_customers(app, CustomerQuery(query=number.strip()), rows)
        assert answer.records["active"][0].as_py() is False
    for name in some(cells(rows, "Name", ShowInDropDownList="0"), 2):
        shown = await check_customers(app, CustomerQuery(query=name), rows)
        assert shown.summary["inactive_hidden"] != 0
        whole = await check_customers(app, CustomerQuery(query=name, active_only=False), rows)
        assert whole.records.num_rows == shown.records.num_rows + shown.summary["inactive_hidden"]


async def test_marks_and_letters_beyond_ascii_are_plain_characters(app: App, rows: RawRows) -> None:
    texts = [*cells(rows, "Name"), *cells(rows, "City")]
    for mark in [*marks(texts), "*", "\\", "''", "[a-z]", "%%", "É"]:
        await check_customers(app, CustomerQuery(query=mark), rows)


@pytest.mark.parametrize(("text", "active_only"), list(product(["a", "OF", "1"], [True, False])))
async def test_short_texts_find_many(app: App, rows: RawRows, text: str, active_only: bool) -> None:
    await check_customers(app, CustomerQuery(query=text, active_only=active_only), rows)


async def test_addresses_are_all_of_a_customer(app: App, rows: RawRows) -> None:
    answer = await check_customers(app, CustomerQuery(query="e", active_only=False), rows)
    counts = [len(addresses) for addresses in answer.records["addresses"].to_pylist()]
    assert min(counts) == 1
    assert max(counts) > 1
    assert warnings(answer) == []
    assert statuses(answer) == dict.fromkeys(COLLECTIONS, "ok")


@pytest.mark.parametrize(
    "text",
    ["no such customer", "x" * 200, "C999999", "88888", "' OR 1=1 --", "al*", "A_der", "%er", "Canada", "Mill St"],
)
async def test_what_matches_nothing_is_an_empty_answer_that_says_so(app: App, rows: RawRows, text: str) -> None:
    for active_only in (True, False):
        answer = await check_customers(app, CustomerQuery(query=text, active_only=active_only), rows)
        assert answer.records.num_rows == 0
        assert ("no_match", None) in warnings(answer)


@pytest.mark.parametrize("text", ["", "   ", "a\nb", "x" * 201])
def test_a_text_that_is_blank_or_cannot_be_typed_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        CustomerQuery(query=text)


def test_a_text_is_required() -> None:
    with pytest.raises(ValidationError):
        CustomerQuery.model_validate({})


@pytest.mark.parametrize("seed", [2, 3])
async def test_other_plants_have_their_own_customers(
    seed: int, simulate: Simulate, settings_for: SettingsFor, now: datetime
) -> None:
    plant = build_plant("small", seed, WALL_CLOCK)
    rows, chance = customer_rows(plant), dice(seed)
    async with open_app(settings_for(simulate(of=plant)), now=lambda: now) as app:
        for _ in range(4):
            await check_customers(app, question(chance, rows), rows)


def question(chance: Random, rows: RawRows) -> CustomerQuery:
    """Return a question about one of the customers."""
    row = chance.choice(rows["SLCustomers"])
    name = (row["Name"] or "").strip()
    start = chance.randrange(max(1, len(name) - 2))
    part = name[start : start + chance.randint(1, 8)].strip() or "a"
    number = (row["CustNum"] or "").strip()
    typed = chance.choice((part, part.upper(), number, number.lower(), row["City"] or "a", row["State"] or "a"))
    return CustomerQuery(query=typed, active_only=chance.random() < 0.5)


@pytest.mark.parametrize("page_size", [7, 100_000])
async def test_the_answer_is_the_same_in_pages_of(
    page_size: int, simulator: RunningSimulator, settings_for: SettingsFor, rows: RawRows, now: datetime
) -> None:
    async with open_app(settings_for(simulator, sl10_page_size=page_size), now=lambda: now) as app:
        for text in ("QC", "a"):
            await check_customers(app, CustomerQuery(query=text), rows)


async def test_a_page_of_the_answer_sums_up_the_whole_of_it(app: App) -> None:
    whole = await ask_customers(app, CustomerQuery(query="a"))
    page = await ask_customers(app, CustomerQuery(query="a"), limit=5)
    assert page.records == whole.records.slice(0, 5)
    assert page.summary == whole.summary
    assert page.meta.next_cursor is not None


@pytest.mark.medium
async def test_a_medium_plant_behind_a_server_that_clamps_its_pages_is_read_to_the_end(
    medium_plant: Plant, simulate: Simulate, settings_for: SettingsFor, now: datetime
) -> None:
    plant = medium_plant
    rows, chance = customer_rows(plant), dice(4)
    settings = settings_for(simulate(SimulatorOptions(max_cap=200), plant), sl10_query_timeout_seconds=120)
    async with open_app(settings, now=lambda: now) as app:
        answer = await check_customers(app, CustomerQuery(query="truck", active_only=False), rows)
        assert answer.records.num_rows > 200
        for _ in range(4):
            await check_customers(app, question(chance, rows), rows)
