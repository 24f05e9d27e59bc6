"""Learns anew from the log's end, and takes over only if that is not worse on lines held back.

The judge is an off-policy estimate: for each held-back grade, what the choice by the new estimates
would have been worth beside the choice that the receipt's estimates call for, doubly robust with
the logged propensity. Both are predictions made before the grade was learnt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import RLock

import numpy as np

from sls_plugins.errors import InputError, UnknownDecisionError
from sls_plugins.protocols import OutcomeLog, Predictor
from sls_plugins.types import Candidate, Decision, Estimate, Outcome, Source

__all__ = ["Refit", "Refitter"]

HELD_BACK = 0.25
"""Share of the lines, the newest, on which old and new are compared."""

LEAST = 40
"""Grades that a comparison needs."""

SLACK = 1.03
"""How much larger the squared error of the new may be, as chance allows."""

SURE = 0.02
"""Propensities are taken to be at least this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refit:
    """What came of a refit: taken over or not, why, and the difference that decided.

    `gain` is the estimated value (quality less price times cost) per query by which the new is
    better, `error` its standard error; `mse` are the squared errors of old and new.
    """

    swapped: bool
    why: str
    lines: int
    grades: int = 0
    gain: float = 0.0
    error: float = 0.0
    mse: tuple[float, float] = (0.0, 0.0)


class Refitter:
    """Makes a fresh predictor, lets it read the log's last lines, and swaps it in if it earned it.

    `corrected` reads a line as learners should; `lock` guards the predictor that is in use.
    """

    def __init__(
        self,
        live: Predictor,
        fresh: Callable[[], Predictor],
        log: OutcomeLog,
        lock: RLock,
        corrected: Callable[[Outcome], Outcome],
    ) -> None:
        self._live = live
        self._fresh = fresh
        self._log = log
        self._lock = lock
        self._corrected = corrected

    def run(
        self,
        upto: int,
        candidates: Sequence[Candidate],
        *,
        window: int,
        stale: Callable[[Outcome], bool],
        rest: Callable[[], None],
    ) -> Refit:
        """Refit on the last `window` lines up to line `upto`, which the live one has learnt.

        The caller keeps the live one from learning meanwhile. Lines that are `stale` are passed
        over; `rest` is called after each.
        """
        begin = max(upto - window, 0)
        border = upto - int(HELD_BACK * (upto - begin))
        new, pairs, lines = self._fresh(), [], 0
        known = {candidate.name: candidate for candidate in candidates}
        seq = begin
        while page := [line for line in self._log.after(seq, 500) if line.seq <= upto]:
            seq = page[-1].seq
            for line in page:
                if stale(line):
                    continue
                outcome = self._corrected(line)
                if line.seq > border and line.quality is not None:
                    pair = self._compare(new, outcome, known)
                    pairs += [pair] if pair is not None else []
                lines += _learnt(new, outcome)
                rest()
        return self._judged(new, pairs, lines)

    def _compare(
        self, new: Predictor, outcome: Outcome, known: dict[str, Candidate]
    ) -> tuple[float, float, float] | None:
        """Gain of the new choice, squared errors of old and new; None if nothing was chosen."""
        if outcome.source is Source.CACHE or outcome.estimate is None or outcome.vector is None:
            return None
        try:
            decision = self._log.decision(outcome.decision_id)
        except UnknownDecisionError:
            return None
        names = [one.candidate for one in decision.estimates if one.candidate in known]
        if outcome.candidate not in names:
            return None
        fit = [known[name] for name in names]
        estimates = new.predict_one(outcome.query, outcome.vector, fit)
        mine = estimates[names.index(outcome.candidate)]
        quality = outcome.quality or 0.0
        old = [one for one in decision.estimates if one.candidate in known]
        gain = _value(decision, estimates, outcome) - _value(decision, old, outcome)
        old_error = (quality - decision.estimate_of(outcome.candidate).quality) ** 2
        return gain, old_error, (quality - mine.quality) ** 2

    def _judged(
        self, new: Predictor, pairs: Sequence[tuple[float, float, float]], lines: int
    ) -> Refit:
        if len(pairs) < LEAST:
            why = f"kept: only {len(pairs)} grades are held back, {LEAST} are needed"
            return Refit(swapped=False, why=why, lines=lines, grades=len(pairs))
        facts = np.array(pairs)
        gain, old, fresh = facts.mean(axis=0).tolist()
        error = float(facts[:, 0].std() / math.sqrt(len(pairs)))
        told = f"value {gain:+.4f} ± {error:.4f} per query, squared error {old:.4f} to {fresh:.4f}"
        swapped = gain + error >= 0.0 and fresh <= SLACK * old
        if swapped:
            state = new.save()
            with self._lock:
                self._live.load(state)
        return Refit(
            swapped=swapped,
            why=f"{'taken over' if swapped else 'kept the old'}: {told}",
            lines=lines,
            grades=len(pairs),
            gain=gain,
            error=error,
            mse=(old, fresh),
        )


def _learnt(new: Predictor, outcome: Outcome) -> int:
    try:
        new.learn_one(outcome)
    except InputError:  # a candidate since retired
        return 0
    return 1


def _value(decision: Decision, estimates: Sequence[Estimate], outcome: Outcome) -> float:
    """Doubly robust value of the choice that these estimates call for at the logged price."""
    choice = max(estimates, key=lambda one: one.quality - decision.price * one.cost_usd)
    logged = decision.estimate_of(choice.candidate)
    value = logged.quality - decision.price * logged.cost_usd
    if choice.candidate == outcome.candidate == decision.candidate:
        value += ((outcome.quality or 0.0) - logged.quality) / max(decision.propensity, SURE)
    return value
