"""How the answers to one kind of query were graded so far."""

from __future__ import annotations

from collections import defaultdict
from threading import Lock

from sls_plugins.engine import Engine
from sls_plugins.types import Source

__all__ = ["Experience"]

REMEMBERED = 5000
"""How many lines of a log that is already there are read at the start."""

PAGE = 500


class Experience:
    """Sums up grades by task, reading the engine's log as it grows. Threads may share it.

    So it is right after a restart, and whoever gave the feedback.
    """

    def __init__(self, engine: Engine) -> None:
        """Nothing is read before somebody asks."""
        self._learner = engine.parts.learner
        self._log = engine.parts.log
        self._good: defaultdict[str, float] = defaultdict(float)
        self._bad: defaultdict[str, float] = defaultdict(float)
        self._seq: int | None = None
        self._lock = Lock()

    def grades(self, task: str) -> tuple[float, float]:
        """The sums of quality, and of what was missing to full quality, of this task's answers."""
        with self._lock:
            if self._seq is None:
                self._seq = max(0, self._learner.seq - REMEMBERED)
            while self._seq < self._learner.seq:
                lines = self._log.after(self._seq, PAGE)
                if not lines:
                    break
                for line in lines:
                    if line.quality is not None and line.source is Source.MODEL:
                        self._good[line.query.task] += line.quality
                        self._bad[line.query.task] += 1.0 - line.quality
                self._seq = lines[-1].seq
            return self._good[task], self._bad[task]
