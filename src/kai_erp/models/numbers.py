"""Number types of records: exact decimals inside, JSON numbers outside."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import PlainSerializer, WithJsonSchema

_as_number = PlainSerializer(float, return_type=float, when_used="json")
_number = WithJsonSchema({"type": "number"})

Quantity = Annotated[Decimal, _as_number, _number]
"""A quantity in the item's stocking unit, as stored, up to 8 places."""

Money = Annotated[Decimal, _as_number, _number]
"""An amount: stored ones with up to 8 places, computed ones with 2."""

Hours = Annotated[Decimal, _as_number, _number]
"""Hours, 2 places."""

Percent = Annotated[Decimal, _as_number, _number]
"""A percentage."""
