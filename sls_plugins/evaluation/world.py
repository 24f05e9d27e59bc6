"""A world without chance: time and ids that are the same in every run."""

from __future__ import annotations

__all__ = ["Ids", "VirtualClock"]


class VirtualClock:
    """A clock that moves only when it is told to: the same seconds in every run."""

    def __init__(self, start_s: float = 1_700_000_000.0, step_s: float = 1.0) -> None:
        """Begin at `start_s` since the epoch; a `tick` is `step_s` long."""
        self._now_s = start_s
        self._step_s = step_s

    def __call__(self) -> float:
        """Now, in seconds since the epoch."""
        return self._now_s

    def tick(self) -> None:
        """Let one step pass."""
        self._now_s += self._step_s


class Ids:
    """Decision ids in order, the same in every run; `run` keeps runs on one database apart."""

    def __init__(self, run: str = "replay") -> None:
        """Begin at 1."""
        self.run = run
        self._count = 0

    def __call__(self) -> str:
        """The next id."""
        self._count += 1
        return f"{self.run}-{self._count}"
