"""Leaves out of a second text what a first one has said: no word twice, none lost."""

from __future__ import annotations

__all__ = ["GO_ON", "Splice"]

GO_ON = (
    "Your answer was cut off. Go on exactly where it stops, with the very next character; do not "
    "repeat any of it and do not explain."
)
"""What whoever takes over is asked, after what was said."""

SURE_CHARS = 24
"""An end of the first text that is repeated counts as a repetition from this length on."""


class Splice:
    """Joins a continuation, piece by piece, to a text that broke off.

    Who is asked to go on may begin all over again, or repeat the last words first. The first text
    repeated from its beginning is left out; so is a long end of it that occurs in it only once.
    Anything else is the continuation, and is passed on whole. As long as both are possible, pieces
    are held back.
    """

    def __init__(self, said: str) -> None:
        """`said` is the text that broke off."""
        self._said = said
        self._held = ""
        self._starts = [0, *range(1, len(said) - SURE_CHARS + 1)]
        self._open = not said

    def passing(self, piece: str) -> str:
        """What of this piece is new, with whatever was held back before it."""
        if self._open:
            return piece
        self._held += piece
        self._starts = [start for start in self._starts if self._may_repeat(start)]
        if self._starts and len(self._said) - self._starts[0] > len(self._held):
            return ""
        return self._release()

    def rest(self) -> str:
        """What is held back when the second text has ended."""
        return "" if self._open else self._release()

    def _may_repeat(self, start: int) -> bool:
        """Whether the held text may be the first one from here on, as far as it goes."""
        length = min(len(self._held), len(self._said) - start)
        return self._said.startswith(self._held[:length], start)

    def _release(self) -> str:
        self._open = True
        for start in self._starts:
            end = self._said[start:]
            if len(end) <= len(self._held) and (start == 0 or self._said.count(end) == 1):
                return self._held[len(end) :]
        return self._held
