"""Rows of the ERP are changed while it runs: the IDO service shows that at once, the lake after its lag."""

from collections.abc import AsyncIterator

import pytest

from kai_erp.simulator import Plant, SimulatorOptions, WrongChange, create_simulator, run_simulator
from tests.conftest import HandClock
from tests.test_simulator.conftest import Compass, OpenLake

CONTROL = "http://erp/simulator"
LOAD = "http://erp/DEMO_TRN/CSI/IDORequestService/ido/load"
SEEN = "SELECT dept, efficiency, \"RecordDate\" changed, infor.lastmodified() seen FROM wc WHERE wc = 'SAW'"
COUNT = "SELECT COUNT(*) n FROM wc"
SAW = {"Wc": "SAW"}
DELETION = {"collection": "SLWcs", "key": SAW, "delete": True}
NOON = "2026-05-20T15:30:00.000Z"


@pytest.fixture
def clock() -> HandClock:
    """The clock of the ERP and the lake, moved by hand."""
    return HandClock()


@pytest.fixture
async def late(open_lake: OpenLake, clock: HandClock) -> AsyncIterator[Compass]:
    """A lake that lags ten minutes behind and takes a batch in every five."""
    async with open_lake(SimulatorOptions(clock=clock, lake_lag_seconds=600)) as lake:
        lake.client.headers["X-Infor-MongooseConfig"] = "DEMO_TRN_MAIN"
        yield lake


async def of_the_erp(lake: Compass, ido: str, condition: str, properties: str) -> list[dict[str, str | None]]:
    params = {"filter": condition, "properties": properties}
    answer = await lake.client.get(f"{LOAD}/{ido}", params=params)
    rows: list[dict[str, str | None]] = answer.json()["Items"]
    return [{name: value for name, value in row.items() if name != "_ItemId"} for row in rows]


async def test_the_erp_shows_a_change_at_once_and_the_record_date_moves(late: Compass, clock: HandClock) -> None:
    clock.seconds += 61
    late.state.change("SLWcs", SAW, {"Dept": "SAWS", "Efficiency": 87.5})
    assert await of_the_erp(late, "SLWcs", "Wc='SAW'", "Dept,Efficiency,RecordDate") == [
        {"Dept": "SAWS", "Efficiency": "87.5", "RecordDate": "20260520 10:31:01.000"}
    ]


async def test_the_lake_shows_it_with_the_first_batch_after_the_lag(late: Compass, clock: HandClock) -> None:
    (before,) = await late.rows(SEEN)
    clock.seconds += 61
    late.state.change("SLWcs", SAW, {"Dept": "SAWS", "Efficiency": 87.5})
    clock.seconds += 600
    assert await late.rows(SEEN) == [before]
    clock.seconds += 240
    assert await late.rows(SEEN) == [
        {
            "dept": "SAWS",
            "efficiency": 87.5,
            "changed": "2026-05-20T15:31:01.000Z",
            "seen": "2026-05-20T15:45:00.000Z",
        }
    ]


async def test_rows_that_land_together_were_seen_at_the_same_time(late: Compass, clock: HandClock) -> None:
    for n, name in enumerate(("SAW", "WELD", "PAINT", "LASER")):
        late.state.change("SLWcs", {"Wc": name}, {"Dept": f"D{n}"})
        clock.seconds += 100
    clock.seconds += 900
    rows = await late.rows("SELECT infor.lastmodified() seen, COUNT(*) n FROM wc WHERE dept LIKE 'D%' GROUP BY 1")
    assert {row["seen"]: row["n"] for row in rows} == {
        "2026-05-20T15:40:00.000Z": 1,
        "2026-05-20T15:45:00.000Z": 3,
    }


async def test_a_row_can_land_in_its_older_state(late: Compass, clock: HandClock) -> None:
    late.state.change("SLWcs", SAW, {"Dept": "ONE"})
    clock.seconds += 300
    late.state.change("SLWcs", SAW, {"Dept": "TWO"})
    clock.seconds += 300
    assert (await late.rows(SEEN))[0]["dept"] == "ONE"
    assert (await of_the_erp(late, "SLWcs", "Wc='SAW'", "Dept")) == [{"Dept": "TWO"}]
    clock.seconds += 300
    assert (await late.rows(SEEN))[0]["dept"] == "TWO"
    every = "SELECT dept FROM infor.allvariations('wc') w WHERE w.wc = 'SAW' ORDER BY infor.lastmodified('w')"
    assert [row["dept"] for row in await late.rows(every)] == ["FAB", "ONE", "TWO"]


