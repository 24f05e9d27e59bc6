"""Makes any text fit for UTF-8."""

from __future__ import annotations

__all__ = ["repaired"]


def repaired(text: str) -> str:
    """The text with half surrogate pairs replaced by U+FFFD: tokenizers refuse those."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
