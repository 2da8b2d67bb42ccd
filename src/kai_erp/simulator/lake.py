"""The lake of a tenant: its jobs, its tables and what was asked of it."""

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from kai_erp.simulator.changes import Changes
from kai_erp.simulator.clocks import Clock
from kai_erp.simulator.faults import Action
from kai_erp.simulator.lake_jobs import LakeJob, LakeJobs, Result
from kai_erp.simulator.lake_versions import LakeTime
from kai_erp.simulator.options import Switches
from kai_erp.simulator.plant import Plant

if TYPE_CHECKING:
    from kai_erp.simulator.lake_queries import LakeQueries

_MINUTE = 60.0
_KEPT = 50_000


@dataclass(slots=True)
class LakeRequest:
    """One request to Compass; times are seconds of the simulator's clock, `status` is 0 until it is answered.

    `operation` is submit, status, result, cancel or ping; `sql` is that of a submit.
    """

    operation: str
    path: str
    params: Mapping[str, str]
    started: float
    job: str | None = None
    sql: str | None = None
    ended: float = 0.0
    status: int = 0
    fault: Action | None = None


class Lake:
    """What Compass answers from: the tables of one plant, and all jobs and requests since the start."""

    def __init__(self, plant: Plant, changes: Changes, clock: Clock, options: Switches) -> None:
        self.options, self.clock = options, clock
        self.time = LakeTime(plant.now, clock)
        self.requests: list[LakeRequest] = []
        self._plant, self._changes = plant, changes
        self._queries: LakeQueries | None = None
        self._jobs = LakeJobs(clock)
        self._calls: dict[str, deque[float]] = defaultdict(deque)

    @property
    def jobs(self) -> list[LakeJob]:
        """All jobs that were submitted, the newest last."""
        return self._jobs.all

    def find(self, job_id: str) -> LakeJob | None:
        """Return the job of that id, None when it is unknown or has expired."""
        return self._jobs.find(job_id)

    def submit(self, sql: str, records: int) -> LakeJob:
        """Start a job; `records` limits its rows, 0 does not."""
        options = self.options
        return self._jobs.submit(sql, lambda stop: self._run(sql, records, options, stop), options)

    def cancel(self, job: LakeJob) -> None:
        """Stop a job, unless it has ended."""
        running = job.outcome.running()
        job.cancel()
        if running and job.canceled and self._queries is not None:
            self._queries.interrupt()

    def close(self) -> None:
        """Stop what runs."""
        self._jobs.close()
        if self._queries is not None:
            self._queries.interrupt()

    def record(self, request: LakeRequest) -> None:
        """Keep a request; of a very long past only the last part is kept."""
        if len(self.requests) >= _KEPT:
            del self.requests[: _KEPT // 2]
        self.requests.append(request)

    def _run(self, sql: str, records: int, options: Switches, stop: Event) -> Result:
        if self._queries is None:
            # What runs queries is loaded with the first: nobody waits for it who asks the lake nothing.
            from kai_erp.simulator.lake_queries import LakeQueries  # noqa: PLC0415

            self._queries = LakeQueries(self._plant, self._changes, self.time)
        result = self._queries.run(sql, options, stop)
        if records:
            del result.rows[records:]
        return result

    def wait(self, operation: str, limit: int | None) -> int | None:
        """Count a call; return after how many seconds the next is let in when there were too many, else None."""
        calls, now = self._calls[operation], self.clock.seconds()
        while calls and calls[0] <= now - _MINUTE:
            calls.popleft()
        if limit is not None and len(calls) >= limit:
            return max(1, int(calls[0] + _MINUTE - now) + 1)
        calls.append(now)
        return None

    def forget(self) -> None:
        """Forget all jobs, requests and counted calls."""
        self.jobs.clear()
        self.requests.clear()
        self._calls.clear()
