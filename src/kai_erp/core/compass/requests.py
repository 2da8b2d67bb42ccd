"""Where each operation is, below the base of the service.

Clients at work use the paths with and without the last slash; the documented form has it. The `location` that
answers carry is relative to one base or another, depending on the version: paths are made of the id alone.
"""

from __future__ import annotations

from urllib.parse import quote

SUBMIT_PATH = "jobs/"
LONGEST_POLL = 25
"""Seconds that a status request may be held, `timeout=0` to `25`."""
LARGEST_PAGE = 100_000
"""Rows that a page may have at most."""


def status_path(query_id: str, wait_seconds: float = 0) -> str:
    """Return the path of a job's status, held by the server until the job ends or the wait is over."""
    return f"{_job(query_id)}/status/?timeout={max(0, min(LONGEST_POLL, int(wait_seconds)))}"


def result_path(query_id: str, offset: int, limit: int) -> str:
    """Return the path of a slice of a job's rows; the result is frozen, so it is the same whenever it is read."""
    return f"{_job(query_id)}/result/?offset={offset}&limit={limit}"


def cancel_path(query_id: str) -> str:
    """Return the path to which a PUT cancels a job."""
    return f"{_job(query_id)}/cancel/"


def _job(query_id: str) -> str:
    return f"jobs/{quote(query_id, safe='')}"
