"""The ways in which people type what they look for.

Letters that have no capital of their own, as the sharp s, are typed as they are stored.
"""

from collections.abc import Iterable, Iterator
from random import Random


def typed_keys(stored: str) -> Iterator[str]:
    """Yield a stored customer or order number padded, bare, in the other case and short."""
    bare = stored.strip()
    letters = bare.rstrip("0123456789")
    digits = bare.removeprefix(letters)
    yield from (stored, bare, f"  {bare.swapcase()} ")
    if letters.isalpha():
        yield from (letters + digits.lstrip("0"), (letters + digits.lstrip("0")).lower(), letters + digits[1:])


def typed_parts(name: str) -> Iterator[str]:
    """Yield a text and parts of it: whole, in the other case, its ends and its middle."""
    bare = name.strip()
    third = max(1, len(bare) // 3)
    yield from (name, loud(bare), f" {bare.lower()} ", bare[:third], loud(bare[-third:]), bare[third : third + 4])


def loud(text: str) -> str:
    """Return a text in capitals, letter by letter."""
    return "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in text)


def marks(texts: Iterable[str]) -> list[str]:
    """Return each character of texts that a careless filter takes for something else, and what is not ASCII."""
    found = {character for text in texts for character in text if len(character.casefold()) == 1}
    return sorted(one for one in found if not (one.isascii() and one.isalnum()) and one != " ")


def dice(seed: int) -> Random:
    """Return what chooses questions, always the same ones."""
    return Random(seed)  # noqa: S311  # nothing is kept secret by it
