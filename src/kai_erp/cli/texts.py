"""Texts for a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return a text from elsewhere without characters that would move the cursor or change the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)
