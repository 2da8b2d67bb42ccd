"""The Python API for programs and notebooks that do not await."""

import asyncio
import inspect
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog

import kai_erp
from kai_erp.config import Settings
from kai_erp.errors import InvalidParameter, InvalidSetting, NotConfigured
from kai_erp.models import ScheduledOperation, ScheduleSummary
from kai_erp.simulator import Delay, Fault, RunningSimulator
from tests.conftest import SettingsFor


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Leave no log that writes to the captured stderr of a test that is over."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def erp(settings: Settings) -> Iterator[kai_erp.SyncErp]:
    """The shared simulator, asked without await."""
    with kai_erp.connect_sync(settings) as opened:
        yield opened


def loops() -> list[threading.Thread]:
    """Return the threads that run the loops of connections."""
    return [thread for thread in threading.enumerate() if thread.name == "kai-erp"]


def test_an_answer_is_that_of_the_asynchronous_api(erp: kai_erp.SyncErp, settings: Settings) -> None:
    async def other() -> kai_erp.WholeAnswer[ScheduledOperation, ScheduleSummary]:
        async with kai_erp.connect(settings) as awaited:
            return await awaited.schedule(work_center="WELD")

    answer = erp.schedule(work_center="WELD")
    record: ScheduledOperation = answer.records[0]
    assert record.work_center == "WELD"
    assert answer.to_arrow() == asyncio.run(other()).to_arrow()
    assert erp.ask("production_schedule", work_center="WELD").to_arrow() == answer.to_arrow()


async def test_it_works_while_an_event_loop_runs_as_in_a_notebook(settings: Settings) -> None:
    with kai_erp.connect_sync(settings) as erp:
        assert erp.schedule(work_center="WELD").records


async def test_methods_and_their_texts_are_those_of_the_asynchronous_api(
    erp: kai_erp.SyncErp, settings: Settings
) -> None:
    async with kai_erp.connect(settings) as other:
        assert list(erp.connectors) == list(other.connectors)
        for connector in erp.connectors.values():
            verbs = [getattr(each, connector.verb) for each in (erp, other)]
            assert verbs[0].__doc__ == verbs[1].__doc__
            assert inspect.signature(verbs[0]) == inspect.signature(verbs[1])


def test_several_questions_go_over_one_connection(erp: kai_erp.SyncErp, simulator: RunningSimulator) -> None:
    for name in ("WELD", "ASSY", "PAINT"):
        assert erp.schedule(work_center=name).summary.work_centers == [name]
    assert simulator.state.token_requests == 1


def test_threads_may_ask_at_once(erp: kai_erp.SyncErp) -> None:
    names = ["WELD", "ASSY", "PAINT", "MACH"]
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda name: erp.schedule(work_center=name), names))
    assert [answer.summary.work_centers for answer in answers] == [[name] for name in names]


def test_what_is_wrong_is_raised_to_the_caller_and_the_connection_stays(erp: kai_erp.SyncErp) -> None:
    with pytest.raises(InvalidParameter, match="work_centre"):
        erp.schedule(work_centre="WELD")
    assert erp.schedule(work_center="WELD").records


def test_closing_stops_the_loop_and_may_be_done_twice(settings: Settings) -> None:
    with kai_erp.connect_sync(settings) as erp:
        assert len(loops()) == 1
        answer = erp.schedule(work_center="WELD")
        erp.close()
        assert loops() == []
    with pytest.raises(RuntimeError, match="closed"):
        erp.schedule()
    assert answer.records


def test_an_error_in_the_block_closes_the_connection_too(settings: Settings) -> None:
    with pytest.raises(ZeroDivisionError), kai_erp.connect_sync(settings):
        1 / 0  # noqa: B018  # the error is what is tested
    assert loops() == []


def test_what_keeps_it_from_opening_is_raised_and_leaves_nothing_behind(settings: Settings) -> None:
    with pytest.raises(NotConfigured):
        kai_erp.connect_sync()
    with pytest.raises(InvalidSetting, match="SL10_TIMEZONE"):
        kai_erp.connect_sync(settings, sl10_timezone="Chicago")
    assert loops() == []


def test_ctrl_c_breaks_a_question_off_and_the_next_one_is_answered(
    settings_for: SettingsFor, simulator: RunningSimulator
) -> None:
    main = threading.get_ident()

    def interrupt() -> None:
        while not simulator.state.requests:
            pass
        signal.pthread_kill(main, signal.SIGINT)

    patient = settings_for(simulator, sl10_request_timeout_seconds=60)
    with kai_erp.connect_sync(patient) as erp:
        simulator.state.faults.add(Fault(Delay(30), on="SLJobRoutes", times=None))
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            erp.schedule()
        simulator.state.faults.clear()
        assert erp._background.run(questions_still_asked) == 0
        assert erp.schedule(work_center="WELD").records


async def questions_still_asked() -> int:
    """Return how many questions the loop works on, once those that were broken off had time to end."""
    async with asyncio.timeout(10):
        while count := sum(  # noqa: ASYNC110  # the end of a task sets no event
            "Erp.ask" in str(task.get_coro()) for task in asyncio.all_tasks()
        ):
            await asyncio.sleep(0)
    return count


def test_a_program_that_forgets_to_close_ends_all_the_same() -> None:
    code = "import kai_erp; erp = kai_erp.connect_sync(demo=True); print(erp.schedule().meta.simulated)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  # our own code
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
