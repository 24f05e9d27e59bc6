"""One of several processes that put load on one database: `python -m` with four arguments.

URL, a folder for its notes, its name, and the seconds it works for (or until it is killed). It
notes every grade that was acknowledged, and every line that it learnt, the moment it happens.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from sls_plugins.assembly import build
from sls_plugins.engine import Engine
from sls_plugins.errors import SLSError, StorageError
from sls_plugins.hookspecs import hookimpl
from sls_plugins.settings import CacheSettings, LearningSettings, PartSettings, Settings
from sls_plugins.types import Answer, Candidate, Outcome, Query, Usage

__all__ = ["main"]

CANDIDATES = (
    Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4),
    Candidate(name="large", input_usd_per_mtok=5.0, output_usd_per_mtok=15.0),
)
PAUSE_S = 0.002
SETTLE_S = 120.0


class Notes:
    """Lines written to a file at once, so that a killed process has told all that happened."""

    def __init__(self, path: Path) -> None:
        """Begin a new file."""
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, text: str) -> None:
        """One more line."""
        os.write(self._file, f"{text}\n".encode())

    @hookimpl
    def sls_learned(self, outcome: Outcome) -> None:
        """A line of the log was learnt."""
        self.note(str(outcome.seq))


def main(url: str, folder: str, name: str, seconds: float) -> None:
    """Answer and grade until the time is over, then read the log to its end."""
    acknowledged, learnt = Notes(Path(folder, f"{name}.acks")), Notes(Path(folder, f"{name}.seqs"))
    settings = Settings(
        candidates=CANDIDATES,
        cache=CacheSettings(enabled=False),
        encoder=PartSettings(name="hashing"),
        index=PartSettings(name="memory"),
        database=url,
        learning=LearningSettings(every_s=0.5, busy=0.6),
    )
    with _opened(settings, learnt) as engine:
        learnt.note("ready")
        end_s = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end_s and not Path(folder, "quiet").exists():
            number += 1
            try:
                told = _one(engine, name, number)
            except SLSError:  # the database is away: go on, tell nobody
                time.sleep(0.2)
            else:
                acknowledged.note(told)
            time.sleep(PAUSE_S)
        learnt.note("stopped")
        _settle(engine, folder)


def _opened(settings: Settings, learnt: Notes) -> Engine:
    """An engine, as soon as the database can be reached: its server may just be starting again."""
    end_s = time.monotonic() + SETTLE_S
    while True:
        try:
            return build(settings, plugins=[learnt])
        except StorageError:
            if time.monotonic() > end_s:
                raise
            time.sleep(0.2)


def _settle(engine: Engine, folder: str) -> None:
    """Wait until nobody writes any more, then read the log to its end."""
    end_s = time.monotonic() + SETTLE_S
    while not Path(folder, "settled").exists() and time.monotonic() < end_s:
        time.sleep(0.1)
    engine.updates.round()


def _one(engine: Engine, name: str, number: int) -> str:
    query = Query(text=f"{name} asks question {number} about {number % 13}")
    answer = engine.answer(query, _call)
    quality = 1.0 if answer.candidate == "large" else 0.7
    engine.feedback(answer.decision_id, quality, source="test")
    return answer.decision_id


def _call(candidate: Candidate, query: Query) -> Answer:
    words = len(query.text.split())
    return Answer(text=candidate.name, usage=Usage(input_tokens=words, output_tokens=5))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]))
