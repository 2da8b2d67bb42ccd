"""The Python API for asynchronous programs."""

import asyncio
import inspect
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import structlog

import kai_erp
from kai_erp.app import DEFAULT_LIMIT, LARGEST_LIMIT, Asked, open_app
from kai_erp.client import WholeAnswer
from kai_erp.config import Settings
from kai_erp.connectors import BaseConnector, ScheduleQuery
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import Freshness
from kai_erp.errors import ConfigurationError, InvalidParameter, InvalidSetting, NotConfigured, UpstreamDenied
from kai_erp.models import ScheduledOperation, ScheduleSummary
from kai_erp.plugins import all_connectors
from kai_erp.simulator import Plant, RunningSimulator
from tests.conftest import SettingsFor, Simulate

CONNECTORS = pytest.mark.parametrize("connector", all_connectors(), ids=lambda connector: connector.name)


@pytest.fixture(autouse=True)
def _own_log() -> None:
    """Leave no log that writes to the captured stderr of a test that is over."""
    structlog.reset_defaults()


@pytest.fixture
async def erp(settings: Settings) -> AsyncIterator[kai_erp.Erp]:
    """The shared simulator, asked by the Python API."""
    async with kai_erp.connect(settings) as opened:
        yield opened
    structlog.reset_defaults()


