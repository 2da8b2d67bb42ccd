"""Reading the answer of `GET /info/{ido}`: what a tenant's collection is made of.

Infor's own sample of a good answer says `"Success": false`, so only the presence of properties counts.
"""

from __future__ import annotations

import msgspec


class _Property(msgspec.Struct):
    Name: str


class _Info(msgspec.Struct):
    Properties: list[_Property] | None = None


def decode_property_names(body: bytes) -> frozenset[str]:
    """Return the properties of a collection, case-folded; none when the body does not tell."""
    try:
        info = msgspec.json.decode(body, type=_Info)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return frozenset()
    return frozenset(entry.Name.casefold() for entry in info.Properties or ())
