"""Watches every candidate, in all and in each task, for a change that nobody announced.

Quality is compared with what was expected of the very query; cost, latency and output length by
their rank among earlier ratios of real to expected. The false alarms that all of it may give
together are shared out over the detectors: at most one in `per_alarm` outcomes on average.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from sls_plugins.types import Outcome, OutcomeKind, Source, State
from sls_plugins.updater.detector import WIDTH, Detector, Signal

__all__ = ["Alarm", "DriftWatch"]

T = TypeVar("T")
Key: TypeAlias = tuple[str, str, str]
"""Candidate, task ("" for all), measure."""

QUALITY, FALL, RISE = "quality", "fall", "rise"
"""Both ways against the estimates; down against the long run, up against the estimates."""

RANKED = ("cost", "latency", "output length")

FALLING = 0.4
"""Share of the false alarms that may be falls of a candidate's quality over all tasks."""

SLACK = 0.12
"""Mean ranks of cost, latency and length that move by less than this have not changed."""

SKIPPED = 100
"""First outcomes of a candidate that are no reference: the predictor is only learning it."""

REFERENCE = 200
"""Ratios among which later ones are ranked."""

KEYS = 1024
"""Pairs of candidate and task that are watched at most; the one first seen makes room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something changed: who, in which task ("" is all of them), what, which way, at which line.

    `normal` and `recent` are mean errors (real less expected quality; rank less one half).
    """

    candidate: str
    task: str
    measure: str
    direction: int
    normal: float
    recent: float
    seq: int

    @property
    def worse(self) -> bool:
        """Quality fell, or cost, latency or length rose."""
        return (self.direction < 0) == (self.measure == QUALITY)


class _Ranks:
    """Turns pairs (real, real / expected) into a rank 0…1 among the first of them.

    The rank nearer to the middle is told (None while the first are collected): what moved only
    because the predictor learnt, or only because other queries came, is no change of a candidate.
    """

    def __init__(self) -> None:
        self.seen = 0
        self.values: tuple[list[float], list[float]] = ([], [])

    def rank(self, pair: tuple[float, float]) -> float | None:
        self.seen += 1
        if len(self.values[0]) < REFERENCE:
            if self.seen > SKIPPED:
                for values, value in zip(self.values, pair, strict=True):
                    bisect.insort(values, value)
            return None
        ranks = [_place(values, value) for values, value in zip(self.values, pair, strict=True)]
        return min(ranks, key=lambda rank: abs(rank - 0.5))

    def restart(self) -> None:
        self.seen, self.values = SKIPPED, ([], [])


def _place(values: list[float], value: float) -> float:
    low = bisect.bisect_left(values, value - 1e-9)
    high = bisect.bisect_right(values, value + 1e-9)
    return (low + high) / (2.0 * len(values))