async def test_a_deleted_row_leaves_the_erp_at_once_and_the_lake_after_the_lag(
    late: Compass, clock: HandClock
) -> None:
    late.state.delete("SLWcs", SAW)
    assert await of_the_erp(late, "SLWcs", "Wc='SAW'", "Wc") == []
    assert await late.rows(COUNT) == [{"n": 12}]
    clock.seconds += 600
    assert await late.rows(COUNT) == [{"n": 11}]
    kept = "SELECT w.wc, w.deleted, infor.lastmodified('w') seen FROM infor.includedeleted('wc') w"
    rows = await late.rows(f"{kept} WHERE infor.lastmodified('w') >= '{NOON}'")
    assert rows == [{"wc": "SAW", "deleted": True, "seen": "2026-05-20T15:40:00.000Z"}]
    assert len(await late.rows(kept)) == 12


async def test_without_a_lag_the_lake_shows_at_once_what_the_erp_holds(
    open_lake: OpenLake, clock: HandClock
) -> None:
    async with open_lake(SimulatorOptions(clock=clock)) as lake:
        lake.state.change("SLWcs", SAW, {"Dept": "SAWS"})
        assert (await lake.rows(SEEN))[0] == {
            "dept": "SAWS",
            "efficiency": 100.0,
            "changed": NOON,
            "seen": NOON,
        }
        lake.state.delete("SLWcs", SAW)
        assert await lake.rows(SEEN) == []


async def test_all_is_put_back(late: Compass, plant: Plant, clock: HandClock) -> None:
    before = plant.rows("SLWcs"), await late.rows("SELECT wc, dept, infor.lastmodified() seen FROM wc")
    late.state.change("SLWcs", SAW, {"Dept": "SAWS"})
    late.state.change("SLWcs", SAW, {"Dept": None, "Outside": 1})
    late.state.delete("SLWcs", {"Wc": "WELD"})
    clock.seconds += 2000
    assert len(await late.rows("SELECT wc FROM wc")) == 11
    assert plant.rows("SLWcs") != before[0]
    late.state.forget_changes()
    after = plant.rows("SLWcs"), await late.rows("SELECT wc, dept, infor.lastmodified() seen FROM wc")
    assert after == before


async def test_collections_that_join_what_was_changed_show_it(late: Compass, plant: Plant) -> None:
    order = next(row for row in plant.rows("SLCos") if row["Stat"] == "O" and row["BillToName"])
    address = {"CustNum": str(order["CustNum"]).upper(), "CustSeq": 0}
    late.state.change("SLCos", {"CoNum": order["CoNum"]}, {"Stat": "S"})
    late.state.change("SLCustAddrs", address, {"Name": "Renamed Inc"})
    condition = f"CoNum='{order['CoNum']}'"
    lines = await of_the_erp(late, "SLCoitems", f"{condition} AND CoStat='S'", "CoStat,Adr0Name")
    assert lines
    assert {line["Adr0Name"] for line in lines} == {"Renamed Inc"}
    assert (await of_the_erp(late, "SLCos", condition, "BillToName")) == [{"BillToName": "Renamed Inc"}]
    number = f"CustNum='{address['CustNum']}' AND CustSeq=0"
    assert (await of_the_erp(late, "SLCustomers", number, "Name")) == [{"Name": "Renamed Inc"}]


async def test_the_schedule_of_a_job_is_changed_where_the_erp_shows_it(late: Compass, clock: HandClock) -> None:
    (job,) = (await of_the_erp(late, "SLJobs", "Stat='R' AND Suffix=0", "Job,Suffix"))[:1]
    late.state.change("SLJobs", job, {"JschPriority": 7, "JschEndDate": "2026-06-01 16:30"})
    clock.seconds += 2000
    sql = f"SELECT priority, end_date FROM job_sch WHERE job = '{job['Job']}' AND suffix = 0"  # noqa: S608 - a key
    assert await late.rows(sql) == [{"priority": 7.0, "end_date": "2026-06-01T21:30:00.000Z"}]


