"""The benchmarks' mock ERP as a process of its own, with every operation within the eight weeks of a board."""

from datetime import UTC, datetime, timedelta

from benchmarks import mock_erp, mock_rows

_DAYS = 40


def schedule_end(index: int) -> str:
    """Return when an operation ends, as it is stored: on one of the next days."""
    day = datetime.now(UTC) + timedelta(days=index % _DAYS)
    return f"{day:%Y%m%d} 16:00:00.000"


if __name__ == "__main__":
    mock_rows.schedule_end = schedule_end
    mock_erp.main()
