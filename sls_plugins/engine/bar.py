"""A bar of plain characters that shows how far a batch is, where somebody may be looking."""

from __future__ import annotations

import sys
from typing import TextIO

__all__ = ["Bar", "shown"]

WIDTH = 30
"""Characters of the whole bar."""


class Bar:
    """Draws `[####......] 12/30` in place, and ends the line when all is done."""

    def __init__(self, screen: TextIO) -> None:
        """`screen` is written to."""
        self._screen = screen
        self._last = ""

    def __call__(self, done: int, total: int) -> None:
        """So many are done, of so many."""
        filled = WIDTH * done // max(total, 1)
        text = f"[{'#' * filled}{'.' * (WIDTH - filled)}] {done}/{total}"
        if text != self._last:
            self._last = text
            self._screen.write(f"\r{text}" + ("\n" if done >= total else ""))
            self._screen.flush()


def shown() -> Bar | None:
    """A bar on standard error; None if that is no terminal."""
    return Bar(sys.stderr) if sys.stderr.isatty() else None
