"""Several expectations of one quality mixed by how well each has predicted so far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.predictor.linear import LinearBank
from sls_plugins.types import State

__all__ = ["Belief", "Calibration", "Evidence", "Shrinkage", "Stack"]

STRENGTHS = np.array([0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1e9])
"""How many observations the expectation before the evidence may be worth; the last ignores it."""


@dataclass(frozen=True, slots=True)
class Belief:
    """Expected quality of each candidate and the variance of that expectation, shape (K,)."""

    mean: Floats
    variance: Floats


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen in one place: sum of quality and weight by candidate (K,), residual of all.

    `common` is (sum of quality less what was expected, weight) over all candidates together.
    """

    sums: Floats
    weights: Floats
    common: Floats


FAVOURITE = 3
"""Which of them is trusted most at first."""


class Shrinkage:
    """Evidence from one kind of place, shrunk towards what was expected without it.

    How far is learnt: each strength in STRENGTHS predicts every outcome, and is trusted by its
    discounted squared error (exponential weights). The evidence of the candidate itself and the
    common part, "everybody did better here than expected", have strengths of their own.
    """

    def __init__(self, fade: float, *, local: bool = False) -> None:
        """`fade` is the share of the losses forgotten per outcome.

        `local`: each place is a thing of its own, about which nothing is known at first. That doubt
        counts as far as places come again, for only then is it worth exploring.
        """
        self.local = local
        self.fade = fade
        start = 0.5 * np.abs(np.arange(STRENGTHS.size) - FAVOURITE)
        self.losses: Floats = np.stack((start, start))
        self.repeats = 0.0
        self._mixture = self._mix()

    def _mix(self) -> Floats:
        powers = np.exp(self.losses.min(axis=1, keepdims=True) - self.losses)
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)

    def apply(self, belief: Belief, evidence: Evidence | None, noise: Floats | float) -> Belief:
        """The belief after the evidence; `noise` is the variance of one observation."""
        if evidence is None or evidence.common[1] <= 0.0:
            return belief
        moved = belief.mean + float(self._mixture[0] @ self._steps(evidence))
        keep = STRENGTHS[:, None] / (STRENGTHS[:, None] + evidence.weights)
        kept = self._mixture[1] @ keep
        seen = np.maximum(evidence.weights, 1e-12)
        mean = kept * moved + (1.0 - kept) * evidence.sums / seen
        local = noise * ((self._mixture[1] / (1.0 + STRENGTHS)) @ keep)
        variance = (
            kept**2 * belief.variance
            + (1.0 - kept) ** 2 * noise / np.maximum(seen, 1.0)
            + self.local * self.repeats * local
        )
        return Belief(mean, np.minimum(variance, 0.25))

    @staticmethod
    def _steps(evidence: Evidence) -> Floats:
        total, weight = evidence.common
        return np.asarray(total / (STRENGTHS + weight), dtype=np.float64)

    def learn(
        self, before: float, evidence: Evidence | None, quality: float, noise: float
    ) -> float:
        """Charge each strength with its error on one outcome; evidence of the one candidate.

        Returns the mean that `apply` would have given for the mean `before`.
        """
        seen = evidence is not None and evidence.common[1] > 0.0
        self.repeats += 0.01 * (float(seen) - self.repeats)
        if evidence is None or not seen:
            return before
        common, own = self._mixture
        scale = 2.0 * max(noise, 0.02)
        said = before + self._steps(evidence)
        moved = float(common @ said)
        self.losses[0] = (1.0 - self.fade) * self.losses[0] + (quality - said) ** 2 / scale
        if evidence.weights[0] > 0.0:
            said = (STRENGTHS * moved + evidence.sums[0]) / (STRENGTHS + evidence.weights[0])
            moved = float(own @ said)
            self.losses[1] = (1.0 - self.fade) * self.losses[1] + (quality - said) ** 2 / scale
        self._mixture = self._mix()
        return moved

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return {f"{name}.losses": self.losses.copy(), f"{name}.repeats": np.array([self.repeats])}

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.losses = np.array(state[f"{name}.losses"], dtype=np.float64)
        self.repeats = float(state[f"{name}.repeats"][0])
        self._mixture = self._mix()


