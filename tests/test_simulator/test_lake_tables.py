"""The lake holds what the ERP holds, table by table, under the names and in the types of the lake."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from kai_erp.simulator import Plant, SimulatorOptions
from kai_erp.simulator.columns import NUMERIC, Column, Kind, Origin
from kai_erp.simulator.lake_tables import column_name
from tests.test_simulator.conftest import Compass, OpenLake

TABLES = {
    "job": "SLJobs",
    "jobroute": "SLJobRoutes",
    "jrt_sch": "SLJrtSchs",
    "jobmatl": "SLJobmatls",
    "wc": "SLWcs",
    "item": "SLItems",
    "itemwhse": "SLItemwhses",
    "itemloc": "SLItemLocs",
    "co": "SLCos",
    "coitem": "SLCoitems",
    "customer": "SLCustomers",
    "custaddr": "SLCustAddrs",
    "poitem": "SLPoItems",
}
ODD = {"FreezeSch": "freeze", "SplitSize": "splitsize"}
OF_THE_LAKE = {"site_ref", "deleted"}
NAMES = {
    "CoNum": "co_num",
    "PMTCode": "p_m_t_code",
    "UM": "u_m",
    "UWsPrice": "u_ws_price",
    "QtyAllocjob": "qty_allocjob",
    "AllocTrn": "alloc_trn",
    "Addr_1": "addr##1",
    "Contact_3": "contact##3",
    "Phone_1": "phone##1",
    "CustomerEmailAddr": "customer_email_addr",
    "ShowInDropDownList": "show_in_drop_down_list",
    "SetupHrsT": "setup_hrs_t",
    "RunHrsTLbr": "run_hrs_t_lbr",
    "Setuprgid": "setuprgid",
    "RecordDate": "RecordDate",
}
# Joined and derived properties, and columns of other tables.
NOT_THERE = {
    "customer": {"name", "city", "addr##1", "curr_code", "credit_hold", "credit_limit"},
    "job": {"jsch_start_date", "start_date", "priority", "item_description", "job_description"},
    "jobroute": {"type", "job_stat", "jsh_start_date", "itm_description"},
    "coitem": {"co_stat", "co_type", "it_description", "adr_name", "der_ext_price", "cust_po"},
    "co": {"bill_to_name", "ship_to_city", "due_date"},
    "itemwhse": {"whse_name", "item_description", "qty_allocjob", "u_m"},
    "itemloc": {"loc_description", "itm_description"},
    "item": {"der_qty_on_hand", "qty_on_hand"},
    "poitem": {"po_vend_num", "venadr_name"},
}


def instant(wire: str) -> str:
    """Return a date of the ERP as an instant in the lake's form."""
    moment = datetime.strptime(wire, "%Y%m%d %H:%M:%S.%f").replace(tzinfo=ZoneInfo("America/Chicago"))
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stored(column: Column, wire: str | None) -> object:
    """Return a value on the wire of the IDO service as the lake shows it."""
    if wire is None:
        return None
    if column.shape.kind in NUMERIC:
        return float(wire)
    return instant(wire) if column.shape.kind is Kind.DATE else wire


@pytest.mark.parametrize("table", TABLES)
async def test_a_table_holds_what_its_collection_shows(lake: Compass, plant: Plant, table: str) -> None:
    collection = plant.collections[TABLES[table]]
    bound = {c.name: c for c in collection.columns.values() if c.origin is Origin.BOUND}
    rows = await lake.rows(f"SELECT * FROM {table}")  # noqa: S608 - a name of our own
    shown = {key for row in rows for key in row} - OF_THE_LAKE
    names = {name: ODD.get(name, column_name(name)) for name in bound}
    pairs = [(name, column) for name, column in names.items() if column in shown]
    assert len(pairs) == len(shown)
    keys = [column_name(name) for name in collection.table.key]
    held = {tuple(row[key] for key in keys): row for row in rows}
    assert len(held) == len(rows) == collection.size
    for wire in plant.rows(collection.name):
        row = held[tuple(stored(bound[name], wire[name]) for name in collection.table.key)]
        assert all(row.get(column) == stored(bound[name], wire[name]) for name, column in pairs)