@pytest.mark.parametrize(
    ("ido", "key", "values", "member"),
    [
        ("SLNothings", SAW, {"Dept": "X"}, "collection"),
        ("SLWcs", {"Wc": "NONE"}, {"Dept": "X"}, "key"),
        ("SLWcs", {"Dept": "FAB"}, {"Dept": "X"}, "key"),
        ("SLWcs", SAW, {"Wc": "X"}, "set.Wc"),
        ("SLWcs", SAW, {"Nothing": 1}, "set.Nothing"),
        ("SLWcs", SAW, {"Outside": "x"}, "set.Outside"),
        ("SLWcs", SAW, {"RowPointer": "x"}, "set.RowPointer"),
        ("SLJobs", {"Job": "      1004", "Suffix": 0}, {"DerDueDate": None}, "set.DerDueDate"),
        ("SLJobs", {"Job": "      1004", "Suffix": 0}, {"JobDate": "soon"}, "set.JobDate"),
    ],
)
def test_a_wrong_change_is_told(
    plant: Plant, ido: str, key: dict[str, object], values: dict[str, object], member: str
) -> None:
    state = create_simulator(plant).state.simulator
    with pytest.raises(WrongChange) as wrong:
        state.change(ido, key, values)
    assert wrong.value.member == member
    assert state.changes.log == []


async def test_another_program_changes_rows_and_lets_time_pass(late: Compass) -> None:
    change = {"collection": "SLWcs", "key": SAW, "set": {"Dept": "SAWS"}}
    (shown,) = (await late.client.post(f"{CONTROL}/changes", json=change)).json()["changes"]
    assert (shown["collection"], shown["key"], shown["before"]["Dept"], shown["deleted"]) == (
        "SLWcs",
        SAW,
        "FAB",
        False,
    )
    weld = {"collection": "slwcs", "key": {"Wc": "weld"}, "delete": True}
    assert len((await late.client.post(f"{CONTROL}/changes", json=[weld])).json()["changes"]) == 2
    assert (await late.client.post(f"{CONTROL}/clock", json={"advance": 900})).json() == {
        "seconds": 900.0,
        "now": "2026-05-20T15:45:00.000Z",
    }
    assert (await late.rows(SEEN))[0]["dept"] == "SAWS"
    assert await late.rows(COUNT) == [{"n": 11}]
    assert (await late.client.delete(f"{CONTROL}/changes")).json() == {"changes": []}
    assert await late.rows(COUNT) == [{"n": 12}]
    assert (await late.client.delete(f"{CONTROL}/clock")).json()["seconds"] == 0.0


@pytest.mark.parametrize(
    ("path", "document", "member"),
    [
        ("changes", {"collection": "SLWcs", "key": SAW}, "set"),
        ("changes", {"collection": "SLWcs", "key": SAW, "set": {"Dept": "X"}, "delete": True}, "set"),
        ("changes", {"collection": "SLWcs"}, "key"),
        ("changes", {"collection": "SLWcs", "key": SAW, "sat": {}}, "sat"),
        (
            "changes",
            [{"collection": "SLWcs", "key": SAW, "delete": True}, {"collection": "X", "key": {}}],
            "[1].set",
        ),
        ("changes", [{"collection": "SLWcs", "key": SAW, "delete": True}] * 2, "[1].key"),
        ("clock", {"advance": -1}, "advance"),
        ("clock", {}, "advance"),
        ("clock", 5, "advance"),
    ],
)
async def test_a_wrong_document_changes_nothing(late: Compass, path: str, document: object, member: str) -> None:
    said = await late.client.post(f"{CONTROL}/{path}", json=document)
    assert (said.status_code, said.json()["member"]) == (422, member)
    assert late.state.changes.log == []
    assert late.state.clock.seconds() == 0.0


async def test_another_program_sees_jobs_and_requests_of_the_lake(late: Compass) -> None:
    good, bad = await late.run(COUNT), await late.run("SELECT nothing FROM wc")
    seen = (await late.client.get(f"{CONTROL}/lake")).json()
    assert [(job["id"], job["status"], job["rows"]) for job in seen["jobs"]] == [
        (good, "FINISHED", 1),
        (bad, "FAILED", None),
    ]
    assert "nothing" in seen["jobs"][1]["message"]
    first = seen["requests"][0]
    assert (first["operation"], first["sql"], first["job"], first["status"]) == ("submit", COUNT, good, 202)
    assert (await late.client.delete(f"{CONTROL}/lake")).json() == {"jobs": [], "requests": []}
    assert (await late.status(good)).status_code == 404


def test_a_simulator_that_stops_puts_back_what_was_changed(plant: Plant) -> None:
    before = plant.rows("SLWcs")
    with run_simulator(plant) as simulator:
        simulator.state.change("SLWcs", SAW, {"Dept": "SAWS"})
        assert plant.rows("SLWcs") != before
    assert plant.rows("SLWcs") == before
