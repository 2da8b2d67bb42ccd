"""The keys of a running server: those of the file as it is now, whatever it was before."""

from __future__ import annotations

import asyncio
import hmac
from datetime import datetime, timedelta

import structlog

from kai_erp.access.keys import KeyRecord, KeysFile, digest
from kai_erp.callers import Caller
from kai_erp.core.types import Now
from kai_erp.errors import AuthRequired, InvalidSetting

_NOTED_EVERY = timedelta(minutes=1)
_Signature = tuple[int, int, int, int] | None
log = structlog.get_logger(__name__)


class Keyring:
    """Tells whose key it is.

    The file is read again when it has changed. One that has become unreadable, empty or lost lets nobody in.
    """

    def __init__(self, file: KeysFile, now: Now) -> None:
        self._file, self._now = file, now
        self._records: tuple[KeyRecord, ...] = ()
        self._seen: _Signature | str = "never"
        self._told: _Signature | str = "never"
        self._noted: dict[str, datetime] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def caller(self, key: str) -> Caller:
        """Return who holds a key. Raises AuthRequired when nobody does, or no longer."""
        self._refresh()
        presented, found = digest(key), None
        for record in self._records:  # all of them, so that time does not tell which came near
            if hmac.compare_digest(record.sha256, presented):
                found = record
        if found is None or not found.is_good(self._now()):
            raise AuthRequired("This key is not known, or no longer good")
        self._note(found.name)
        return Caller(f"key:{found.name}", found.scopes)

    def usable(self) -> int:
        """Return how many keys are good now."""
        self._refresh()
        return sum(record.is_good(self._now()) for record in self._records)

    async def close(self) -> None:
        """Return when what is being written is written."""
        await asyncio.gather(*self._writing, return_exceptions=True)

    def _refresh(self) -> None:
        signature = self._signature()
        if signature == self._seen:
            return
        try:
            self._records, self._seen = self._file.read(), signature
        except InvalidSetting as failure:
            self._records, self._seen = (), "broken"  # to be read again, since what hinders may pass
            if signature != self._told:
                log.error("no key lets anybody in", reason=str(failure))  # noqa: TRY400  # the reason says all
            self._told = signature

    def _signature(self) -> _Signature:
        try:
            status = self._file.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino

    def _note(self, name: str) -> None:
        """Let it be written down, once a minute, that a key was used; nobody waits for that."""
        now = self._now()
        if name in self._noted and now - self._noted[name] < _NOTED_EVERY:
            return
        self._noted[name] = now
        task = asyncio.create_task(self._written(name, now))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _written(self, name: str, now: datetime) -> None:
        try:
            await asyncio.to_thread(self._file.note_use, {name: now.isoformat(timespec="seconds")})
        except OSError as failure:
            log.warning("the last use of a key cannot be written down", reason=str(failure))
