"""The open orders that a simulated plant gives over HTTP are those computed line by line from its raw data."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import product
from random import Random
from zoneinfo import ZoneInfo

import pytest

from kai_erp.app import App, open_app
from kai_erp.connectors import OrdersQuery
from kai_erp.simulator import Plant, RunningSimulator, SimulatorOptions, build_plant
from tests.conftest import SettingsFor, Simulate
from tests.test_connectors.asking import Truth, statuses, warnings
from tests.test_connectors.asking_orders import COLLECTIONS, ask_orders, check_orders, expected, order_rows
from tests.test_connectors.typing_in import dice, marks, typed_keys, typed_parts

CHICAGO = ZoneInfo("America/Chicago")
DAYS = (0, 7, 30, 365)
Shown = Mapping[str, object]


@pytest.fixture(scope="module")
def truth(plant: Plant, now: datetime) -> Truth:
    return Truth(order_rows(plant), now, CHICAGO)


@pytest.fixture(scope="module")
def book(truth: Truth) -> list[Shown]:
    """All open orders."""
    return list(expected(OrdersQuery(), truth).records)


def texts(book: list[Shown], name: str) -> list[str]:
    """Return the different values that a field of the orders has, in the order of the answer."""
    return list(dict.fromkeys(str(order[name]) for order in book if order[name] is not None))


def stored(truth: Truth, collection: str, name: str) -> dict[str, str]:
    """Return the keys of a collection as they are stored, by what is shown of them."""
    cells = [row[name] or "" for row in truth.rows[collection]]
    return {cell.strip(): cell for cell in cells}


def lines(book: list[Shown]) -> Iterator[Shown]:
    for order in book:
        assert isinstance(order["lines"], list)
        yield from order["lines"]


async def test_the_whole_book_is_what_the_contract_promises(app: App, truth: Truth) -> None:
    answer = await check_orders(app, OrdersQuery(), truth)
    assert answer.records.num_rows > 100
    assert warnings(answer) == [("mixed_currencies", None)]
    assert {name: status for name, status in statuses(answer).items() if status == "ok"}.keys() == set(COLLECTIONS)


@pytest.mark.parametrize(("days_out", "late_only"), list(product([*DAYS, None], [False, True])))
async def test_orders_are_found_by_when_they_are_due(
    app: App, truth: Truth, days_out: int | None, late_only: bool
) -> None:
    answer = await check_orders(app, OrdersQuery(days_out=days_out, late_only=late_only), truth)
    assert answer.records.num_rows > 10


async def test_a_customer_is_found_by_number_as_people_type_it(app: App, truth: Truth, book: list[Shown]) -> None:
    keys, numbers = stored(truth, "SLCos", "CustNum"), texts(book, "customer_num")
    old = [number for number in numbers if number.isdigit()]
    for typed in [form for number in (old[0], numbers[0]) for form in typed_keys(keys[number])]:
        answer = await check_orders(app, OrdersQuery(customer=typed), truth)
        assert len(set(answer.records["customer_num"].to_pylist())) == 1, typed


async def test_a_customer_without_open_orders_has_none(app: App, truth: Truth, book: list[Shown]) -> None:
    others = set(stored(truth, "SLCustomers", "CustNum")) - set(texts(book, "customer_num"))
    for number in sorted(others)[::120]:
        answer = await check_orders(app, OrdersQuery(customer=number), truth)
        assert answer.records.num_rows == 0


async def test_a_customer_is_found_by_part_of_the_name(app: App, truth: Truth, book: list[Shown]) -> None:
    names = texts(book, "customer_name")
    awkward = [name for name in names if marks([name])]
    for typed in [form for name in awkward[:2] for form in typed_parts(name)]:
        answer = await check_orders(app, OrdersQuery(customer=typed), truth)
        assert answer.records.num_rows > 0, typed


async def test_marks_and_letters_beyond_ascii_are_plain_characters_of_a_name(app: App, truth: Truth) -> None:
    names = (row["Name"] or "" for row in truth.rows["SLCustomers"])
    for mark in [*marks(names)[::2], "*", "\\", "''"]:
        await check_orders(app, OrdersQuery(customer=mark), truth)


async def test_an_order_is_found_by_its_number_as_people_type_it(
    app: App, truth: Truth, book: list[Shown]
) -> None:
    keys, numbers = stored(truth, "SLCos", "CoNum"), texts(book, "order_num")
    old = [number for number in numbers if number.isdigit()]
    new = [number for number in numbers if not number.isdigit()]
    for typed in [form for number in (old[0], new[0]) for form in typed_keys(keys[number])]:
        answer = await check_orders(app, OrdersQuery(order=typed), truth)
        assert answer.records.num_rows == 1, typed


async def test_an_order_is_found_by_the_number_the_customer_gave_it(
    app: App, truth: Truth, book: list[Shown]
) -> None:
    spelled: tuple[Callable[[str], str], ...] = (str, str.lower, "  {} ".format)
    for number, purchase in enumerate(texts(book, "customer_po")[::40]):
        answer = await check_orders(app, OrdersQuery(order=spelled[number % 3](purchase)), truth)
        assert answer.records.num_rows > 0
        await check_orders(app, OrdersQuery(order=purchase[:-1]), truth)


async def test_an_item_is_found_exactly_however_it_is_spelled(app: App, truth: Truth, book: list[Shown]) -> None:
    items = list(dict.fromkeys(str(line["item"]) for line in lines(book)))
    careless = [item for item in items if item != item.upper()]
    assert careless
    for item in ("FREIGHT-OUT", "freight-out", careless[0], items[0]):
        for typed in (item, f" {item.swapcase()}  "):
            answer = await check_orders(app, OrdersQuery(item=typed), truth)
            assert answer.records.num_rows > 0, typed
        await check_orders(app, OrdersQuery(item=item[:-1]), truth)


async def test_filters_together_narrow_to_what_all_let_through(app: App, truth: Truth, book: list[Shown]) -> None:
    chance, found = dice(5), 0
    for _ in range(14):
        answer = await check_orders(app, question(chance, book), truth)
        found += answer.records.num_rows > 0
    assert found > 7


def question(chance: Random, book: list[Shown]) -> OrdersQuery:
    """Return a question about one of the orders, by some of what is known of it."""
    order = chance.choice(book)
    line = chance.choice(list(lines([order])))
    customer = str(order["customer_num"]).lower(), str(order["customer_name"])[2:12], str(order["customer_name"])
    number = str(order["order_num"]), str(order["customer_po"] or order["order_num"]).lower()
    return OrdersQuery(
        customer=chance.choice((*customer, None)),
        order=chance.choice((*number, None, None)),
        item=chance.choice((str(line["item"]).swapcase(), None)),
        days_out=chance.choice((*DAYS, None, None)),
        late_only=chance.random() < 0.2,
    )


@pytest.mark.parametrize(
    "query",
    [
        OrdersQuery(customer="no such customer"),
        OrdersQuery(customer="x" * 200),  # longer than the column
        OrdersQuery(customer="C999999"),
        OrdersQuery(customer="' OR 1=1 --"),
        OrdersQuery(customer="C0*"),
        OrdersQuery(order="%"),
        OrdersQuery(order="CO*"),
        OrdersQuery(order="CO" + "9" * 40),
        OrdersQuery(order="5"),
        OrdersQuery(order="PO-*"),
        OrdersQuery(item="*"),
        OrdersQuery(item="FREIGHT*"),
        OrdersQuery(item="FREIGHT_OUT"),
        OrdersQuery(item='"'),
        OrdersQuery(item="x" * 200),
    ],
)
async def test_what_matches_nothing_is_an_empty_answer_that_says_so(
    app: App, truth: Truth, query: OrdersQuery
) -> None:
    answer = await check_orders(app, query, truth)
    assert answer.records.num_rows == 0
    assert ("no_match", None) in warnings(answer)


async def test_blank_filters_count_as_absent(app: App) -> None:
    answers = [await ask_orders(app, OrdersQuery(customer="  ", order="", item=" ")), await ask_orders(app)]
    assert answers[0].records == answers[1].records


async def test_a_filter_of_the_order_leaves_lines_of_other_orders_out_of_the_sums(
    app: App, truth: Truth, book: list[Shown]
) -> None:
    currency = next(name for name in texts(book, "currency") if name != "USD")
    order = next(order for order in book if order["currency"] == currency)
    answer = await check_orders(app, OrdersQuery(order=str(order["order_num"])), truth)
    assert answer.summary["open_amount"] == order["open_amount"]


@pytest.mark.parametrize("seed", [2, 3])
async def test_other_plants_give_their_own_orders(
    seed: int, simulate: Simulate, settings_for: SettingsFor
) -> None:
    wall_clock = datetime(2026, 12, 31, 23, 30)  # noqa: DTZ001  # next year's first day in UTC
    plant = build_plant("small", seed, wall_clock)
    moment = wall_clock.replace(tzinfo=CHICAGO).astimezone(UTC)
    truth = Truth(order_rows(plant), moment, CHICAGO)
    book: list[Shown] = list(expected(OrdersQuery(), truth).records)
    chance = dice(seed)
    async with open_app(settings_for(simulate(of=plant)), now=lambda: moment) as app:
        for query in (OrdersQuery(), OrdersQuery(days_out=0)):
            await check_orders(app, query, truth)
        for _ in range(3):
            await check_orders(app, question(chance, book), truth)


@pytest.mark.parametrize("zone", ["Pacific/Apia", "Pacific/Honolulu"])
async def test_today_is_that_of_the_zone(
    zone: str, simulator: RunningSimulator, settings_for: SettingsFor, truth: Truth
) -> None:
    async with open_app(settings_for(simulator, sl10_timezone=zone), now=lambda: moment) as app:
        moment = datetime(2026, 5, 20, 11, 30, tzinfo=UTC)  # the 19th still in no zone, the 21st in Apia
        for query in (OrdersQuery(late_only=True), OrdersQuery(days_out=0)):
            await check_orders(app, query, Truth(truth.rows, moment, ZoneInfo(zone)))
        moment = datetime(2026, 5, 20, 5, 30, tzinfo=UTC)  # the 19th in Honolulu
        await check_orders(app, OrdersQuery(late_only=True), Truth(truth.rows, moment, ZoneInfo(zone)))


@pytest.mark.parametrize("page_size", [7])
async def test_the_answer_is_the_same_in_pages_of(
    page_size: int, simulator: RunningSimulator, settings_for: SettingsFor, truth: Truth
) -> None:
    async with open_app(settings_for(simulator, sl10_page_size=page_size), now=lambda: truth.now) as app:
        await check_orders(app, OrdersQuery(days_out=30), truth)
        await check_orders(app, OrdersQuery(customer="o'malley"), truth)


@pytest.mark.medium
async def test_a_medium_plant_behind_a_server_that_clamps_its_pages_is_read_to_the_end(
    medium_plant: Plant, simulate: Simulate, settings_for: SettingsFor, now: datetime
) -> None:
    plant = medium_plant
    truth = Truth(order_rows(plant), now, CHICAGO)
    book: list[Shown] = list(expected(OrdersQuery(), truth).records)
    settings = settings_for(simulate(SimulatorOptions(max_cap=1_000), plant), sl10_query_timeout_seconds=120)
    async with open_app(settings, now=lambda: now) as app:
        answer = await check_orders(app, OrdersQuery(), truth)
        await check_orders(app, question(dice(1), book), truth)
    assert answer.records.num_rows > 1_000