@pytest.fixture
async def answer(erp: kai_erp.Erp) -> WholeAnswer[ScheduledOperation, ScheduleSummary]:
    return await erp.schedule(include_completed=True)


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, kai_erp; print([name for name in sys.modules if name.startswith('kai_erp.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603  # our own code
    assert done.stdout.strip() == "[]"


def test_the_package_shows_what_it_offers_and_nothing_it_does_not() -> None:
    assert {"connect", "connect_sync", "Erp", "SyncErp", "WholeAnswer", "__version__"} <= {*dir(kai_erp)}
    with pytest.raises(AttributeError, match="has no attribute 'disconnect'"):
        kai_erp.disconnect  # type: ignore[attr-defined]  # noqa: B018  # the look-up is what is tested


async def test_an_answer_is_that_of_the_other_surfaces_and_whole(erp: kai_erp.Erp, settings: Settings) -> None:
    answer = await erp.schedule(include_completed=True)
    async with open_app(settings) as app:
        query = ScheduleQuery(include_completed=True)
        page = await app.ask(Asked("production_schedule", query, limit=LARGEST_LIMIT))
    assert answer.to_arrow() == page.records
    assert answer.summary == ScheduleSummary.model_validate(page.summary)
    assert answer.meta.record_count == answer.meta.total_count == page.meta.total_count == len(answer.records)
    assert (answer.meta.truncated, answer.meta.next_cursor) == (False, None)


@pytest.mark.medium
async def test_an_answer_larger_than_a_page_is_whole(
    medium_plant: Plant, simulate: Simulate, settings_for: SettingsFor
) -> None:
    settings = settings_for(simulate(of=medium_plant))
    async with kai_erp.connect(settings) as erp:
        answer = await erp.customers(query="e", active_only=False)
    assert answer.meta.record_count == answer.meta.total_count == answer.to_arrow().num_rows > DEFAULT_LIMIT
    assert (answer.meta.truncated, answer.meta.next_cursor) == (False, None)


async def test_records_are_objects_of_the_connectors_model(
    answer: WholeAnswer[ScheduledOperation, ScheduleSummary],
) -> None:
    record: ScheduledOperation = answer.records[0]
    assert {type(each) for each in answer.records} == {ScheduledOperation}
    assert isinstance(record.qty_released, Decimal)
    assert isinstance(record.sched_start, datetime)
    assert str(record.sched_start.tzinfo) == "America/Chicago"
    assert [each.model_dump() for each in answer.records] == answer.to_arrow().to_pylist()
    assert answer.records is answer.records


async def test_a_frame_has_numbers_and_times_that_can_be_computed_with(
    answer: WholeAnswer[ScheduledOperation, ScheduleSummary],
) -> None:
    frame, table = answer.to_pandas(), answer.to_arrow()
    assert list(frame.columns) == table.column_names
    assert frame["qty_released"].dtype == "float64"
    assert frame["priority"].dtype == frame["suffix"].dtype == pd.Int64Dtype()
    assert str(frame["sched_start"].dtype) == "datetime64[us, America/Chicago]"
    assert pd.api.types.is_datetime64_dtype(frame["job_due"])
    due: date = next(record.job_due for record in answer.records if record.job_due)
    assert due in set(frame["job_due"].dropna().dt.date)
    assert frame["qty_released"].tolist() == [float(record.qty_released) for record in answer.records]
    assert frame["order_line"].isna().sum() == table["order_line"].null_count > 0


async def test_an_empty_answer_has_the_same_columns(erp: kai_erp.Erp) -> None:
    full, empty = await erp.schedule(work_center="WELD"), await erp.schedule(work_center="WELT")
    assert empty.records == []
    assert [caution.code for caution in empty.meta.warnings] == ["no_match"]
    assert empty.to_arrow().schema == full.to_arrow().schema
    assert list(empty.to_pandas().dtypes) == list(full.to_pandas().dtypes)


async def test_without_pandas_the_error_names_the_extra(
    answer: WholeAnswer[ScheduledOperation, ScheduleSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'kai-erp\[pandas\]'"):
        answer.to_pandas()
    assert answer.records


async def test_an_answer_shows_itself_in_a_line(erp: kai_erp.Erp) -> None:
    answer = await erp.schedule(work_center="WELD")
    assert repr(answer).startswith(f"<{len(answer.records)} records of production_schedule, as of 20")
    assert len(repr(answer)) < 100


@CONNECTORS
async def test_every_connector_is_a_method_with_its_parameters_and_their_meaning(
    erp: kai_erp.Erp, connector: BaseConnector[ConnectorQuery]
) -> None:
    verb = getattr(erp, connector.verb)
    parameters = inspect.signature(verb).parameters
    assert list(parameters) == [*connector.query.model_fields, "freshness"]
    assert {parameter.kind for parameter in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    for name, field in connector.query.model_fields.items():
        assert (parameters[name].default is inspect.Parameter.empty) == field.is_required()
        assert str(field.description) in verb.__doc__
    assert connector.description in verb.__doc__
    assert connector.verb in dir(erp)
    assert verb.__name__ == connector.verb


@CONNECTORS
async def test_a_method_and_its_connectors_name_ask_the_same(
    erp: kai_erp.Erp, connector: BaseConnector[ConnectorQuery]
) -> None:
    filters = connector.example.model_dump(exclude_unset=True)
    by_verb = await getattr(erp, connector.verb)(**filters)
    by_name = await erp.ask(connector.name, **filters)
    assert by_verb.to_arrow() == by_name.to_arrow()
    assert isinstance(by_name.records[0], connector.record)
    assert isinstance(by_name.summary, connector.summary)
    assert by_name.meta.filters_applied == connector.example.model_dump(exclude_defaults=True)


@pytest.mark.parametrize(
    ("parameters", "field", "allowed"),
    [
        ({"work_centre": "WELD"}, "work_centre", "work_center or job or include_completed or freshness"),
        ({"limit": 5}, "limit", "unknown parameter"),
        ({"job": 888}, "job", "888 given, allowed is a valid string"),
        ({"job": "8\n8"}, "job", "control characters are not allowed"),
        ({"job": "8" * 201}, "job", "at most 200 characters"),
        ({"include_completed": "perhaps"}, "include_completed", "allowed is a valid boolean"),
        ({"freshness": "fresh"}, "freshness", "allowed is realtime or near_realtime or batch_ok"),
    ],
)
async def test_a_wrong_parameter_is_named_with_what_is_allowed(
    erp: kai_erp.Erp, simulator: RunningSimulator, parameters: dict[str, object], field: str, allowed: str
) -> None:
    with pytest.raises(InvalidParameter) as refused:
        await erp.ask("production_schedule", **parameters)  # type: ignore[arg-type]  # wrong on purpose
    assert refused.value.parameter == field
    assert allowed in refused.value.problem
    assert simulator.state.requests == []


async def test_an_unknown_connector_is_named_with_those_there_are(erp: kai_erp.Erp) -> None:
    with pytest.raises(InvalidParameter, match="connector: 'weather' given, allowed is production_schedule"):
        await erp.ask("weather")


@pytest.mark.parametrize("freshness", ["near_realtime", Freshness.NEAR_REALTIME])
async def test_the_freshness_may_be_a_text(erp: kai_erp.Erp, freshness: Freshness | str) -> None:
    answer = await erp.schedule(work_center="WELD", freshness=freshness)
    assert answer.meta.freshness is Freshness.NEAR_REALTIME


async def test_what_the_erp_refuses_is_raised(erp: kai_erp.Erp, simulator: RunningSimulator) -> None:
    simulator.state.deny("SLJobs")
    with pytest.raises(UpstreamDenied, match="SLJobs"):
        await erp.schedule()


async def test_several_questions_may_be_asked_at_once(erp: kai_erp.Erp) -> None:
    names = ["WELD", "ASSY", "PAINT"]
    answers = await asyncio.gather(*(erp.schedule(work_center=name) for name in names))
    assert [answer.summary.work_centers for answer in answers] == [[name] for name in names]


async def test_after_the_block_nothing_can_be_asked_but_answers_stay(settings: Settings) -> None:
    async with kai_erp.connect(settings) as erp:
        answer = await erp.schedule(work_center="WELD")
    with pytest.raises(RuntimeError, match="closed"):
        await erp.schedule()
    assert answer.records


async def test_settings_come_from_the_environment_and_single_ones_by_name(
    settings: Settings, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SL10_IONAPI_FILE", str(settings.sl10_ionapi_file))
    monkeypatch.setenv("SL10_CONFIG_NAME", str(settings.sl10_config_name))
    monkeypatch.setenv("SL10_TIMEZONE", "Asia/Tokyo")
    async with kai_erp.connect(sl10_timezone="Europe/Berlin", sl10_page_size=50) as erp:
        answer = await erp.schedule(work_center="WELD")
    assert str(answer.to_arrow().schema.field("sched_start").type.tz) == "Europe/Berlin"
    assert {request.params.get("recordcap") for request in simulator.state.requests} == {"50"}


async def test_single_settings_go_before_those_that_are_given(settings: Settings) -> None:
    async with kai_erp.connect(settings, sl10_timezone="Europe/Berlin") as erp:
        answer = await erp.schedule(work_center="WELD")
    assert answer.to_arrow().schema.field("sched_start").type == pa.timestamp("us", "Europe/Berlin")
    assert settings.sl10_timezone == "America/Chicago"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("sl10_timezon", "UTC", "sl10_timezon is no setting, near are sl10_timezone"),
        ("xyzzy", 1, "xyzzy is no setting"),
        ("sl10_timezone", "Chicago", "SL10_TIMEZONE is 'Chicago', allowed is an IANA zone"),
        ("sl10_base_url", "https://erp.example", "use one way in"),
    ],
)
async def test_a_wrong_setting_is_refused_in_a_line(
    settings: Settings, name: str, value: object, said: str
) -> None:
    with pytest.raises(InvalidSetting, match=said):
        await kai_erp.connect(settings, **{name: value}).__aenter__()  # type: ignore[arg-type]  # any setting


async def test_without_an_erp_it_says_at_once_what_is_not_set() -> None:
    with pytest.raises(NotConfigured, match="SL10_IONAPI_FILE, SL10_CONFIG_NAME, SL10_TIMEZONE not set"):
        await kai_erp.connect().__aenter__()


async def test_the_demo_needs_nothing_and_every_answer_says_so() -> None:
    async with kai_erp.connect(demo=True) as erp:
        answer = await erp.schedule(work_center="WELD")
    assert answer.meta.simulated
    assert answer.records


async def test_the_log_goes_to_stderr_unless_the_program_has_set_up_its_own(
    settings: Settings, settings_for: SettingsFor, simulator: RunningSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    async with kai_erp.connect(settings):
        structlog.get_logger().warning("watch out")
    seen = capsys.readouterr()
    assert (seen.out, "watch out" in seen.err) == ("", True)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stdout))
    async with kai_erp.connect(settings_for(simulator)):
        structlog.get_logger().warning("watch out")
    assert "watch out" in capsys.readouterr().out
    structlog.reset_defaults()


def test_the_tests_of_this_file_run_outside_of_the_checkout() -> None:
    """No `.env` of the developer can be what the tests above rest on."""
    assert not Path(".env").exists()
