"""What is asked under chaos, and what the answers must be: by the oracles, from the plant's raw rows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from kai_erp.simulator import Plant
from tests.conftest import schedule_rows
from tests.oracles.customer_search import expected_customers
from tests.oracles.inventory_status import expected_inventory
from tests.oracles.open_orders import expected_orders
from tests.oracles.production_schedule import expected_schedule
from tests.test_connectors import asking_customers, asking_inventory, asking_orders
from tests.test_connectors.made_plants import raw_rows

SCHEDULE, ORDERS = "/bedrock/schedule", "/sales/orders"
CUSTOMERS, INVENTORY = "/customers/search", "/inventory/status"
TOOLS = {
    SCHEDULE: "get_production_schedule",
    ORDERS: "get_open_orders",
    CUSTOMERS: "search_customers",
    INVENTORY: "get_inventory_status",
}
Records = list[dict[str, Any]]
_INSTEAD = {"SLItems": "Itm", "SLJrtSchs": "Jsh", "SLWcs": "Wc"}
"""Collections whose values stand, with a prefix, in SLJobRoutes as well."""
_TURNING = {"status", "is_late", "days_until_due"}  # what depends on the moment of asking, not on the ERP's rows


@dataclass(frozen=True)
class Lost:
    """The collections that an answer says it did without, and those of them that nothing stood in for."""

    collections: frozenset[str]
    for_good: frozenset[str]


@dataclass(frozen=True)
class Question:
    """A question, as a path and its parameters."""

    path: str
    parameters: Mapping[str, Any]


def questions(plant: Plant) -> list[Question]:
    """Return questions about what the plant has, some of them about nothing."""
    centers = sorted({row["Wc"] or "" for row in plant.rows("SLWcs")} - {""})[:5]
    jobs = sorted({row["Job"] or "" for row in plant.rows("SLJobs") if row["Stat"] == "R" and row["Type"] == "J"})[
        :4
    ]
    items = sorted({row["Item"] or "" for row in plant.rows("SLItems")})[:4]
    customers = sorted({row["CustNum"] or "" for row in plant.rows("SLCustomers")})[:4]
    return [
        Question(SCHEDULE, {}),
        *(Question(SCHEDULE, {"work_center": center}) for center in (*centers, "NOWHERE")),
        *(Question(SCHEDULE, {"job": job.strip()}) for job in jobs),
        Question(ORDERS, {}),
        *(Question(ORDERS, {"customer": number.strip()}) for number in customers),
        *(Question(INVENTORY, {"item": item}) for item in items),
        Question(INVENTORY, {"low_stock_only": True}),
        *(Question(CUSTOMERS, {"query": text}) for text in ("inc", "o'", "chicago", customers[0].strip())),
    ]


_ORACLES: Mapping[str, Callable[..., Any]] = {
    SCHEDULE: expected_schedule,
    ORDERS: expected_orders,
    CUSTOMERS: expected_customers,
    INVENTORY: expected_inventory,
}


class Truth:
    """Knows the answers, also those that lack a collection."""

    def __init__(self, plant: Plant, zone: ZoneInfo, now: datetime) -> None:
        self._zone, self._now = zone, now
        self._rows = {
            SCHEDULE: schedule_rows(plant),
            ORDERS: asking_orders.order_rows(plant),
            CUSTOMERS: raw_rows(plant, asking_customers.PROPERTIES),
            INVENTORY: raw_rows(plant, asking_inventory.PROPERTIES),
        }
        self._known: dict[tuple[str, str, Lost], Records] = {}

    def records(self, question: Question, lost: Lost) -> Records:
        """Return the records of an answer without some collections, without what turns with the clock."""
        key = question.path, repr(question.parameters), lost
        if key not in self._known:
            self._known[key] = [steady(record) for record in self._expected(question, lost)]
        return self._known[key]

    def _expected(self, question: Question, lost: Lost) -> Records:
        rows, asked = _without_stand_ins(self._rows[question.path], lost.for_good), dict(question.parameters)
        dated: dict[str, Any] = {"now": self._now, "zone": self._zone}
        when = dated if question.path in {SCHEDULE, ORDERS} else {}
        records: Records = _ORACLES[question.path](rows, missing=lost.collections, **when, **asked).records
        return records


def _without_stand_ins(rows: Mapping[str, Any], lost: frozenset[str]) -> Mapping[str, Any]:
    """Return rows of collections in which SLJobRoutes cannot stand in for some that are lost."""
    gone = tuple(_INSTEAD[name] for name in lost & _INSTEAD.keys())
    if not gone or "SLJobRoutes" not in rows:
        return rows
    routes = [{**row, **{name: None for name in row if _is_joined(name, gone)}} for row in rows["SLJobRoutes"]]
    return {**rows, "SLJobRoutes": routes}


def _is_joined(name: str, prefixes: tuple[str, ...]) -> bool:
    """Tell whether a property comes of another collection: its name goes on after the prefix, unlike `Wc`."""
    return any(name.startswith(prefix) and name != prefix for prefix in prefixes)


def steady(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record, or one within it, without what turns with the clock."""
    return {
        name: [steady(inner) for inner in value] if isinstance(value, list) else value
        for name, value in record.items()
        if name not in _TURNING
    }


def differences(place: str, actual: object, expected: object) -> Iterator[str]:
    """Yield where JSON differs from what an oracle says."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        if set(actual) != set(expected):
            yield f"{place}: fields {sorted(set(actual) ^ set(expected))}"
        for name in expected.keys() & actual.keys():
            yield from differences(f"{place}.{name}", actual[name], expected[name])
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(actual) != len(expected):
            yield f"{place}: {len(actual)} in place of {len(expected)}"
        for number, (one, other) in enumerate(zip(actual, expected, strict=False)):
            yield from differences(f"{place}[{number}]", one, other)
    elif not _same(actual, expected):
        yield f"{place}: {actual!r} in place of {expected!r}"


def _same(actual: object, expected: object) -> bool:
    match expected:
        case bool() | None:
            return actual is expected
        case Decimal() | int():
            return isinstance(actual, int | float) and float(expected) == float(actual)
        case datetime():
            return isinstance(actual, str) and datetime.fromisoformat(actual) == expected
        case date():
            return isinstance(actual, str) and date.fromisoformat(actual) == expected
        case _:
            return actual == expected
