"""Message records: what Compass says instead of rows, as JSON with camelCase names or as CSV with PascalCase ones.

A result of a failed job is HTTP 200 with such records, and a page that is too large HTTP 400 with one: only their
names tell them from data.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

_PAGE_TOO_LARGE = "760"
_BOM = b"\xef\xbb\xbf"
_MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class Message:
    """One message: what it says, its code, and where in the query it points to."""

    text: str
    code: str = ""
    line: str = ""
    position: str = ""

    def __str__(self) -> str:
        code = f" (code {self.code})" if self.code else ""
        place = ", ".join(f"{what} {at}" for what, at in (("line", self.line), ("position", self.position)) if at)
        return f"{self.text}{code}{f' at {place}' if place else ''}"


def is_message_header(names: Iterable[str]) -> bool:
    """Tell whether a CSV header is that of message records."""
    return {"messagecode", "message"} <= {name.casefold() for name in names}


def decode_messages(body: bytes) -> tuple[Message, ...]:
    """Return the messages in a body, whatever its form; none when it has none."""
    body = body.removeprefix(_BOM).strip()
    records = _json_records(body) if body[:1] in {b"[", b"{"} else _csv_records(body)
    return tuple(message for message in map(_message, records) if message is not None)


def is_too_large(body: bytes) -> bool:
    """Tell whether a refusal says that a page passes 10 MB: such a page is refused, never cut."""
    return any(message.code == _PAGE_TOO_LARGE for message in decode_messages(body))


def told(messages: Iterable[Message]) -> str:
    """Return messages on one line for people."""
    return "; ".join(map(str, messages)) or "it gave no reason"


def _json_records(body: bytes) -> list[Mapping[str, object]]:
    """Return the objects that a body is, or is a list of, or holds in a list."""
    try:
        parsed = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    if isinstance(parsed, dict) and _message(parsed) is None:
        parsed = [
            entry for member in parsed.values() for entry in (member if isinstance(member, list) else [member])
        ]
    entries = parsed if isinstance(parsed, list) else [parsed]
    return [entry for entry in entries if isinstance(entry, dict)]


def _csv_records(body: bytes) -> list[Mapping[str, object]]:
    reader = csv.DictReader(io.StringIO(body[:_MOST].decode("utf-8", "replace"), newline=""), restkey="")
    try:
        return list(reader) if is_message_header(reader.fieldnames or ()) else []
    except csv.Error:
        return []


def _message(record: Mapping[str, object]) -> Message | None:
    """Return the message in a record; a record with neither code nor text is none."""
    cells = {name.casefold(): _cell(value) for name, value in record.items()}
    code = cells.get("messagecode", "")
    text = cells.get("message") or cells.get("localizedmessage") or cells.get("suggestedlocalizedtext", "")
    if not code and not text:
        return None
    return Message(text or "no text", code, cells.get("line", ""), cells.get("position", ""))


def _cell(value: object) -> str:
    return "" if value is None or isinstance(value, list | dict) else " ".join(str(value).split())
