"""How much the ERP is asked of within a minute, as it sees it; the last of its folder, since it waits for that."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import ZONE, RawRows
from tests.faults.conftest import PER_MINUTE, WELD, LongQuestion
from tests.faults.measures import check_all, most_within
from tests.test_connectors.asking import Truth

WINDOW_SECONDS = 60.0


@pytest.mark.timeout(240)
def test_no_sixty_seconds_hold_more_requests_than_allowed(
    long_question: LongQuestion, collections: RawRows, now: datetime
) -> None:
    answers, seconds = long_question.outcome.result()
    check_all(answers, WELD, Truth(collections, now, ZoneInfo(ZONE)))
    requests = long_question.simulator.state.requests
    assert len(requests) > PER_MINUTE
    assert most_within(requests, WINDOW_SECONDS) == PER_MINUTE
    assert most_within(requests, seconds) == len(requests)
