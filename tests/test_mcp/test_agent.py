"""A scripted agent answers twenty questions by tool calls alone; the right answers come from the plant's raw rows.

The agent knows what a model knows: the names of tools and arguments, and what earlier answers said. The first line
of an answer's text gives it totals, the structured content records.
"""

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from zoneinfo import ZoneInfo

import orjson
import pytest
from mcp import Client

from kai_erp.mcp.server import KaiErpMcpServer
from kai_erp.simulator import Plant
from tests.conftest import ZONE, RawRows
from tests.oracles.customer_search import expected_customers
from tests.oracles.inventory_status import expected_inventory
from tests.oracles.open_orders import expected_orders
from tests.oracles.production_schedule import expected_schedule
from tests.test_connectors import asking_customers, asking_inventory
from tests.test_connectors.asking_orders import order_rows
from tests.test_connectors.made_plants import raw_rows
from tests.test_mcp.connecting import CUSTOMERS, INVENTORY, ORDERS, SCHEDULE, said

MOST_CALLS = 3
SPRINGFIELD = "Alder Truck Sales of Springfield"
Record = dict[str, object]
Rows = list[Record]


@dataclass(slots=True)
class Agent:
    """Calls tools and counts what that takes."""

    client: Client
    calls: int = 0
    text_bytes: int = 0
    wire_bytes: int = 0

    async def ask(self, tool: str, **arguments: object) -> "Told":
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, said(result)
        self.calls += 1
        self.text_bytes += len(said(result).encode())
        self.wire_bytes += len(orjson.dumps(result.model_dump(mode="json", by_alias=True, exclude_none=True)))
        return Told(said(result), result.structured_content or {})


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says."""

    text: str
    body: dict[str, Rows]

    def total(self, name: str) -> Decimal:
        """Return a total, as the first line of the text gives it."""
        found = re.search(rf"\b{name} (-?[\d.]*\d)", self.text.partition("\n")[0])
        assert found, self.text
        return Decimal(found[1])

    @property
    def records(self) -> Rows:
        return self.body["data"]

    def lines(self) -> Iterator[tuple[Record, Record]]:
        """Yield each order line with its order."""
        yield from lines(self.records)


def lines(orders: Rows) -> Iterator[tuple[Record, Record]]:
    for order in orders:
        inner = order["lines"]
        assert isinstance(inner, list)
        yield from ((order, line) for line in inner)


def number(value: object) -> Decimal:
    """Return a number of an answer or of an oracle; none is nothing."""
    return Decimal(str(value or 0))


def covered(line: Record) -> bool:
    return number(line["qty_on_hand"]) >= number(line["qty_remaining"])


@dataclass(frozen=True)
class Truth:
    """What the plant's raw rows say."""

    schedule_rows: RawRows
    order_rows: RawRows
    customer_rows: RawRows
    stock_rows: RawRows
    now: datetime
    zone: ZoneInfo = field(default=ZoneInfo(ZONE))

    def schedule(self, work_center: str | None = None, job: str | None = None) -> Rows:
        return expected_schedule(
            self.schedule_rows, now=self.now, zone=self.zone, work_center=work_center, job=job
        ).records

    def orders(self, **filters: str | int | bool) -> Rows:
        return expected_orders(self.order_rows, now=self.now, zone=self.zone, **filters).records  # type: ignore[arg-type]  # by name

    def customers(self, query: str) -> Rows:
        return expected_customers(self.customer_rows, query=query).records

    def stock(self, **filters: str | bool) -> Rows:
        return expected_inventory(self.stock_rows, **filters).records  # type: ignore[arg-type]  # by name

    @cached_property
    def late(self) -> Rows:
        return self.orders(late_only=True)


Answering = Callable[[Agent], Awaitable[object]]
Knowing = Callable[[Truth], object]
QUESTIONS: dict[str, tuple[Answering, Knowing]] = {}


def question(text: str, right: Knowing) -> Callable[[Answering], Answering]:
    def note(answering: Answering) -> Answering:
        QUESTIONS[text] = (answering, right)
        return answering

    return note


@question("How many operations are there in welding today?", lambda truth: len(truth.schedule("WELD")))
async def running_in_welding(agent: Agent) -> object:
    return (await agent.ask(SCHEDULE, work_center="WELD")).total("total")


@question(
    "How many operations are behind in paint, and how many hours are left there?",
    lambda truth: (
        sum(row["status"] == "behind" for row in truth.schedule("PAINT")),
        sum(number(row["hours_remaining"]) for row in truth.schedule("PAINT")),
    ),
)
async def behind_in_paint(agent: Agent) -> object:
    told = await agent.ask(SCHEDULE, work_center="PAINT")
    return told.total("behind"), told.total("hours_remaining")


