"""How many answers at once are judged, and what the simulator's record says about how it was asked."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate, count

from kai_erp.app import LARGEST_LIMIT, Answer, App, Asked
from kai_erp.callers import EVERYTHING, Caller
from kai_erp.connectors import ScheduleQuery
from kai_erp.simulator import RecordedRequest
from tests.test_connectors.asking import Truth, check, warnings

_NUMBERS = count(1)


async def ask_apart(app: App, query: ScheduleQuery) -> Answer:
    """Return an answer that is read for this caller alone: nobody else has the same rights."""
    name = f"key:{next(_NUMBERS)}"
    caller = Caller(name, frozenset({EVERYTHING, name}))
    return await app.ask(Asked("production_schedule", query, limit=LARGEST_LIMIT, caller=caller))


def check_all(answers: Sequence[Answer], query: ScheduleQuery, truth: Truth) -> None:
    """Assert that all answers to one question are whole, alike, and what the ERP's rows make of it."""
    check(answers[0], query, truth)
    for answer in answers:
        assert answer.records == answers[0].records
        assert answer.summary == answers[0].summary
        assert warnings(answer) == []


def most_at_once(requests: Iterable[RecordedRequest]) -> int:
    """Return how many requests were in flight at once at most."""
    changes = sorted(change for one in requests for change in ((one.started, 1), (one.ended, -1)))
    return max(accumulate(change for _, change in changes), default=0)


def most_within(requests: Iterable[RecordedRequest], seconds: float) -> int:
    """Return how many requests started within any window of so many seconds at most."""
    starts = sorted(one.started for one in requests)
    first = most = 0
    for last, start in enumerate(starts):
        while start - starts[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def walks(requests: Sequence[RecordedRequest]) -> list[list[RecordedRequest]]:
    """Return the requests of each walk of several pages; no two walks of one filter may go on at once."""
    begun: dict[tuple[object, ...], list[list[RecordedRequest]]] = defaultdict(list)
    for one in requests:
        same = begun[one.collection, one.params.get("filter"), one.params.get("properties")]
        if "bookmark" not in one.params:
            same.append([])
        same[-1].append(one)
    return [walk for same in begun.values() for walk in same if len(walk) > 1]
