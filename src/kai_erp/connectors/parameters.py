"""What all connectors' parameters have in common."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

LONGEST_TEXT = 200


class ConnectorQuery(BaseModel):
    """The parameters of a question; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _printable(text: str) -> str:
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise ValueError("control characters are not allowed")
    return text


def _blank_is_absent(text: str) -> str | None:
    return text.strip() or None


_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f]*$"
SOMETHING = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0\s][^\x00-\x1f\x7f-\x9f]*$"
"""What a text matches that must be given: not blank, no control character."""

FilterText = Annotated[
    str,
    StringConstraints(max_length=LONGEST_TEXT),
    AfterValidator(_printable),
    AfterValidator(_blank_is_absent),
    Field(json_schema_extra={"pattern": _PRINTABLE}),
]
"""A text to filter by: at most 200 characters, none of them a control character, blanks around it dropped."""
