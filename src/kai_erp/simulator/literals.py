"""T-SQL's conversions of literals: numbers, dates, GUIDs, LIKE patterns."""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import datetime, timedelta

from kai_erp.simulator.columns import Kind, guid_rank
from kai_erp.simulator.refusals import ConversionFailed, IllegalFilter

_DATE = re.compile(
    r"(?P<y>\d{4})(?P<dash>-?)(?P<m>\d\d)(?P=dash)(?P<d>\d\d)"
    r"(?:[ T](?P<H>\d\d):(?P<M>\d\d)(?::(?P<S>\d\d)(?:\.(?P<ms>\d{1,3}))?)?)?"
)
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)")
_EPOCH = datetime(1900, 1, 1)  # noqa: DTZ001 - the ERP's dates have no zone
_SQL_NAMES = {Kind.SHORT: "smallint", Kind.INTEGER: "int", Kind.FLAG: "tinyint"}

_MONTHS = {"month": 1, "mm": 1, "m": 1, "quarter": 3, "qq": 3, "q": 3, "year": 12, "yy": 12, "yyyy": 12}
_SECONDS = {
    **dict.fromkeys(("day", "dd", "d", "dayofyear", "dy", "y", "weekday", "dw", "w"), 86_400),
    **dict.fromkeys(("week", "wk", "ww"), 604_800),
    **dict.fromkeys(("hour", "hh"), 3_600),
    **dict.fromkeys(("minute", "mi", "n"), 60),
    **dict.fromkeys(("second", "ss", "s"), 1),
}


def to_number(value: str, kind: Kind) -> float:
    """Return a text as a number of that kind, or raise ConversionFailed."""
    stripped = value.strip(" ")
    if kind is Kind.DECIMAL:
        if not _NUMBER.fullmatch(stripped):
            raise ConversionFailed(value, "numeric")
        return float(stripped)
    if not stripped:
        return 0.0
    if not _NUMBER.fullmatch(stripped) or "." in stripped:
        raise ConversionFailed(value, _SQL_NAMES.get(kind, "int"))
    return float(stripped)


def to_date(value: str) -> str:
    """Return a date literal in wire form, or raise ConversionFailed."""
    if not value.strip(" "):
        return wire_date(_EPOCH)
    return wire_date(read_date(value.strip(" ")))


def read_date(value: str) -> datetime:
    """Return a date literal or a wire date as a datetime, or raise ConversionFailed."""
    match = _DATE.fullmatch(value)
    if match is None:
        raise ConversionFailed(value, "datetime")
    year, month, day, hour, minute, second = (int(match[part] or 0) for part in "ymdHMS")
    milliseconds = int((match["ms"] or "0").ljust(3, "0"))
    try:
        return datetime(year, month, day, hour, minute, second, milliseconds * 1000)  # noqa: DTZ001 - no zone
    except ValueError:
        raise ConversionFailed(value, "datetime") from None


def wire_date(moment: datetime) -> str:
    """Return a datetime in the ERP's internal format."""
    return f"{moment:%Y%m%d %H:%M:%S}.{moment.microsecond // 1000:03}"


def days_to_date(days: float) -> str:
    """Return a number as SQL Server reads it as a date: days since 1900."""
    try:
        return wire_date(_EPOCH + timedelta(days=days))
    except OverflowError:
        raise ConversionFailed(str(days), "datetime") from None


def shift_date(value: str, part: str, count: int) -> str:
    """Return DATEADD(part, count, value) in wire form."""
    moment = read_date(value)
    try:
        if part in _SECONDS:
            return wire_date(moment + timedelta(seconds=count * _SECONDS[part]))
        if part in _MONTHS:
            return wire_date(_shift_months(moment, count * _MONTHS[part]))
    except (OverflowError, ValueError):
        raise ConversionFailed(value, "datetime") from None
    raise IllegalFilter


def _shift_months(moment: datetime, months: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))


def to_guid(value: str) -> str:
    """Return the sort key of a GUID literal, or raise ConversionFailed."""
    if not _GUID.fullmatch(value.strip(" ")):
        raise ConversionFailed(value, "uniqueidentifier")
    return guid_rank(value.strip(" "))


def like_pattern(pattern: str) -> re.Pattern[str]:
    """Return a LIKE pattern as a regular expression."""
    return re.compile("".join(_like_parts(pattern)), re.IGNORECASE | re.DOTALL)


def _like_parts(pattern: str) -> Iterator[str]:
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "[":
            end = pattern.find("]", position)
            yield _like_set(pattern[position:end]) if end >= 0 else "(?!)"
            position = end + 1 if end >= 0 else len(pattern)
        else:
            yield {"%": ".*", "_": "."}.get(character, re.escape(character))


def _like_set(body: str) -> str:
    """Return a LIKE set: characters and ranges, negated by a leading caret; an empty one matches nothing."""
    negated, body = body.startswith("^"), body.removeprefix("^")
    if not body:
        return "." if negated else "(?!)"
    parts, position = "", 0
    while position < len(body):
        is_range = body[position + 1 : position + 2] == "-" and position + 2 < len(body)
        piece = body[position : position + 3] if is_range else body[position]
        position += len(piece)
        if is_range and piece[0] <= piece[2]:
            parts += f"{re.escape(piece[0])}-{re.escape(piece[2])}"
        elif not is_range:
            parts += re.escape(piece)
    return f"[{'^' if negated else ''}{parts}]" if parts else "(?!)"
