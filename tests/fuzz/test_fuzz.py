"""A short run over every reader of foreign text; `make fuzz` is the long one."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kai_erp.config import Settings
from kai_erp.errors import CursorExpired
from kai_erp.snapshots import SnapshotStore
from tests.conftest import HandClock
from tests.fuzz.targets import TARGETS, Target
from tests.test_api.serving import serving
from tests.test_snapshots import NAME, snapshot

EXAMPLES, SECONDS = 120, 2
FOUND = (
    ("a page of the ERP", b'{"Job":1,"QtyReleased":1,"DueDate":1,"x":' + b"[" * 1_200 + b"]" * 1_200 + b"}"),
    ("what a collection is made of", b'{"Properties":[{"Name":"\xca"}]}'),
    ("what a collection is made of", b'{"x":' + b"[" * 1_200 + b"]" * 1_200 + b"}"),
)
"""What the long run has found, once each."""
CURSORS = (
    "a",
    "..",
    "A" * 24,
    "A" * 24 + ".0",
    "A" * 24 + ".-1",
    "A" * 24 + "." + "9" * 12,
    "A" * 24 + ".\u0663",
    "A" * 201,
    "A" * 24 + ".0\0",
    "\r\nX-Injected: 1",
    "../../etc/passwd",
    "%00%ff",
    "' OR 1=1 --",
    "\N{GRINNING FACE}" * 50,
)
HEALTH = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_whatever_comes_is_read_or_refused_in_our_own_words(target: Target) -> None:
    @settings(max_examples=EXAMPLES, deadline=SECONDS * 1000, suppress_health_check=HEALTH)
    @given(target.documents)
    def fuzz(body: bytes) -> None:
        target(body)

    fuzz()


@pytest.mark.parametrize(("name", "body"), FOUND, ids=["beside", "no text", "deep"])
def test_what_was_found_once_stays_mended(name: str, body: bytes) -> None:
    TARGETS[name](body)


def test_a_cell_may_nest_as_deep_as_its_reader_just_goes() -> None:
    for depth in range(600, 1_010):
        TARGETS["a page of the ERP"](b'{"Items":[{"Job":' + b"[" * depth + b"]" * depth + b'}],"Success":true}')


@given(st.text(max_size=60) | st.from_regex(r"[\w-]{20,28}\.[0-9]{0,12}", fullmatch=True))
@settings(max_examples=EXAMPLES)
async def test_a_cursor_that_nobody_gave_leads_nowhere(cursor: str) -> None:
    store = SnapshotStore(HandClock(), ttl_seconds=600, max_mb=1)
    await store.keep(snapshot())
    with pytest.raises(CursorExpired):
        await store.find(cursor, NAME, "")


async def test_over_http_a_cursor_that_nobody_gave_is_gone_or_refused(settings: Settings) -> None:
    async with serving(settings) as client:
        for cursor in CURSORS:
            response = await client.get("/bedrock/schedule", params={"cursor": cursor, "limit": 5})
            assert response.status_code in {410, 422}, cursor
            assert response.json()["code"] in {"cursor_expired", "invalid_parameter"}
