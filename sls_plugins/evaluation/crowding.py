"""Puts several processes on one database, kills some, and looks whether anything was lost."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sls_plugins.storage import open_stores

__all__ = ["Crowd", "Crowding"]

PAGE = 2000
STARTING_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowding:
    """What came of it: all counts of what went wrong must be 0.

    `acknowledged` grades were told to be safe, `lost` of them are not in the log; `lives` are
    processes, `wrong_lives` those that learnt a line twice, out of order, or skipped one;
    `stuck` those that did not end; `behind` survivors that had not learnt the whole log.
    """

    seconds: float
    acknowledged: int
    lines: int
    lost: int
    kills: int
    lives: int
    wrong_lives: int
    behind: int
    stuck: int

    @property
    def sound(self) -> bool:
        """Nothing went wrong."""
        return not (self.lost or self.wrong_lives or self.behind or self.stuck)


@dataclass(slots=True)
class Crowd:
    """Processes on one database; `interrupt` is done once, in the middle (a server's restart)."""

    url: str
    folder: Path
    workers: int = 4
    seed: int = 0
    interrupt: Callable[[], None] | None = None
    names: list[str] = field(default_factory=list)

    def run(self, seconds: float, every_s: float) -> Crowding:
        """Load for so long; a process is killed, and replaced, about `every_s`."""
        chance = random.Random(self.seed)
        open_stores(self.url, time.time).database.close()
        running = [self._start(seconds) for _ in range(self.workers)]
        self._await("ready", running)
        begin_s, kills, interrupted = time.monotonic(), 0, self.interrupt is None
        while (left_s := seconds - (time.monotonic() - begin_s)) > every_s:
            time.sleep(every_s * (0.5 + chance.random()))
            victim = chance.randrange(len(running))
            running[victim][1].kill()
            running[victim][1].wait()
            running[victim] = self._start(max(left_s - every_s, 1.0))
            kills += 1
            if not interrupted and left_s < seconds / 2 and self.interrupt is not None:
                self.interrupt()
                interrupted = True
        time.sleep(max(seconds - (time.monotonic() - begin_s), 0.0) + 1.0)
        elapsed_s = time.monotonic() - begin_s
        (self.folder / "quiet").touch()
        self._await("stopped", running)
        (self.folder / "settled").touch()
        stuck = sum(_ended(process) is None for _, process in running)
        return self._looked_at(elapsed_s, kills, [name for name, _ in running], stuck)

    def _start(self, seconds: float) -> tuple[str, subprocess.Popen[bytes]]:
        name = f"p{len(self.names)}"
        self.names.append(name)
        command = [sys.executable, "-m", "sls_plugins.evaluation.load_worker"]
        with (self.folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen(  # noqa: S603 - ourselves
                [*command, self.url, str(self.folder), name, str(seconds)], stdout=log, stderr=log
            )
        return name, process

    def _await(self, word: str, running: list[tuple[str, subprocess.Popen[bytes]]]) -> None:
        """Return when all have noted this word."""
        end_s = time.monotonic() + STARTING_S
        while time.monotonic() < end_s:
            if all(word in _notes(self.folder / f"{name}.seqs") for name, _ in running):
                return
            time.sleep(0.1)

    def _looked_at(self, seconds: float, kills: int, survivors: list[str], stuck: int) -> Crowding:
        stores = open_stores(self.url, time.time)
        seqs, graded, seq = [], set(), 0
        while lines := stores.log.after(seq, PAGE):
            seq = lines[-1].seq
            seqs += [line.seq for line in lines]
            graded |= {line.decision_id for line in lines if line.quality is not None}
        stores.database.close()
        told = [ack for name in self.names for ack in _notes(self.folder / f"{name}.acks")]
        lives = {name: _numbers(self.folder / f"{name}.seqs") for name in self.names}
        wrong = sum(not _is_run(life, seqs) for life in lives.values())
        behind = sum(bool(seqs) and lives[name][-1:] != seqs[-1:] for name in survivors)
        return Crowding(
            seconds=seconds,
            acknowledged=len(told),
            lines=len(seqs),
            lost=len(set(told) - graded),
            kills=kills,
            lives=len(lives),
            wrong_lives=wrong,
            behind=behind - stuck if behind >= stuck else 0,
            stuck=stuck,
        )


def _is_run(life: list[int], seqs: list[int]) -> bool:
    """Did a process learn lines of the log one after the other, none twice, none left out?"""
    if not life:
        return True
    first = seqs.index(life[0]) if life[0] in set(seqs) else -1
    return first >= 0 and seqs[first : first + len(life)] == life


def _notes(path: Path) -> list[str]:
    """Whole lines of a file; the last one of a killed process may be broken."""
    if not path.exists():
        return []
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def _numbers(path: Path) -> list[int]:
    return [int(line) for line in _notes(path) if line.isdigit()]


def _ended(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(STARTING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return None
