"""Many threads of many processes that spend from one ledger, some of them killed.

Run as a program it is one process of them: see `main`. `spend` starts and kills them.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from sls_plugins.errors import BudgetExhausted, StorageError
from sls_plugins.scheduler.ledger import BudgetLedger, Cap
from sls_plugins.storage import open_stores

__all__ = ["Spending", "Told", "spend"]

START_S = 1_700_000_000 // 3600 * 3600.0
HOUR_S = 3600.0
CALL_S = 0.01
"""Real seconds that a call takes."""

HIGH_USD, LEAST_SHARE = 0.01, 0.5
"""What is held for a call, and the least share of it that the call costs in the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """How much is to be spent by whom: `windows` whole hours, each `hour_s` real seconds long.

    `kill_s` real seconds pass between two kills, on average; a dead process's money is free again
    after `hold_s` of the ledger's seconds.
    """

    url: str
    folder: Path
    cap_usd: float
    processes: int = 4
    threads: int = 16
    windows: int = 3
    hour_s: float = 20.0
    kill_s: float = 3.0
    hold_s: float = 450.0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the ledger says of each whole window, and what was left open in the end.

    `called_usd` is what calls cost by the word of those who made them, killed ones included.
    """

    spent_usd: tuple[float, ...]
    called_usd: tuple[float, ...]
    calls: int
    kills: int
    open_usd: float


class Clock:
    """The ledger's seconds, which pass more quickly than real ones; the same in all processes."""

    def __init__(self, began_s: float, speed: float) -> None:
        """`began_s`: real time at which the first window began."""
        self._began_s = began_s
        self._speed = speed

    def __call__(self) -> float:
        """Now."""
        return START_S + (time.time() - self._began_s) * self._speed


def spend(plan: Spending) -> Told:
    """Let all windows pass; kill a process now and then with SIGKILL, and start another."""
    rng, kills = random.Random(plan.seed), 0
    open_stores(plan.url, time.time).database.close()
    running = [_start(plan) for _ in range(plan.processes)]
    try:
        while len(list(plan.folder.glob("*.diary"))) < plan.processes:
            time.sleep(0.05)
        began_s = time.time()
        until_s = began_s + plan.windows * plan.hour_s
        (plan.folder / "began.part").write_text(repr(began_s))
        (plan.folder / "began.part").rename(plan.folder / "began")
        while time.time() < until_s:
            time.sleep(min(rng.uniform(0.5, 1.5) * plan.kill_s, max(0.0, until_s - time.time())))
            if time.time() < until_s - 1.0:
                place = rng.randrange(plan.processes)
                running[place].kill()
                running[place].wait()
                kills += 1
                running[place] = _start(plan)
    finally:
        for process in running:
            process.kill()
            process.wait()
    return _told(plan, began_s, kills)


def _start(plan: Spending) -> subprocess.Popen[bytes]:
    words = (plan.url, plan.folder, plan.cap_usd, plan.threads, plan.hold_s, plan.hour_s)
    command = [sys.executable, "-m", "sls_plugins.evaluation.spending", *map(str, words)]
    return subprocess.Popen(command)  # noqa: S603 - this very program


def _told(plan: Spending, began_s: float, kills: int) -> Told:
    """Read the ledger, and the diaries, once every reservation has expired."""
    speed = HOUR_S / plan.hour_s
    end_s = Clock(began_s, speed)() + plan.hold_s + 1.0
    stores = open_stores(plan.url, lambda: end_s)
    try:
        starts = [START_S + HOUR_S * at for at in range(plan.windows + 1)]
        since = [stores.accounts.totals(start, end_s).spent_usd for start in starts]
        open_usd = stores.accounts.totals(START_S, end_s).reserved_usd
    finally:
        stores.database.close()
    called: Counter[int] = Counter()
    calls = 0
    for diary in plan.folder.glob("*.diary"):
        for line in diary.read_text().splitlines():
            at_s, micro_usd = line.split()
            called[int((float(at_s) - START_S) // HOUR_S)] += int(micro_usd)
            calls += 1
    return Told(
        spent_usd=tuple(since[at] - since[at + 1] for at in range(plan.windows)),
        called_usd=tuple(called[at] / 1e6 for at in range(plan.windows)),
        calls=calls,
        kills=kills,
        open_usd=open_usd,
    )


def main(words: list[str]) -> None:
    """One process: threads that reserve, call, write their diary and settle, until it is killed.

    It says that it is ready by its diary, and begins when the folder's file "began" says when.
    """
    url, folder = words[0], Path(words[1])
    cap_usd, threads, hold_s, hour_s = (float(word) for word in words[2:])
    stores = open_stores(url, time.time)
    diary = os.open(folder / f"{os.getpid()}.diary", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while not (folder / "began").exists():
        time.sleep(0.02)
    clock = Clock(float((folder / "began").read_text()), HOUR_S / hour_s)
    cap = Cap(usd=cap_usd, window="hour")
    ledger = BudgetLedger(stores.accounts, cap=cap, clock=clock, hold_s=hold_s)
    workers = [
        Thread(target=_work, args=(ledger, clock, diary, number), daemon=True)
        for number in range(int(threads))
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _work(ledger: BudgetLedger, clock: Clock, diary: int, number: int) -> None:
    rng, count = random.Random(f"{os.getpid()} {number}"), 0
    while True:
        count += 1
        name, high_usd = f"{os.getpid()}/{number}/{count}", HIGH_USD
        try:
            ledger.reserve(name, high_usd)
        except BudgetExhausted:  # money that is held may be free before the next hour
            time.sleep(0.05)
            continue
        except StorageError:
            continue
        time.sleep(CALL_S)
        micro_usd = round(1e6 * high_usd * rng.uniform(LEAST_SHARE, 1.0))
        os.write(diary, f"{clock():.3f} {micro_usd}\n".encode())
        ledger.settle(name, micro_usd / 1e6)


if __name__ == "__main__":
    main(sys.argv[1:])
