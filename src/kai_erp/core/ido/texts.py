"""Text of an upstream, made fit to be shown: on one line, printable, short, and without what lets anybody in."""

from __future__ import annotations

import re

LONGEST = 300
_CREDENTIALS = re.compile(r"\b(Bearer|Basic)\s+\S+", re.IGNORECASE)


def shown(text: str) -> str:
    """Return the beginning of a text as it may stand in a message: gateways echo headers."""
    line = "".join(character if character.isprintable() else " " for character in text[: 4 * LONGEST])
    return _CREDENTIALS.sub(r"\1 ***", " ".join(line.split()))[:LONGEST]


def without_secret(body: bytes, authorization: str) -> bytes:
    """Return a body in which our own token, should it be echoed, is struck out."""
    token = authorization.rpartition(" ")[2].encode()
    return body.replace(token, b"***") if token in body else body
