"""Every upstream call of a question, failing in every way, on its first, second and third page, once and for good.

Whatever happens, there are two ends only: an answer that equals the independent computation, less what the answer
itself says is missing; or an error of the right kind. Never a wrong, a short or a doubled answer.
"""

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime

import pytest

from kai_erp.app import Answer as Page
from kai_erp.app import App, Asked, open_app
from kai_erp.config import Settings
from kai_erp.connectors import ScheduleQuery
from kai_erp.errors import KaiErpError
from kai_erp.simulator import (
    Abort,
    Answer,
    Delay,
    Drip,
    DropBookmark,
    Fault,
    Plant,
    RepeatBookmark,
    RunningSimulator,
    Truncate,
    run_simulator,
)
from kai_erp.simulator.faults import Action
from tests.conftest import RawRows, settings_of
from tests.faults.three_pages import WORK_CENTER, plant_of_three_pages
from tests.oracles.production_schedule import expected_schedule

QUERY = ScheduleQuery(work_center=WORK_CENTER)
PAGE_SIZE = 26  # so that a page that times out can be halved once
PATIENT, IMPATIENT = 0.4, 0.15  # seconds; a page comes within a few thousandths unless it is made late
REQUIRED = ("SLJobs", "SLJobRoutes")
OPTIONAL = ("SLJrtSchs", "SLItems", "SLItemwhses", "SLWcs")
CALLS = ("token", *REQUIRED, *OPTIONAL)
PAGES = (1, 2, 3)
pytestmark = pytest.mark.xdist_group("matrix")  # counted together at the end
DONE = Counter[str]()
EXPECTED: dict[frozenset[str], list[dict[str, object]]] = {}


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
LATE = {"too slow", "dripping"}
NOT_FOR_TOKENS = {"session deleted", "denied", "a fault nobody knows", "repeated bookmark", "dropped bookmark"}


@dataclass(frozen=True)
class Case:
    """Which call fails, in which way, on which page, and whether it stays so."""

    call: str
    way: str
    page: int
    lasting: bool

    def __str__(self) -> str:
        return f"{self.call}-{self.way}-page {self.page}-{'lasting' if self.lasting else 'once'}"

    def occurs(self) -> bool:
        """Whether there is such a case: tokens have no pages, and no faults of a collection."""
        return self.call != "token" or (self.way not in NOT_FOR_TOKENS and self.page == 1)


CASES = [
    case for case in itertools.starmap(Case, itertools.product(CALLS, WAYS, PAGES, (False, True))) if case.occurs()
]


@dataclass(frozen=True, repr=False)  # asyncio shows what a fixture gave, over and over
class Erp:
    """A simulator of a plant whose collections take three pages, settings by patience, and what is true there."""

    simulator: RunningSimulator
    settings: dict[float, Settings]
    rows: RawRows
    now: datetime


@dataclass(frozen=True, repr=False)
class Bench:
    """An app with small pages and little patience, and the ERP that it asks."""

    app: App
    erp: Erp

    async def outcome(self, case: Case) -> Page | KaiErpError:
        """Return how a question ends when a call fails as the case says."""
        page = None if case.call == "token" else case.page
        fault = Fault(WAYS[case.way].action, on=case.call, page=page, times=None if case.lasting else 1)
        self.erp.simulator.state.faults.add(fault)
        try:
            return await self.app.ask(Asked("production_schedule", QUERY, limit=10_000))
        except KaiErpError as failure:
            return failure
        finally:
            assert fault.fired

    def expected(self, missing: frozenset[str]) -> list[dict[str, object]]:
        """Return the records that are right without some collections; computed once for all cases."""
        if missing not in EXPECTED:
            zone, rows, now = self.app.settings.zone, self.erp.rows, self.erp.now
            truth = expected_schedule(rows, now=now, zone=zone, work_center=QUERY.work_center, missing=missing)
            EXPECTED[missing] = truth.records
        return EXPECTED[missing]

    def check(self, answer: Page) -> set[str]:
        """Check an answer against the independent computation; return the collections that it says it lacks."""
        lost = {read.collection for read in answer.meta.upstream if read.status != "ok"}
        assert lost <= set(OPTIONAL)
        assert lost <= {caution.collection for caution in answer.meta.warnings}
        records = self.expected(frozenset(lost))
        assert answer.records.to_pylist() == records
        assert answer.meta.total_count == len(records)
        return lost


@pytest.fixture(scope="module")
def erp(plant: Plant, now: datetime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Erp]:
    """The ERP of all cases; only what fails in it differs."""
    small = plant_of_three_pages(plant, PAGE_SIZE)
    file = tmp_path_factory.mktemp("matrix") / "tenant.ionapi"
    with run_simulator(small) as running:
        settings = {
            seconds: settings_of(running, file, sl10_page_size=PAGE_SIZE, sl10_request_timeout_seconds=seconds)
            for seconds in (PATIENT, IMPATIENT)
        }
        yield Erp(running, settings, {name: small.rows(name) for name in small.collections}, now)


@pytest.fixture
async def bench(case: Case, erp: Erp) -> AsyncIterator[Bench]:
    """A bench that knows nothing of the tenant yet."""
    erp.simulator.state.faults.clear()
    erp.simulator.state.requests.clear()
    settings = erp.settings[IMPATIENT if case.way in LATE else PATIENT]
    async with open_app(settings, now=lambda: erp.now) as app:
        yield Bench(app, erp)


async def test_every_collection_takes_three_pages(erp: Erp) -> None:
    state = erp.simulator.state
    state.faults.clear()
    state.requests.clear()
    async with open_app(erp.settings[PATIENT], now=lambda: erp.now) as app:
        answer = await app.ask(Asked("production_schedule", QUERY, limit=10_000))
    assert Bench(app, erp).check(answer) == set()
    asked = Counter(request.collection for request in state.requests)
    assert set(asked) == {*REQUIRED, *OPTIONAL}
    assert min(asked.values()) >= max(PAGES)


@pytest.mark.usefixtures("without_waiting")
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_an_upstream_failure_ends_in_the_right_answer_or_the_right_error(case: Case, bench: Bench) -> None:
    way = WAYS[case.way]
    outcome = await bench.outcome(case)
    if isinstance(outcome, KaiErpError):
        assert outcome.code in way.codes | ({"upstream_auth"} if case.call == "token" else set())
        assert case.lasting or not way.passes, f"{outcome!r} would have passed"
        assert case.call not in OPTIONAL, f"{outcome!r}: there is an answer without {case.call}"
        DONE["errors"] += 1
        return
    lost = bench.check(outcome)
    assert lost <= {case.call}
    assert not lost or case.lasting or not way.passes
    DONE["answers without a collection" if lost else "whole answers"] += 1


def test_the_matrix_was_run(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> None:
    with capsys.disabled():
        print(f"\nfault matrix: {sum(DONE.values())} of {len(CASES)} cases: {dict(DONE)}")  # noqa: T201  # meant to be seen
    if sum(
        "bench" in item.fixturenames for item in request.session.items if isinstance(item, pytest.Function)
    ) == len(CASES):
        assert sum(DONE.values()) == len(CASES)
