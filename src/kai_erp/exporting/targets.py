"""Where an export goes: a file, or a folder of Parquet files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kai_erp.errors import InvalidParameter

PART = "part-"


class FileFormat(StrEnum):
    """How rows are stored."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


_SUFFIXES = {
    ".parquet": FileFormat.PARQUET,
    ".pq": FileFormat.PARQUET,
    ".csv": FileFormat.CSV,
    ".jsonl": FileFormat.JSONL,
    ".ndjson": FileFormat.JSONL,
}


@dataclass(frozen=True, slots=True)
class Target:
    """A file in a format, or, with `folder`, a folder of Parquet files."""

    path: Path
    format: FileFormat
    folder: bool = False

    @classmethod
    def of(cls, to: str, chosen: FileFormat | None) -> Target:
        """Return the target that `--to` and `--format` mean. Raises InvalidParameter when they contradict."""
        path = Path(to)
        if path.name in {"", ".."}:
            raise InvalidParameter("--to", f"'{to}' names no file and no folder")
        suffix = _SUFFIXES.get(path.suffix.lower())
        if to.endswith(("/", "\\")) or path.is_dir() or not (path.suffix or chosen):
            if chosen not in {None, FileFormat.PARQUET}:
                raise InvalidParameter("--format", f"a folder is written as parquet only, not as {chosen}")
            return cls(path, FileFormat.PARQUET, folder=True)
        form = chosen or suffix
        if form is None:
            raise InvalidParameter("--to", f"'{to}' ends in none of {', '.join(_SUFFIXES)}: name a --format")
        return cls(path, form)

    @property
    def partial(self) -> Path:
        """The folder beside the target in which an export grows."""
        return self.path.with_name(f"{self.path.name}.partial")

    def check_free(self, *, overwrite: bool) -> None:
        """Return when the target may be written.

        Raises InvalidParameter when something is there and is not to be replaced, or is nothing that an export
        has written, or when there is no folder to write to.
        """
        if not self.path.absolute().parent.is_dir():
            raise InvalidParameter("--to", f"there is no folder {self.path.absolute().parent}")
        if not self.path.exists() or (self.folder and not any(self.path.iterdir())):
            return
        if not overwrite:
            raise InvalidParameter("--to", f"{self.path} exists already; --overwrite replaces it")
        if self.folder and not all(_is_part(path) for path in self.path.iterdir()):
            raise InvalidParameter("--to", f"{self.path} has files that no export wrote: it is not replaced")

    def put(self, whole: Path) -> int:
        """Move a whole file, or folder, to its place; return its bytes."""
        if not self.folder:
            whole.replace(self.path)
            return self.path.stat().st_size
        if self.path.exists():
            self._clear()
        whole.rename(self.path)
        return sum(path.stat().st_size for path in self.path.iterdir())

    def _clear(self) -> None:
        """Remove the folder that is replaced: what an export has written, out of its place first."""
        former = self.partial / "former"
        self.path.rename(former)
        shutil.rmtree(former)


def _is_part(path: Path) -> bool:
    return path.name.startswith(PART) and path.suffix == ".parquet"