async def test_the_schedule_of_jobs_is_a_table_of_its_own(lake: Compass, plant: Plant) -> None:
    rows = await lake.rows("SELECT job, suffix, start_date, end_date, compdate, priority, prfreeze FROM job_sch")
    held = {(row["job"], row["suffix"]): row for row in rows}
    jobs = plant.rows("SLJobs")
    assert len(held) == len(jobs)
    for job in jobs:
        row = held[job["Job"], float(job["Suffix"] or 0)]
        assert row.get("end_date") == (instant(job["JschEndDate"]) if job["JschEndDate"] else None)
        assert row.get("priority") == (float(job["JschPriority"]) if job["JschPriority"] else None)


async def test_purchase_orders_are_told_by_their_lines(lake: Compass, plant: Plant) -> None:
    rows = await lake.rows("SELECT po_num, vend_num FROM po")
    assert [row["po_num"] for row in rows] == list(dict.fromkeys(r["PoNum"] for r in plant.rows("SLPoItems")))


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_named_after_properties(name: str) -> None:
    assert column_name(name) == NAMES[name]


async def test_joined_and_derived_properties_are_not_replicated(lake: Compass) -> None:
    listed = await lake.rows("SELECT table_name, column_name FROM information_schema.columns")
    columns: dict[str, set[str]] = {}
    for row in listed:
        columns.setdefault(row["table_name"], set()).add(row["column_name"])
    assert set(columns) == {*TABLES, "job_sch", "po"}
    assert not [table for table, names in NOT_THERE.items() if columns[table] & names]
    assert all({"RowPointer", "RecordDate", "CreateDate", *OF_THE_LAKE} <= names for names in columns.values())


async def test_the_listing_tells_types_and_places(lake: Compass) -> None:
    listed = await lake.rows(
        "SELECT column_name, data_type, ordinal_position FROM information_schema.columns"
        " WHERE table_name = 'itemwhse' AND column_name IN ('item', 'qty_on_hand', 'RecordDate', 'deleted')"
    )
    assert [(row["column_name"], row["data_type"]) for row in listed] == [
        ("item", "varchar"),
        ("qty_on_hand", "decimal(38,15)"),
        ("RecordDate", "timestamp"),
        ("deleted", "boolean"),
    ]
    assert listed[0]["ordinal_position"] == 1


async def test_texts_keep_their_blanks(lake: Compass) -> None:
    rows = await lake.rows("SELECT item FROM item WHERE item LIKE '%  '")
    assert rows
    assert all(row["item"].endswith("  ") for row in rows)
    assert await lake.rows("SELECT cust_num FROM customer WHERE cust_num = '     12' AND cust_seq = 0")


async def test_live_rows_say_that_they_are_not_deleted_or_say_nothing(lake: Compass) -> None:
    counted = await lake.rows("SELECT deleted, COUNT(*) n FROM item GROUP BY deleted")
    assert {row.get("deleted") for row in counted} == {None, False}
    assert sum(row["n"] for row in counted) == 3000


async def test_whole_numbers_carry_a_point_and_counts_do_not(lake: Compass) -> None:
    page = await lake.result(await lake.run("SELECT suffix, COUNT(*) n FROM job WHERE suffix = 1 GROUP BY suffix"))
    assert page.text.startswith('[{"suffix":1.0,"n":')
    assert page.text[19:-2].isdecimal()


async def test_the_wall_clock_may_stand_in_place_of_the_instant(open_lake: OpenLake, plant: Plant) -> None:
    wire = plant.rows("SLCos")[0]
    query = f"SELECT order_date FROM co WHERE co_num = '{wire['CoNum']}'"  # noqa: S608 - a key of the plant
    for options, shown in (
        (SimulatorOptions(lake_timestamps="wall_clock"), "T00:00:00.000Z"),
        (SimulatorOptions(lake_zone="Europe/Berlin"), "T22:00:00.000Z"),
        (SimulatorOptions(), "T05:00:00.000Z"),
    ):
        async with open_lake(options) as lake:
            (row,) = await lake.rows(query)
            assert row["order_date"][10:] == shown