class Stack:
    """Experts combined with weights that sum to 1, learnt by regression on their predictions."""

    def __init__(self, weights: tuple[float, ...], trust: float, drift: float) -> None:
        """`weights` to start with; `trust` is their prior variance, in noise variances."""
        self.start = np.array(weights)
        self.bank = LinearBank(np.full(len(weights), trust), drift)
        self.bank.grow(1)

    @property
    def weights(self) -> Floats:
        """What each expert counts now; shape (experts,), sum 1."""
        moved = np.clip(self.start + self.bank.weights[0], 0.0, None)
        return np.asarray(moved / max(moved.sum(), 1e-9), dtype=np.float64)

    def learn(self, experts: Floats, quality: float, weight: float) -> None:
        """Learn from one outcome and what each expert had expected, shape (experts,)."""
        centre = float(self.start @ experts)
        self.bank.learn(0, experts - centre, quality - centre, weight)

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return self.bank.save(name)

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.bank.load(name, state)


KNOTS, OWN_KNOTS = np.linspace(0.0, 1.0, 6), np.linspace(0.0, 1.0, 11)
"""Places between which corrections are interpolated: everybody's; one's own, after `spread`."""


class Calibration:
    """Lines of knots from expected to real quality, learnt on the choices made.

    Who is chosen was often expected to be better than it is (the maximum of several guesses is too
    high); a rising line for all candidates takes that out. A second one, of the candidate alone,
    moves more slowly: where one's expectations are off, those of the others need not be. Its knots
    lie closer together towards 0 and 1, where small errors count.
    """

    def __init__(self) -> None:
        """No correction at first."""
        self.bank = LinearBank(np.full(KNOTS.size, 0.03), drift=3e-4)
        self.bank.grow(1)
        self.own = LinearBank(np.full(OWN_KNOTS.size, 0.003), drift=1e-4)

    def grow(self, rows: int) -> None:
        """Have at least this many candidates."""
        self.own.grow(rows)

    def apply(self, expected: Floats, rows: list[int]) -> Floats:
        """The corrected expectations of the candidates in `rows`, within 0…1."""
        line = np.maximum.accumulate(KNOTS + self.bank.weights[0])
        moved = np.clip(np.interp(expected, KNOTS, line), 0.0, 1.0)
        moved += (self.own.weights[rows] * near(spread(moved), OWN_KNOTS)).sum(axis=1)
        return np.asarray(np.clip(moved, 0.0, 1.0), dtype=np.float64)

    def learn(self, row: int, expected: float, quality: float, weight: float) -> None:
        """Learn from one outcome and what had been expected (0…1), uncorrected."""
        line = np.maximum.accumulate(KNOTS + self.bank.weights[0])
        moved = np.clip(np.interp([expected], KNOTS, line), 0.0, 1.0)
        self.own.learn(row, near(spread(moved), OWN_KNOTS)[0], quality - float(moved[0]), weight)
        common = near(np.array([expected]), KNOTS)[0]
        self.bank.learn(0, common, quality - expected, weight)

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return self.bank.save(name) | self.own.save(f"{name}.own")

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.bank.load(name, state)
        self.own.load(f"{name}.own", state)


def near(expected: Floats, knots: Floats) -> Floats:
    """How much each of evenly spread knots counts at these places, shape (n, knots)."""
    return np.asarray(np.maximum(1.0 - np.abs(expected[:, None] - knots) / knots[1], 0.0))


def spread(expected: Floats) -> Floats:
    """Expected qualities, moved apart towards 0 and 1 as far as they vary less there (arcsine)."""
    return np.asarray(np.arcsin(np.sqrt(np.clip(expected, 0.0, 1.0))) * (2.0 / np.pi))
