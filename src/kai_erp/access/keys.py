"""API keys: made, listed and revoked in one JSON file that holds their hashes only.

A key is 256 random bits, so that a plain SHA-256 cannot be turned back: a slow hash protects what people choose.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from kai_erp.errors import InvalidParameter, InvalidSetting

try:
    import fcntl
except ImportError:  # Windows has no such lock, and whoever makes keys there makes one at a time
    fcntl = None  # type: ignore[assignment]  # a module elsewhere

PREFIX = "kai_"
_BYTES = 32


class KeyRecord(BaseModel):
    """What is kept of a key: never the key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: frozenset[str]
    created: AwareDatetime
    expires: AwareDatetime | None = None
    revoked: AwareDatetime | None = None

    def is_good(self, now: datetime) -> bool:
        """Tell whether the key may be used at a moment."""
        return self.revoked is None and (self.expires is None or now < self.expires)


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: tuple[KeyRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class KeysFile:
    """The file; beside it lie a lock against two writers, and when each key was last used."""

    path: Path

    def read(self) -> tuple[KeyRecord, ...]:
        """Return all keys, the revoked ones too; none when there is no file.

        Raises InvalidSetting when the file cannot be read, or holds something else.
        """
        try:
            return _Document.model_validate_json(self.path.read_bytes()).keys
        except FileNotFoundError:
            return ()
        except (OSError, ValidationError) as failure:
            raise InvalidSetting(
                f"{self.path} cannot be read as a file of keys ({type(failure).__name__})",
                suggestion="Restore it, or move it away and make new keys with kai-erp keys create.",
            ) from None

    def create(self, name: str, scopes: frozenset[str], now: datetime, expires: datetime | None = None) -> str:
        """Return a new key, which nobody can see again. Raises InvalidParameter when the name is taken."""
        key = PREFIX + secrets.token_urlsafe(_BYTES)
        record = KeyRecord(name=name, sha256=digest(key), scopes=scopes, created=now, expires=expires)
        with self._writing():
            kept = self.read()
            if any(other.name == name for other in kept):
                raise InvalidParameter("NAME", f"{name!r} is taken, also when it was revoked; choose another")
            self._write((*kept, record))
        return key

    def revoke(self, name: str, now: datetime) -> None:
        """Take a key out of use; running servers notice at their next request.

        Raises InvalidParameter when there is no such key.
        """
        with self._writing():
            kept = self.read()
            if not any(record.name == name for record in kept):
                known = ", ".join(record.name for record in kept) or "none yet"
                raise InvalidParameter("NAME", f"there is no key {name!r}; there are: {known}")
            self._write(tuple(_revoked(record, now) if record.name == name else record for record in kept))

    def last_used(self) -> dict[str, str]:
        """Return when keys were last used, as far as that could be written down."""
        try:
            found = json.loads(self._uses.read_bytes())
        except (OSError, ValueError):
            return {}
        return {str(name): str(moment) for name, moment in found.items()} if isinstance(found, dict) else {}

    def note_use(self, names: dict[str, str]) -> None:
        """Write down when keys were last used. Raises OSError where that cannot be written."""
        with self._writing():
            _replace(self._uses, json.dumps({**self.last_used(), **names}).encode())

    @property
    def _uses(self) -> Path:
        return self.path.with_name(f"{self.path.name}.used")

    def _write(self, records: tuple[KeyRecord, ...]) -> None:
        _replace(self.path, _Document(keys=records).model_dump_json(indent=2).encode())

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the lock of those who write, in a folder that is there."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.path.with_name(f"{self.path.name}.lock").open("w") as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def digest(key: str) -> str:
    """Return the hash under which a key is kept."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _revoked(record: KeyRecord, now: datetime) -> KeyRecord:
    return record.model_copy(update={"revoked": record.revoked or now})


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
