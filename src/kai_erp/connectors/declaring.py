"""Short ways to write what connectors declare over and over: properties of one type, keys as they are stored."""

from __future__ import annotations

from kai_erp.core.expressions import AnyKey, Like, Nothing
from kai_erp.core.keys import expand_key
from kai_erp.core.types import Property, PropertyType

CUSTOMER_WIDTHS = (7,)
ORDER_WIDTHS = (10,)
JOB_WIDTHS = (10, 20)


def properties(kind: PropertyType, *names: str, required: bool = False, prefix: str = "") -> tuple[Property, ...]:
    """Return properties of one type; `prefix` stands before their names on the wire."""
    return tuple(Property(name, kind, required=required, wire=prefix + name) for name in names)


def keys(*names: str, required: bool = True) -> tuple[Property, ...]:
    """Return key properties."""
    return properties(PropertyType.KEY, *names, required=required)


def key_is(name: str, text: str, widths: tuple[int, ...]) -> AnyKey | Nothing:
    """Return the test for a key as people type it; a text longer than the column can match nothing."""
    return AnyKey(name, expand_key(text, widths)) if len(text) <= max(widths) else Nothing()


def code_is(name: str, text: str, width: int) -> AnyKey | Nothing:
    """Return the test for a code that is stored as it is, or right-justified."""
    forms = tuple(dict.fromkeys((text, text.rjust(width))))
    return AnyKey(name, forms) if len(text) <= width else Nothing()


def has_text(name: str, text: str, width: int) -> Like | Nothing:
    """Return the test that a text is part of a column; one longer than the column can match nothing."""
    return Like(name, text) if len(text) <= width else Nothing()
