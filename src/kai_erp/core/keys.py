"""How SyteLine writes keys, and how people type them.

Job and order numbers are 10 wide (Job 20 on newer schemas), customer numbers 7. A number without a prefix is
right-justified with blanks, one with a letter prefix is filled with zeros after it: `"    888"`, `C000012`.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

_PREFIXED = re.compile(r"([A-Za-z]+)0*(\d+)\Z")


def fold_key(text: str) -> str:
    """Return the form in which keys are compared: trimmed, without regard to case."""
    return text.strip().casefold()


def fold_keys(keys: pa.Array) -> pa.Array:
    """Return a column of keys in the form in which they are compared."""
    if pc.all(pc.ascii_is_printable(keys)).as_py() is not False:  # of plain ASCII, a column at a time
        return pc.ascii_lower(pc.ascii_trim_whitespace(keys))
    encoded = keys.dictionary_encode()
    return pa.array(map(fold_key, encoded.dictionary.to_pylist()), pa.string()).take(encoded.indices)


def expand_key(text: str, widths: tuple[int, ...]) -> tuple[str, ...]:
    """Return every stored form that a typed key may stand for, the typed one first.

    `widths` are the widths that the column may have; a key that is longer than one has no form of that width.
    """
    typed = text.strip()
    forms = [typed, *(_filled(typed, width) for width in widths if len(typed) <= width)]
    return tuple(dict.fromkeys(forms))


def stored_forms(key: str, widths: tuple[int, ...]) -> tuple[str, ...]:
    """Return the forms in which other tables may hold a key that one table holds like this, its own first."""
    bare = key.strip()
    forms = (key.rstrip(), bare) if key != key.lstrip() else expand_key(bare, widths)
    return tuple(dict.fromkeys(forms))


def _filled(typed: str, width: int) -> str:
    if typed.isascii() and typed.isdigit():
        return typed.rjust(width)
    prefixed = _PREFIXED.match(typed) if typed.isascii() else None
    if prefixed is None:
        return typed
    prefix, number = prefixed.groups()
    room = width - len(prefix)
    return prefix + number.zfill(room) if len(number) <= room else typed