class DriftWatch:
    """A learner that reads the log and tells of alarms; the same log gives the same alarms."""

    def __init__(
        self,
        alarmed: Callable[[Alarm], None],
        per_alarm: float = 100_000.0,
        steady: Callable[[Outcome], float | None] | None = None,
    ) -> None:
        """`alarmed` is told of each; `per_alarm` outcomes pass between false ones on average.

        `steady` tells what the long run let expect of an answer: a predictor that soon learns a
        fall would hide it. Without it grades are compared with the estimates.
        """
        self._alarmed = alarmed
        self._per_alarm = per_alarm
        self._steady = steady
        self._detectors: dict[Key, Detector] = {}
        self._ranks: dict[Key, _Ranks] = {}

    def learn_one(self, outcome: Outcome) -> None:
        """Compare one line with what was expected."""
        if outcome.source is Source.CACHE or outcome.estimate is None:
            return
        tasks = ("", outcome.query.task) if outcome.query.task else ("",)
        expected = self._expected(outcome, outcome.estimate.quality)
        for task in tasks:
            for measure, expectation in expected:
                key = (outcome.candidate, task, measure)
                self._observe(key, outcome.quality or 0.0, expectation, outcome.seq)
            if outcome.kind is OutcomeKind.ANSWERED:
                for measure, pair in _ratios(outcome):
                    self._observe_ratio((outcome.candidate, task, measure), pair, outcome.seq)

    def _expected(self, outcome: Outcome, estimated: float) -> tuple[tuple[str, float], ...]:
        """What a grade is compared with, in each way.

        The long run is a line: where that is too high by itself, a good answer is no rise.
        """
        if outcome.quality is None:
            return ()
        steady = None if self._steady is None else self._steady(outcome)
        if steady is None:
            return ((QUALITY, estimated),)
        return ((FALL, steady), (RISE, estimated))

    def restart(self, candidate: str) -> None:
        """What was normal of a candidate no longer is."""
        for (name, _, _), detector in self._detectors.items():
            if name == candidate:
                detector.restart()
        for (name, _, _), ranks in self._ranks.items():
            if name == candidate:
                ranks.restart()

    def _observe_ratio(self, key: Key, pair: tuple[float, float], seq: int) -> None:
        if key not in self._ranks:
            self._ranks[key] = _Ranks()
            _bounded(self._ranks)
        rank = self._ranks[key].rank(pair)
        if rank is not None and self._observe(key, rank, 0.5, seq):
            self._ranks[key].restart()

    def _observe(self, key: Key, value: float, expected: float, seq: int) -> bool:
        detector = self._detectors.get(key)
        if detector is None:
            detector = self._detectors[key] = self._new(key)
            _bounded(self._detectors)
        signal = detector.observe(value, expected)
        if signal is not None:
            self._alarmed(_alarm(key, signal, seq))
        return signal is not None

    def _new(self, key: Key) -> Detector:
        return Detector(*self._rates(key), slack=SLACK if key[2] in RANKED else 0.0)

    def _rates(self, key: Key) -> tuple[float, float]:
        """False alarms per value, down and up: every outcome is seen by 16 statistics at most."""
        rest = (1.0 - FALLING) / 15.0 / self._per_alarm
        falling = key[1] == "" and key[2] in {QUALITY, FALL}
        down = FALLING / self._per_alarm if falling else rest
        return (0.0 if key[2] == RISE else down), (0.0 if key[2] == FALL else rest)

    def save(self) -> State:
        """All state: a row per detector, and the ratios that later ones are ranked among."""
        ranks = list(self._ranks.values())
        values = np.full((len(ranks), 2, REFERENCE), np.nan)
        for i, one in enumerate(ranks):
            values[i, :, : len(one.values[0])] = one.values
        rows = [detector.flat() for detector in self._detectors.values()]
        return {
            "keys": np.array(list(self._detectors), dtype=np.str_).reshape(-1, 3),
            "rows": np.array(rows).reshape(len(rows), WIDTH),
            "rank_keys": np.array(list(self._ranks), dtype=np.str_).reshape(-1, 3),
            "rank_seen": np.array([one.seen for one in ranks], dtype=np.int64),
            "rank_values": values,
        }

    def load(self, state: State) -> None:
        """Restore what `save` gave; nothing is known where nothing was saved."""
        self._detectors.clear()
        self._ranks.clear()
        if "keys" not in state:
            return
        rows = np.asarray(state["rows"], dtype=np.float64)
        for key, row in zip(_keys(state["keys"]), rows, strict=True):
            self._detectors[key] = self._new(key)
            self._detectors[key].set(row)
        values = np.asarray(state["rank_values"], dtype=np.float64)
        seen = [int(one) for one in state["rank_seen"].tolist()]
        for key, count, row in zip(_keys(state["rank_keys"]), seen, values, strict=True):
            ranks = self._ranks[key] = _Ranks()
            ranks.seen = count
            real, ratio = (one[~np.isnan(one)].tolist() for one in row)
            ranks.values = (real, ratio)


def _ratios(outcome: Outcome) -> Iterator[tuple[str, tuple[float, float]]]:
    """Logarithms of what was real, and of real to expected, for what is known of both."""
    estimate, usage = outcome.estimate, outcome.usage
    if estimate is None:
        return
    real = (outcome.cost_usd, outcome.latency_s, usage.output_tokens if usage else None)
    expected = (estimate.cost_usd, estimate.latency_s, estimate.output_tokens)
    for measure, one, other in zip(RANKED, real, expected, strict=True):
        if one and other and one > 0 and other > 0:
            yield measure, (math.log(one), math.log(one / other))


def _alarm(key: Key, signal: Signal, seq: int) -> Alarm:
    return Alarm(
        candidate=key[0],
        task=key[1],
        measure=key[2] if key[2] in RANKED else QUALITY,
        direction=signal.direction,
        normal=signal.normal,
        recent=signal.recent,
        seq=seq,
    )


def _bounded(table: dict[Key, T]) -> None:
    while len(table) > 4 * KEYS:
        del table[next(iter(table))]


def _keys(rows: NDArray[np.generic]) -> list[Key]:
    return [(str(one), str(task), str(measure)) for one, task, measure in rows]