@question("Which job is welding's first?", lambda truth: truth.schedule("WELD")[0]["job"])
async def first_in_welding(agent: Agent) -> object:
    return (await agent.ask(SCHEDULE, work_center="WELD", limit=1)).records[0]["job"]


@question(
    "Which work center has the most hours to do?",
    lambda truth: busiest(truth.schedule()),
)
async def busiest_work_center(agent: Agent) -> object:
    return busiest((await agent.ask(SCHEDULE, limit=500)).records)


def busiest(rows: Rows) -> str:
    hours: dict[str, Decimal] = {}
    for row in rows:
        center = str(row["work_center"])
        hours[center] = hours.get(center, Decimal(0)) + number(row["hours_remaining"])
    return max(hours, key=lambda center: hours[center])


@question(
    "What lies in front of the saw, ready to be worked on?",
    lambda truth: {row["job"] for row in truth.schedule("SAW") if number(row["qty_here"]) > 0},
)
async def ready_at_the_saw(agent: Agent) -> object:
    told = await agent.ask(SCHEDULE, work_center="SAW", limit=500)
    return {row["job"] for row in told.records if number(row["qty_here"]) > 0}


@question(
    "Somebody says WELT for welding: how many jobs are there?",
    lambda truth: len({(row["job"], row["suffix"]) for row in truth.schedule("WELD")}),
)
async def misspelled_work_center(agent: Agent) -> object:
    told = await agent.ask(SCHEDULE, work_center="WELT", limit=1)
    found = re.search(r"Nearest known work_center: (\w+)", told.text)
    assert found
    return (await agent.ask(SCHEDULE, work_center=found[1], limit=1)).total("jobs")


@question("How many orders and lines are late?", lambda truth: (len(truth.late), len(list(lines(truth.late)))))
async def how_much_is_late(agent: Agent) -> object:
    told = await agent.ask(ORDERS, late_only=True, limit=1)
    return told.total("late_orders"), told.total("late_lines")


@question(
    "Which of Alder's orders are late, and do we have the stock?",
    lambda truth: [
        (order["order_num"], line["item"], covered(line))
        for order, line in lines(truth.orders(customer="Alder", late_only=True))
    ],
)
async def alders_late_orders(agent: Agent) -> object:
    told = await agent.ask(ORDERS, customer="Alder", late_only=True)
    return [(order["order_num"], line["item"], covered(line)) for order, line in told.lines()]


@question(
    "Which late orders could ship whole today from stock, with nothing against it?",
    lambda truth: {order["order_num"] for order in truth.late if ships(order)},
)
async def shippable_late_orders(agent: Agent) -> object:
    return {
        order["order_num"]
        for order in (await agent.ask(ORDERS, late_only=True, limit=500)).records
        if ships(order)
    }


def ships(order: Record) -> bool:
    return (
        order["status"] == "open" and not order["credit_hold"] and all(covered(line) for _, line in lines([order]))
    )


@question("How many lines are due within a week?", lambda truth: len(list(lines(truth.orders(days_out=7)))))
async def due_within_a_week(agent: Agent) -> object:
    return (await agent.ask(ORDERS, days_out=7, limit=1)).total("lines")


@question(
    "A customer calls about PO-1853: who is it, what is open, when was it due?",
    lambda truth: [
        (order["customer_name"], line["item"], number(line["qty_remaining"]), str(line["due_date"]))
        for order, line in lines(truth.orders(order="PO-1853"))
    ],
)
async def about_a_purchase_order(agent: Agent) -> object:
    told = await agent.ask(ORDERS, order="PO-1853")
    return [
        (order["customer_name"], line["item"], number(line["qty_remaining"]), line["due_date"])
        for order, line in told.lines()
    ]


@question(
    "Who waits for the item that is on most open lines?",
    lambda truth: {order["customer_name"] for order in truth.orders(item=wanted_most(truth.orders()))},
)
async def who_waits_for_the_most_wanted(agent: Agent) -> object:
    item = wanted_most((await agent.ask(ORDERS, limit=500)).records)
    return {order["customer_name"] for order in (await agent.ask(ORDERS, item=item)).records}


def wanted_most(orders: Rows) -> str:
    items = [str(line["item"]) for _, line in lines(orders)]
    return max(sorted(set(items)), key=items.count)


@question(
    "Whose order is the latest of all, what is their telephone number, and are they on credit hold?",
    lambda truth: [
        (row["name"], row["phone"], row["credit_hold"])
        for row in truth.customers(str(truth.late[0]["customer_num"]))
    ],
)
async def call_the_latest_customer(agent: Agent) -> object:
    order = (await agent.ask(ORDERS, late_only=True, limit=1)).records[0]
    told = await agent.ask(CUSTOMERS, query=order["customer_num"])
    return [(row["name"], row["phone"], row["credit_hold"]) for row in told.records]


