"""The jobs of the lake: each runs one query, and is known until its result expires."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from uuid import uuid4

from kai_erp.simulator.clocks import Clock
from kai_erp.simulator.lake_messages import TIMED_OUT, LakeRefusal
from kai_erp.simulator.options import Switches

RUNNING, FINISHED, FAILED, CANCELED = "RUNNING", "FINISHED", "FAILED", "CANCELED"
_KEPT = 1000
_TOO_LONG = LakeRefusal(TIMED_OUT, "The query was stopped: it ran longer than the limit of 60 minutes.")


@dataclass(frozen=True, slots=True)
class Result:
    """The rows that a query gave, with the names and types of the columns; `touched` tables were read anew."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[object, ...]]
    touched: int = 0


@dataclass(slots=True)
class LakeJob:
    """One job; `submitted` is the time of the clock, the options are those in force then."""

    sql: str
    submitted: float
    options: Switches = field(repr=False)
    clock: Clock = field(repr=False)
    outcome: Future[Result] = field(repr=False)
    stop: Event = field(repr=False)
    id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def canceled(self) -> bool:
        """Whether a client stopped it."""
        return self.stop.is_set()

    @property
    def status(self) -> str:
        """What has become of it: RUNNING, FINISHED, FAILED or CANCELED."""
        if self.canceled:
            return CANCELED
        ran = self.clock.seconds() - self.submitted
        if ran >= self._limit and (self.seconds >= self._limit or not self.outcome.done()):
            return FAILED
        if ran < self.seconds or not self.outcome.done():
            return RUNNING
        return FAILED if self.outcome.exception() else FINISHED

    @property
    def seconds(self) -> float:
        """How long it runs by the clock, as far as that is known."""
        fails = not self.outcome.done() or self.outcome.cancelled() or self.outcome.exception()
        touched = 0 if fails else self.outcome.result().touched
        return self.options.lake_job_seconds + touched * self.options.lake_first_touch_seconds

    @property
    def _limit(self) -> float:
        return self.options.lake_job_limit_seconds

    @property
    def refusal(self) -> LakeRefusal | None:
        """Why it failed, None for a job that did not."""
        if self.status != FAILED:
            return None
        error = self.outcome.exception() if self.outcome.done() and self.seconds < self._limit else None
        return error if isinstance(error, LakeRefusal) else _TOO_LONG

    @property
    def result(self) -> Result:
        """The frozen result of a job that has finished."""
        return self.outcome.result()

    @property
    def expired(self) -> bool:
        """Whether it has ended so long ago that it is not known any more."""
        ended = self.submitted + min(self.seconds, self._limit)
        return self.status != RUNNING and self.clock.seconds() - ended > self.options.lake_result_seconds

    def cancel(self) -> None:
        """Stop it, unless it has ended."""
        if self.status == RUNNING:
            self.stop.set()
            self.outcome.cancel()


@dataclass(slots=True)
class LakeJobs:
    """All jobs since the start, the oldest first; one runs at a time."""

    clock: Clock
    all: list[LakeJob] = field(default_factory=list)
    _pool: ThreadPoolExecutor | None = field(default=None, init=False, repr=False)

    def submit(self, sql: str, run: Callable[[Event], Result], options: Switches) -> LakeJob:
        """Start a job; the event tells that nobody waits for it any more."""
        stop = Event()
        self._pool = self._pool or ThreadPoolExecutor(1, "lake")
        job = LakeJob(sql, self.clock.seconds(), options, self.clock, self._pool.submit(run, stop), stop)
        if len(self.all) >= _KEPT:
            self.all[:] = [known for known in self.all if not known.expired]
        self.all.append(job)
        return job

    def close(self) -> None:
        """Take no more jobs; those that wait are not run."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def find(self, job_id: str) -> LakeJob | None:
        """Return the job of that id, None when it is unknown or has expired."""
        return next((job for job in self.all if job.id == job_id and not job.expired), None)
