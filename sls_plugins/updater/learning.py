"""Learning is reading the log: every line once, in order, from whichever process wrote it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import RLock

import numpy as np

from sls_plugins.errors import EncoderMismatchError, InputError
from sls_plugins.protocols import Clock, Learns, OutcomeLog, SnapshotStore
from sls_plugins.types import Outcome, State, zeroed

__all__ = ["Keeper", "Learner"]

_log = logging.getLogger(__name__)

SNAPSHOT = "learnt"
LAYOUT = "layout"
LAYOUT_NOW = 10
"""To be raised whenever a part's learnt arrays change their meaning or their shape."""
PAGE_LINES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """Where learnt state is kept, how often, and for which encoder's fingerprint."""

    snapshots: SnapshotStore
    fingerprint: str
    clock: Clock
    every: int = 1000

    def load(self) -> tuple[State, int] | None:
        """The newest state and the line it has learnt up to. Raises EncoderMismatchError."""
        found = self.snapshots.load(SNAPSHOT)
        if found is None:
            return None
        state, seq, fingerprint = found
        if fingerprint != self.fingerprint:
            raise EncoderMismatchError(
                "the learnt state in the database",
                fingerprint,
                self.fingerprint,
                "Configure that encoder again, or have all texts encoded anew and the log learnt "
                "anew (stop all engines before): sls doctor SETTINGS --rebuild",
            )
        return state, seq

    def saved_seq(self) -> int:
        """The line up to which the newest kept state has learnt; 0 without any."""
        found = self.snapshots.load(SNAPSHOT)
        return 0 if found is None else found[1]

    def save(self, state: State, seq: int) -> None:
        """Keep a state that has learnt the log up to `seq`."""
        self.snapshots.save(
            SNAPSHOT, state, seq=seq, fingerprint=self.fingerprint, now_s=self.clock()
        )


class Learner:
    """Feeds each line of the log to all learners, and saves their state every so many lines.

    After a restart the newest snapshot is loaded and the lines after it are read again, so nothing
    that reached the log is lost and nothing is learnt twice. One thread reads at a time; others
    that come with a line leave it to that one and go on.
    """

    def __init__(
        self,
        learners: Mapping[str, Learns],
        *,
        log: OutcomeLog,
        keeper: Keeper,
        lock: RLock,
        learned: Callable[[Outcome], None],
    ) -> None:
        """`learned` is told of each line; `lock` guards the learners, for one line at a time."""
        self._learners = dict(learners)
        self._log = log
        self._keeper = keeper
        self._lock = lock
        self._learned = learned
        self._turn = RLock()
        self._seq = 0
        self._early: dict[int, Outcome] = {}  # lines of this process that are not learnt yet
        self._saved_seq = 0
        self._wake: Callable[[], None] | None = None

    @property
    def seq(self) -> int:
        """The last line that was learnt."""
        return self._seq

    @property
    def keeper(self) -> Keeper:
        """Where its state is kept."""
        return self._keeper

    @property
    def turn(self) -> RLock:
        """Who holds it keeps others from learning meanwhile; decisions go on."""
        return self._turn

    def wake_by(self, wake: Callable[[], None] | None) -> None:
        """Leave other processes' lines to a reader in the background, which this wakes."""
        self._wake = wake

    def wake(self) -> None:
        """Let the reader in the background read now, if there is one."""
        if self._wake is not None:
            self._wake()

    def restore(self) -> None:
        """Load the newest snapshot, then read on. Raises EncoderMismatchError.

        A snapshot of another version, or of other parts, is left alone: the log is learnt anew.
        """
        with self._turn, self._lock:
            found = self._keeper.load()
            if found is not None and self._fits(found[0]):
                state, self._seq = found
                self._saved_seq = self._seq
                for name, learner in self._learners.items():
                    if own := _under(state, name):
                        learner.load(own)
            self.catch_up()

    def _fits(self, state: State) -> bool:
        """Whether the learners of this program can load it; if not, the log is learnt anew."""
        layout = int(state[LAYOUT][0]) if LAYOUT in state else 1
        lacking = [
            f"{name}/{key}"
            for name, learner in self._learners.items()
            if (own := _under(state, name))
            for key in learner.save()
            if key not in own
        ]
        if layout == LAYOUT_NOW and not lacking:
            return True
        _log.warning(
            "the learnt state in the database is of another version or of other parts "
            "(layout %d, here %d; lacking %s): the log is learnt anew",
            layout,
            LAYOUT_NOW,
            ", ".join(lacking[:3]) or "nothing",
        )
        return False

    def observe(self, outcome: Outcome) -> None:
        """Learn a line that was just appended, and before it any that others appended."""
        self._early[outcome.seq] = outcome
        while self._early and self._turn.acquire(blocking=False):
            try:
                self._learn_early()
                if self._early and self._wake is None:
                    self.catch_up()
                due = self._seq - self._saved_seq >= self._keeper.every
                if due:
                    self._saved_seq = self._seq  # others need not save it, too
            finally:
                self._turn.release()
            if due:
                self.save()
            if self._early and self._wake is not None and self._seq + 1 not in self._early:
                self._wake()
                return

    def catch_up(self, rest: Callable[[], None] | None = None) -> int:
        """Read the log to its present end; returns how many lines were learnt.

        `rest` is called after each. Decisions are made, and others learn their own lines, between
        two of them.
        """
        read, last = 0, self._log.last_seq()
        while self._seq < last and (lines := self._log.after(self._seq, PAGE_LINES)):
            for outcome in lines:
                with self._turn:
                    if outcome.seq > self._seq:  # else whoever wrote it was quicker
                        self._learn(outcome)
                        read += 1
                    self._learn_early()
                if rest is not None:
                    rest()
        return read

    def _learn_early(self) -> None:
        """Learn the lines of this process that are next; drop those that were read meanwhile."""
        for seq in [seq for seq in tuple(self._early) if seq <= self._seq]:
            self._early.pop(seq, None)
        while (outcome := self._early.pop(self._seq + 1, None)) is not None:
            self._learn(outcome)

    def forget(self, vectors: frozenset[bytes]) -> None:
        """Put zeros where learners hold one of these embeddings (as bytes)."""
        with self._turn, self._lock:
            for learner in self._learners.values():
                scrubbed = zeroed(learner.save(), vectors) if vectors else None
                if scrubbed is not None:
                    learner.load(scrubbed)

    def save(self) -> None:
        """Keep what was learnt so far."""
        with self._turn:
            with self._lock:
                state = {
                    f"{name}/{key}": np.array(value, copy=True)
                    for name, learner in self._learners.items()
                    for key, value in learner.save().items()
                } | {LAYOUT: np.array([LAYOUT_NOW])}
                seq = self._saved_seq = self._seq
            self._keeper.save(state, seq)

    def _learn(self, outcome: Outcome) -> None:
        with self._lock:
            for name, learner in self._learners.items():
                try:
                    learner.learn_one(outcome)
                except InputError as error:  # the log also holds candidates since retired
                    _log.info(
                        "line %d of the log is not learnt by the %s: %s", outcome.seq, name, error
                    )
            self._seq = outcome.seq
        self._learned(outcome)


def _under(state: State, name: str) -> State:
    prefix = f"{name}/"
    return {
        key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)
    }
