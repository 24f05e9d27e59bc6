"""Splits texts into words, quickly where they are plain ASCII."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["make_splitter", "tokens_of", "words_of"]

_TOKEN = re.compile(r"\w+|[^\w\s]")
_WORD_BYTES = bytes(code for code in range(128) if chr(code).isalnum() or chr(code) == "_")
_BLANK_BYTES = bytes(code for code in range(128) if chr(code).isspace())


def make_splitter(pattern: str, kept: bytes) -> Callable[[str], list[str]]:
    """What `re.findall(pattern, text)` gives, for a pattern that is a run of characters.

    `kept` are the ASCII characters which the pattern takes; ASCII texts are split at all others.
    """
    found = re.compile(pattern).findall
    table = bytes(code if code in kept else 32 for code in range(256))

    def split(text: str) -> list[str]:
        if not text.isascii():
            return found(text)
        return text.encode().translate(table).decode().split()

    return split


words_of = make_splitter(r"\w+", _WORD_BYTES)
"""Runs of letters, digits and underscores."""


def tokens_of(text: str) -> frozenset[str]:
    """The different words, and the marks between them."""
    if not text.isascii():
        return frozenset(_TOKEN.findall(text))
    marks = text.encode().translate(None, _WORD_BYTES + _BLANK_BYTES).decode()
    return frozenset((*words_of(text), *marks))