async def test_tables_are_named_as_the_tenant_names_them(open_lake: OpenLake) -> None:
    async with open_lake(SimulatorOptions(lake_table_template="CSI_{table}_mst")) as lake:
        assert await lake.rows("SELECT csi_WC_mst.wc FROM default.CSI_wc_MST")
        assert (await lake.refusal("SELECT wc FROM wc"))[
            "message"
        ] == "The object 'wc' does not exist in the catalog."
        listed = await lake.rows("SELECT table_name FROM information_schema.tables")
        assert "CSI_coitem_mst" in {row["table_name"] for row in listed}


async def test_rows_name_their_site_and_those_of_another_are_there_too(open_lake: OpenLake) -> None:
    options = SimulatorOptions(lake_site="OHIO", lake_other_site="TEXAS")
    async with open_lake(options) as lake:
        rows = await lake.rows("SELECT site_ref, item, qty_on_hand FROM itemwhse WHERE whse = 'MAIN'")
        here = {row["item"]: row["qty_on_hand"] for row in rows if row["site_ref"] == "OHIO"}
        there = {row["item"]: row["qty_on_hand"] for row in rows if row["site_ref"] == "TEXAS"}
        assert len(rows) == len(here) + len(there)
        assert 0 < len(there) < len(here)
        assert all(here[item] + 7 == quantity for item, quantity in there.items())


async def test_what_is_not_replicated_is_not_there(open_lake: OpenLake) -> None:
    async with open_lake(SimulatorOptions(lake_lacks=frozenset({"job", "item.Description"}))) as lake:
        assert (await lake.refusal("SELECT job FROM job"))["messageCode"] == "404"
        assert (await lake.refusal("SELECT description FROM item"))["messageCode"] == "401"
        assert await lake.rows("SELECT job FROM job_sch")
        assert "description" not in (await lake.rows("SELECT TOP 1 * FROM item"))[0]


@pytest.mark.parametrize(
    ("switch", "value"),
    [("lake_zone", "Mars/Base"), ("lake_table_template", "job"), ("lake_site", ""), ("lake_timestamps", "local")],
)
async def test_a_switch_of_the_lake_is_not_turned_to_nonsense(lake: Compass, switch: str, value: str) -> None:
    said = await lake.client.patch("http://erp/simulator/options", json={switch: value})
    assert (said.status_code, said.json()["member"]) == (422, switch)


async def test_switches_of_the_lake_are_turned_while_it_runs(lake: Compass) -> None:
    assert await lake.rows("SELECT job FROM job LIMIT 1")
    turned = {"lake_lacks": ["job"], "lake_zone": "Europe/Berlin", "lake_site": "BERLIN"}
    said = await lake.client.patch("http://erp/simulator/options", json=turned)
    assert turned.items() <= said.json()["options"].items()
    assert (await lake.refusal("SELECT job FROM job"))["messageCode"] == "404"
    assert (await lake.rows("SELECT TOP 1 site_ref FROM wc")) == [{"site_ref": "BERLIN"}]


async def test_rows_of_a_batch_share_when_they_were_seen_and_later_changes_were_seen_later(lake: Compass) -> None:
    rows = await lake.rows('SELECT infor.lastmodified() seen, "RecordDate" changed FROM coitem ORDER BY changed')
    seen = [row["seen"] for row in rows]
    assert seen == sorted(seen)
    assert len(set(seen)) < len(seen)
    assert all(row["changed"] < row["seen"] for row in rows)


async def test_the_lake_shows_the_plant_of_the_first_configuration(open_lake: OpenLake, plant: Plant) -> None:
    empty = Plant({"SLWcs": plant.collections["SLWcs"]}, plant.now)
    async with open_lake(None, {"FIRST": empty, "SECOND": plant}) as lake:
        assert len(await lake.rows("SELECT wc FROM wc")) == 12
        assert (await lake.refusal("SELECT * FROM co"))["messageCode"] == "404"
