"""What Compass says when it does not give rows: message records.

Codes other than 401 and 760 are not documented anywhere: they are made up.
"""

import re

SYNTAX = "102"
UNKNOWN_PROPERTY = "401"
UNKNOWN_OBJECT = "404"
TIMED_OUT = "408"
BAD_REQUEST = "400"
FAILED = "500"
PAGE_TOO_LARGE = "760"

_PROPERTY = re.compile(
    r'Referenced column "(?P<a>[^"]+)" not found'
    r'|does not have a column named "(?P<b>[^"]+)"'
    r'|Referenced table "(?P<c>[^"]+)" not found'
)


class LakeRefusal(Exception):
    """Compass refuses: a message code, its text, and the place in the query where that is known."""

    def __init__(self, code: str, message: str, line: int | None = None, position: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.line, self.position = code, message, line, position


def place_of(name: str, sql: str) -> tuple[int | None, int | None]:
    """Return line and position, from 1, at which a name first stands in a query."""
    found = re.search(rf"(?<![\w#]){re.escape(name)}(?![\w#])", sql, re.IGNORECASE)
    if found is None:
        return None, None
    before = sql[: found.start()]
    return before.count("\n") + 1, found.start() - before.rfind("\n")


def unknown_property(name: str, sql: str) -> LakeRefusal:
    """Return the refusal of a property that does not exist or may not be read."""
    text = (
        f"Invalid property name references '{name}'. The property does not exist"
        " or you do not have appropriate permissions."
    )
    return LakeRefusal(UNKNOWN_PROPERTY, text, *place_of(name, sql))


def unknown_object(name: str, sql: str) -> LakeRefusal:
    """Return the refusal of a table that is not in the lake."""
    return LakeRefusal(UNKNOWN_OBJECT, f"The object '{name}' does not exist in the catalog.", *place_of(name, sql))


def engine_refusal(said: str, sql: str) -> LakeRefusal:
    """Return the refusal that stands for an error of the query engine."""
    found = _PROPERTY.search(said)
    if found is not None:
        return unknown_property(next(filter(None, found.groups())), sql)
    first = said.strip().partition("\n")[0].replace("lake.", "")
    return LakeRefusal(FAILED, first)


def message_record(refusal: LakeRefusal, time: str, query_id: str | None = None) -> dict[str, object]:
    """Return the message record of a refusal."""
    return {
        "messageCode": refusal.code,
        "messageCategory": "COMPASS",
        "messageType": "error",
        "message": refusal.message,
        "localizedMessage": refusal.message,
        "suggestedLocalizedText": None,
        "messageTime": time,
        "queryId": query_id,
        "dataObjectId": None,
        "userTableName": None,
        "line": refusal.line,
        "position": refusal.position,
    }
