"""What the service says about a job.

The HTTP code tells whether a job is at its end: 202 it runs, 201 it does not; how it ended is in `status` alone. A
failed job is 201 as well. Names of members are taken in any case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus

import msgspec

from kai_erp.core.ido.responses import excerpt
from kai_erp.errors import Nonsense

_NO_IDS = frozenset({"", ".", ".."})


class JobState(Enum):
    """Where a job stands."""

    RUNNING = auto()
    FINISHED = auto()
    FAILED = auto()
    CANCELED = auto()


_STATES = {
    "running": JobState.RUNNING,
    "finished": JobState.FINISHED,
    "failed": JobState.FAILED,
    "canceled": JobState.CANCELED,
    "cancelled": JobState.CANCELED,
}


@dataclass(frozen=True, slots=True)
class JobStatus:
    """Where a job stands, and how many rows it gave, where the service says so."""

    state: JobState
    row_count: int | None = None


def decode_query_id(body: bytes) -> str:
    """Return the id of a submitted job, to be taken as it is. Raises Nonsense when there is none."""
    query_id = _members(body).get("queryid")
    text = str(query_id) if isinstance(query_id, str | int) and not isinstance(query_id, bool) else ""
    if text in _NO_IDS:
        raise Nonsense("The data lake", f"no query id in {excerpt(body)}")
    return text


def decode_status(http_status: int, body: bytes) -> JobStatus:
    """Return where a job stands. Raises Nonsense for an end that is none of the known ones."""
    members = _members(body)
    state = _STATES.get(str(members.get("status")).strip().casefold())
    if state is None and http_status == HTTPStatus.ACCEPTED:
        state = JobState.RUNNING
    if state is None:
        raise Nonsense("The status of a job", excerpt(body))
    return JobStatus(state, _count(members.get("rowcount")))


def _members(body: bytes) -> Mapping[str, object]:
    """Return the members of an object by their case-folded names; none for any other body."""
    try:
        members = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return {name.casefold(): value for name, value in members.items()}


def _count(rows: object) -> int | None:
    """Return a count that may be written `5`, `5.0` or `"5"`: integers come in each of these ways."""
    try:
        count = float(str(rows))
    except ValueError:
        return None
    return int(count) if count >= 0 and count.is_integer() else None