@question("How many active customers have to do with Dayton?", lambda truth: len(truth.customers("Dayton")))
async def customers_of_a_city(agent: Agent) -> object:
    return (await agent.ask(CUSTOMERS, query="Dayton", limit=1)).total("total")


@question(
    "What has the customer in Springfield called Alder on order?",
    lambda truth: {
        order["order_num"]: number(order["open_amount"])
        for order in truth.orders(customer=str(truth.customers(SPRINGFIELD)[0]["customer_num"]))
    },
)
async def orders_of_a_customer(agent: Agent) -> object:
    first = (await agent.ask(CUSTOMERS, query=SPRINGFIELD, limit=1)).records[0]
    told = await agent.ask(ORDERS, customer=first["customer_num"], limit=500)
    return {order["order_num"]: number(order["open_amount"]) for order in told.records}


@question(
    "How many items run low, and how many of those are out of stock?",
    lambda truth: (
        len(truth.stock(low_stock_only=True)),
        sum(row["is_out_of_stock"] is True for row in truth.stock(low_stock_only=True)),
    ),
)
async def how_many_run_low(agent: Agent) -> object:
    told = await agent.ask(INVENTORY, low_stock_only=True, limit=1)
    return told.total("low_stock"), told.total("out_of_stock")


@question(
    "Which flat beds are out of stock?",
    lambda truth: {row["item"] for row in truth.stock(item="FB-*") if row["is_out_of_stock"]},
)
async def flat_beds_out_of_stock(agent: Agent) -> object:
    told = await agent.ask(INVENTORY, item="FB-*", limit=500)
    return {row["item"] for row in told.records if row["is_out_of_stock"]}


@question(
    "What is the stock in the eastern warehouse worth?",
    lambda truth: sum(number(row["total_value"]) for row in truth.stock(warehouse="EAST")),
)
async def worth_of_a_warehouse(agent: Agent) -> object:
    return (await agent.ask(INVENTORY, warehouse="EAST", limit=1)).total("total_value")


@question(
    "In which warehouses does FB-1090 lie, and how many are available in each?",
    lambda truth: by_warehouse(truth.stock(item="FB-1090")),
)
async def where_an_item_lies(agent: Agent) -> object:
    return by_warehouse((await agent.ask(INVENTORY, item="FB-1090")).records)


def by_warehouse(records: Rows) -> dict[object, Decimal]:
    stocks = records[0]["warehouse_stock"]
    assert isinstance(stocks, list)
    return {stock["warehouse"]: number(stock["qty_available"]) for stock in stocks}


@question(
    "The latest order lacks its item: what is available in all warehouses, and which jobs make it?",
    lambda truth: lacking(truth.late, truth.schedule(), lambda item: truth.stock(item=item)),
)
async def cover_for_the_latest_order(agent: Agent) -> object:
    late = (await agent.ask(ORDERS, late_only=True, limit=500)).records
    jobs = (await agent.ask(SCHEDULE, limit=500)).records
    stock = (await agent.ask(INVENTORY, item=short_item(late))).records
    return lacking(late, jobs, lambda _: stock)


def short_item(late: Rows) -> str:
    return next(str(line["item"]) for _, line in lines(late) if not covered(line))


def lacking(late: Rows, operations: Rows, stock: Callable[[str], Rows]) -> tuple[str, Decimal, set[object]]:
    item = short_item(late)
    jobs = {row["job"] for row in operations if row["item"] == item}
    return item, number(stock(item)[0]["total_available"]), jobs


@pytest.fixture(scope="module")
def truth(plant: Plant, collections: RawRows, now: datetime) -> Truth:
    return Truth(
        schedule_rows=collections,
        order_rows=order_rows(plant),
        customer_rows=raw_rows(plant, asking_customers.PROPERTIES),
        stock_rows=raw_rows(plant, asking_inventory.PROPERTIES),
        now=now,
    )


def test_there_are_twenty_questions() -> None:
    assert len(QUESTIONS) == 20


@pytest.mark.parametrize("text", QUESTIONS)
async def test_the_agent_answers(
    text: str, server: KaiErpMcpServer, truth: Truth, capsys: pytest.CaptureFixture[str]
) -> None:
    answering, right = QUESTIONS[text]
    async with Client(server) as client:
        agent = Agent(client)
        answer = await answering(agent)
    size = f"{agent.text_bytes:>7,} B of text, {agent.wire_bytes:>9,} B on the wire"
    with capsys.disabled():
        print(f"\n{agent.calls} calls, {size}: {text}", end="")  # noqa: T201  # to be seen
    assert answer == right(truth)
    assert answer
    assert agent.calls <= MOST_CALLS
