"""Every upstream call of a question, failing in every way, on its first, a middle and its last page, once and for good.

Whatever happens, there are two ends only: an answer that equals the independent computation, less what the answer
itself says is missing; or an error of the right kind. Never a wrong, a short or a doubled answer.
"""

import itertools
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

import pytest

from kai_erp.app import Answer as Page
from kai_erp.app import App, Asked, open_app
from kai_erp.connectors import ScheduleQuery
from kai_erp.errors import KaiErpError
from kai_erp.simulator import (
    Abort,
    Answer,
    Delay,
    Drip,
    DropBookmark,
    Fault,
    RepeatBookmark,
    RunningSimulator,
    Truncate,
)
from kai_erp.simulator.faults import Action
from tests.conftest import RawRows, SettingsFor
from tests.oracles.production_schedule import expected_schedule

QUERY = ScheduleQuery(work_center="WELD")
PAGE_SIZE = 26  # so that most collections take three pages or more, and a page that times out can be halved once
REQUIRED = ("SLJobs", "SLJobRoutes")
OPTIONAL = ("SLJrtSchs", "SLItems", "SLItemwhses", "SLWcs")
CALLS = ("token", *REQUIRED, *OPTIONAL)
PAGES = {"first": 1, "middle": 2, "last": 3}
DONE = Counter[str]()


@dataclass(frozen=True)
class Way:
    """A way of failing: what is done, whether trying again mends it, and how it ends when nothing mends it."""

    action: Action
    passes: bool
    codes: frozenset[str]


def _answer(status: int, body: str = "<html>no</html>", **headers: str) -> Answer:
    return Answer(status, headers={name.replace("_", "-"): text for name, text in headers.items()}, body=body)


def _fault(message: str) -> Answer:
    body = f'{{"Items":null,"Bookmark":null,"MoreRowsExist":false,"Success":false,"Message":"{message}"}}'
    return Answer(200, body=body, media_type="application/json")


UNAVAILABLE, ERROR, AUTH = (
    frozenset({"upstream_unavailable"}),
    frozenset({"upstream_error"}),
    frozenset({"upstream_auth"}),
)
WAYS = {
    "401": Way(_answer(401), passes=True, codes=AUTH),
    "session deleted": Way(_fault("Your session was deleted"), passes=True, codes=AUTH),
    "403": Way(_answer(403), passes=False, codes=AUTH),
    "429 with a rest": Way(_answer(429, Retry_After="0"), passes=True, codes=UNAVAILABLE),
    "500": Way(_answer(500), passes=True, codes=UNAVAILABLE),
    "502": Way(_answer(502), passes=True, codes=UNAVAILABLE),
    "503": Way(_answer(503, body=""), passes=True, codes=UNAVAILABLE),
    "504": Way(_answer(504), passes=True, codes=UNAVAILABLE),
    "404": Way(_answer(404), passes=False, codes=ERROR),
    "HTML with 200": Way(_answer(200), passes=True, codes=ERROR),
    "text with 200": Way(
        Answer(200, body="gateway says hello", media_type="text/plain"), passes=True, codes=ERROR
    ),
    "cut JSON": Way(Truncate(0.5), passes=True, codes=ERROR),
    "cut connection": Way(Abort(0.5), passes=True, codes=ERROR | UNAVAILABLE),
    "no answer at all": Way(Abort(0.0), passes=True, codes=UNAVAILABLE),
    "too slow": Way(Delay(0.6), passes=True, codes=UNAVAILABLE),
    "dripping": Way(Drip(pieces=8, seconds=0.1), passes=True, codes=UNAVAILABLE),
    "denied": Way(
        _fault("User requires [Read] privilege for this"), passes=False, codes=frozenset({"upstream_denied"})
    ),
    "a fault nobody knows": Way(_fault("Es ist ein Fehler aufgetreten"), passes=True, codes=ERROR),
    "repeated bookmark": Way(RepeatBookmark(), passes=False, codes=ERROR),
    "dropped bookmark": Way(DropBookmark(), passes=False, codes=ERROR),
}
NOT_FOR_TOKENS = {"session deleted", "denied", "a fault nobody knows", "repeated bookmark", "dropped bookmark"}


@pytest.fixture
async def asked_app(
    simulator: RunningSimulator, settings_for: SettingsFor, now: datetime, without_waiting: None
) -> AsyncIterator[App]:
    """An app with small pages and little patience, which knows nothing of the tenant yet."""
    impatient = settings_for(simulator, sl10_page_size=PAGE_SIZE, sl10_request_timeout_seconds=0.4)
    async with open_app(impatient, now=lambda: now) as app:
        yield app


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("where", PAGES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("call", CALLS)
async def test_an_upstream_failure_ends_in_the_right_answer_or_the_right_error(  # noqa: PLR0913  # each is a dimension
    call: str,
    way: str,
    where: str,
    lasting: bool,
    asked_app: App,
    simulator: RunningSimulator,
    collections: RawRows,
    now: datetime,
) -> None:
    if call == "token" and (way in NOT_FOR_TOKENS or where != "first"):
        return
    page = None if call == "token" else PAGES[where]
    simulator.state.faults.add(Fault(WAYS[way].action, on=call, page=page, times=None if lasting else 1))
    try:
        answer = await asked_app.ask(Asked("production_schedule", QUERY, limit=10_000))
    except KaiErpError as failure:
        assert failure.code in WAYS[way].codes | ({"upstream_auth"} if call == "token" else set())
        assert lasting or not WAYS[way].passes, f"{failure!r} would have passed"
        assert call not in OPTIONAL, f"{failure!r}: there is an answer without {call}"
        DONE["error"] += 1
        return
    lost = check_answer(answer, collections, now, asked_app)
    assert lost <= {call}
    if WAYS[way].passes and not lasting:
        assert not lost
    DONE["whole answer" if not lost else "answer without a collection"] += 1


def check_answer(answer: Page, collections: RawRows, now: datetime, app: App) -> set[str]:
    """Check an answer against the independent computation; return the collections that it says it lacks."""
    lost = {read.collection for read in answer.meta.upstream if read.status != "ok"}
    assert lost <= set(OPTIONAL)
    assert lost <= {caution.collection for caution in answer.meta.warnings}
    expected = expected_schedule(
        collections, now=now, zone=app.settings.zone, work_center=QUERY.work_center, missing=frozenset(lost)
    )
    assert answer.records.to_pylist() == expected.records
    assert answer.meta.total_count == len(expected.records)
    return lost


def test_the_matrix_was_run(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> None:
    cases = [
        case for case in itertools.product(CALLS, WAYS, PAGES, (False, True)) if _counts(case[0], case[1], case[2])
    ]
    with capsys.disabled():
        print(f"\nfault matrix: {sum(DONE.values())} of {len(cases)} cases, {dict(DONE)}")  # noqa: T201  # the count is asked for
    if len(request.session.items) > len(cases):
        assert sum(DONE.values()) == len(cases)


def _counts(call: str, way: str, where: str) -> bool:
    return call != "token" or (way not in NOT_FOR_TOKENS and where == "first")
