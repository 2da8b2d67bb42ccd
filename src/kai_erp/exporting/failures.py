"""What ends an export apart from the ERP."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from kai_erp.errors import KaiErpError

_ADVICE = {
    errno.ENOSPC: "Make room on the disk.",
    errno.EDQUOT: "Make room in the quota.",
    errno.EACCES: "Name a folder that may be written.",
    errno.EPERM: "Name a folder that may be written.",
    errno.EROFS: "Name a folder that may be written.",
}


class CannotWrite(KaiErpError):
    """The file, or the folder beside it in which it grows, cannot be written."""

    code = "export_not_written"


@contextmanager
def told_plainly() -> Iterator[None]:
    """Raise what the file system refuses as CannotWrite."""
    try:
        yield
    except OSError as failure:
        where = f"{failure.filename}: " if failure.filename else ""
        advice = _ADVICE.get(failure.errno or 0, "Look after the disk.")
        reason = failure.strerror or type(failure).__name__
        raise CannotWrite(f"The export cannot be written: {where}{reason}", suggestion=advice) from failure
