"""Rows in files: parts, and a whole made of them with no more than a few rows in memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import tzinfo
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from kai_erp import formats
from kai_erp.exporting.targets import FileFormat

_COMPRESSION = "zstd"
_BUFFER = 1024 * 1024


def write_part(path: Path, table: pa.Table, form: FileFormat, zone: tzinfo, *, first: bool) -> None:
    """Write rows as a part; of CSV only the first one has the header."""
    with _appearing(path) as file:
        if form is FileFormat.PARQUET:
            pq.write_table(table, file, compression=_COMPRESSION)
            return
        texts = formats.jsonl(table, zone) if form is FileFormat.JSONL else formats.csv(table, zone)
        if form is FileFormat.CSV and not first:
            next(texts)
        file.writelines(texts)


def join_parts(parts: Sequence[Path], whole: Path, form: FileFormat) -> None:
    """Write the rows of all parts as one file."""
    with _appearing(whole) as file:
        if form is FileFormat.PARQUET:
            _copy_row_groups(parts, file)
            return
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, file, _BUFFER)


def _copy_row_groups(parts: Sequence[Path], file: BinaryIO) -> None:
    """Write the row groups of all parts, one at a time."""
    schema = pq.read_schema(parts[0])
    with pq.ParquetWriter(file, schema, compression=_COMPRESSION) as writer:
        for part in parts:
            with pq.ParquetFile(part) as source:
                for group in range(source.num_row_groups):
                    writer.write_table(source.read_row_group(group).cast(schema))


@contextmanager
def _appearing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that gets its name when it is whole and on the disk; one that fails is removed."""
    growing = path.with_name(f"{path.name}.growing")
    try:
        with growing.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        growing.replace(path)
    finally:
        growing.unlink(missing_ok=True)
