"""What each candidate is worth on the whole, and the best fixed mix of two of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.scheduler.frontier import hull_of
from sls_plugins.types import Estimate, State

__all__ = ["Mix", "Rows", "Standing", "needed", "surprise"]

Floats = NDArray[np.float64]

Rows = NDArray[np.intp]

MEMORY = 2000.0
"""Queries, and outcomes of one candidate, over which a mean is taken."""

MOST_WEIGHT = 20.0
"""What one outcome may count at most, however unlikely it was to be seen."""

TRUST = 4.0
"""Outcomes, if they weighed alike, that the predictor's own word on a candidate is worth."""

LITTLE = 0.1
"""Quality that may be gained where outcomes count whole; they count half at twice as much."""

MUCH_CHEAPER, FORGOTTEN = 0.5, 0.98
"""Factor on its prices at which a candidate is tried anew, and the share forgotten of it then."""

MANY = 1e3
"""Nats, per outcome, against what cannot be."""


@dataclass(frozen=True, slots=True)
class Mix:
    """A fixed mix: `share` (0…1) of the queries go to `second`, the others to `first`."""

    first: str
    second: str
    share: float

    def shares(self, names: Sequence[str]) -> Floats:
        """The share of each of these candidates, shape (n,); whoever is missing gives up his."""
        wanted = np.zeros(len(names))
        for name, share in ((self.first, 1.0 - self.share), (self.second, self.share)):
            if name in names:
                wanted[names.index(name)] += share
        total = float(wanted.sum())
        return wanted / total if total > 0.0 else wanted


def surprise(seen: float, real: float) -> float:
    """Nats by which a mean of `seen` (0…1) speaks, per outcome, against a `real` one or more.

    Of Bernoulli's distribution, which no other between 0 and 1 exceeds; many for more than 1.
    """
    if real > 1.0:
        return MANY
    seen = min(max(seen, 1e-6), 1.0 - 1e-6)
    inside = min(max(real, seen), 1.0 - 1e-9)
    return seen * math.log(seen / inside) + (1.0 - seen) * math.log((1.0 - seen) / (1.0 - inside))


def needed(means: tuple[Floats, Floats], price: float) -> list[float]:
    """The mean quality with which each one would be worth as much as the best of them.

    On the whole, by mean quality and cost of each, at this price (quality per USD).
    """
    quality, cost = means
    told: list[float] = (float((quality - price * cost).max()) + price * cost).tolist()
    return told


class Standing:
    """Mean quality and cost of each candidate over all queries, also those it was not asked.

    Doubly robust: the mean of what the predictor expects on every query, corrected by the errors it
    made where the candidate was chosen, each weighted by one over its propensity. Only the chosen
    candidate's outcome is ever looked at.
    """

    def __init__(self) -> None:
        """Nobody is known."""
        self.names: list[str] = []
        self._places: dict[str, int] = {}
        self._asked_for: tuple[Sequence[str], Rows] = ((), np.zeros(0, dtype=np.intp))
        self._in_order = False  # whether that was everybody, in the order of rows
        self.expected: Floats = np.zeros((0, 3))  # sums of quality and cost, weight
        self.errors: Floats = np.zeros((0, 3))  # sums of errors of quality, weights, their squares
        self.bills: Floats = np.zeros((0, 2))  # sums of real and of expected cost
        self.tries: Floats = np.zeros(0)
        self.own: Floats = np.zeros((0, 2))  # sum of qualities, outcomes: nothing fades by itself
        self.asked: Floats = np.zeros(0)
        self._off: Floats = np.zeros(0)  # what is to be added to the expected quality, by `errors`
        self._dearer: Floats = np.zeros(0)  # times what is expected that it costs, by `bills`
        self.cheaper: Floats = np.zeros(0)  # 1 for who has become so

    def rows(self, names: Sequence[str]) -> Rows:
        """The places of these candidates, new ones included; the last answer is kept."""
        if names == self._asked_for[0]:
            return self._asked_for[1]
        fresh = [name for name in names if name not in self._places]
        if fresh:
            self.names += fresh
            self._places = {name: place for place, name in enumerate(self.names)}
            grown = len(fresh)
            self.expected = np.concatenate((self.expected, np.zeros((grown, 3))))
            self.errors = np.concatenate((self.errors, np.zeros((grown, 3))))
            self.bills = np.concatenate((self.bills, np.full((grown, 2), 1e-12)))
            self.tries = np.concatenate((self.tries, np.zeros(grown)))
            self.own = np.concatenate((self.own, np.zeros((grown, 2))))
            self.asked = np.concatenate((self.asked, np.zeros(grown)))
            self._off = np.concatenate((self._off, np.zeros(grown)))
            self._dearer = np.concatenate((self._dearer, np.ones(grown)))
            self.cheaper = np.concatenate((self.cheaper, np.zeros(grown)))
        rows = np.array([self._places[name] for name in names], dtype=np.intp)
        self._asked_for, self._in_order = (list(names), rows), list(names) == self.names
        return rows

    def observe(self, estimates: Sequence[Estimate], rows: Rows) -> None:
        """A query came, of which this is expected."""
        everybody = rows is self._asked_for[1] and self._in_order
        sums = self.expected if everybody else self.expected[rows]
        sums *= 1.0 - 1.0 / MEMORY
        sums[:, 0] += np.array([one.quality for one in estimates])
        sums[:, 1] += np.array([one.cost_usd for one in estimates])
        sums[:, 2] += 1.0
        if not everybody:
            self.expected[rows] = sums

    def ask(self, name: str) -> None:
        """A candidate was chosen."""
        row = self._row(name)  # may grow the array
        self.asked[row] += 1.0

    def forget(self, name: str, share: float) -> None:
        """Let a share of what is known of a candidate count no longer."""
        if name in self.names:
            row = self.names.index(name)
            self.asked[row] *= (1.0 - share) ** 2  # who has changed is as good as never asked
            self.own[row] *= (1.0 - share) ** 2
            for sums in (self.errors, self.expected):
                sums[row] *= 1.0 - share
            self._renew(row)

    def reprice(self, name: str, factor: float) -> None:
        """A candidate's prices are so many times what they were.

        One that is much cheaper is tried anew, whatever its few outcomes said: they were few
        because it was not worth its price.
        """
        row = self._row(name)  # may grow the arrays
        self.expected[row, 1] *= factor
        self.cheaper[row] = factor <= MUCH_CHEAPER
        if factor <= MUCH_CHEAPER:
            self.forget(name, FORGOTTEN)

    def grade(self, estimate: Estimate, quality: float, propensity: float) -> None:
        """The chosen candidate's answer was this good."""
        row = self._row(estimate.candidate)
        weight = min(1.0 / max(propensity, 1e-9), MOST_WEIGHT)
        self.errors[row] *= 1.0 - 1.0 / MEMORY
        self.errors[row] += (weight * (quality - estimate.quality), weight, weight**2)
        self.tries *= 1.0 - 1.0 / MEMORY
        self.tries[row] += 1.0
        self.own[row] += (quality, 1.0)
        self._renew(row)

    def bill(self, estimate: Estimate, usd: float) -> None:
        """The chosen candidate's answer cost this."""
        row = self._row(estimate.candidate)
        self.bills[row] *= 1.0 - 10.0 / MEMORY
        self.bills[row] += (usd, estimate.cost_usd)
        self._renew(row)

    def _renew(self, row: int) -> None:
        """How far off expectations of a candidate are, by its outcomes.

        A few outcomes that weigh much say no more than as many that weigh little.
        """
        error, weight, squares = self.errors[row].tolist()
        alike = weight * weight / max(squares, 1e-9)
        self._off[row] = error / max(weight, 1e-9) * alike / (alike + TRUST)
        paid, expected = self.bills[row].tolist()
        self._dearer[row] = min(max(paid / expected, 0.3), 3.0)

    def means(self, rows: Rows) -> tuple[Floats, Floats]:
        """Mean quality and cost of these candidates, shape (n,) each."""
        qualities, costs, weights = self.expected[rows].T
        seen = np.maximum(weights, 1e-9)
        return qualities / seen + self._off[rows], costs / seen * self._dearer[rows]

    def against(self, row: int, needed: float) -> float:
        """Nats by which somebody's outcomes speak against so much mean quality.

        Its own outcomes alone count: an expectation that was bent by a bad start does not. They
        count half where much could be gained: where the best leaves much to be desired.
        """
        scores, outcomes = self.own[row].tolist()
        nats: float = outcomes * surprise(scores / max(outcomes, 1e-9), needed)
        return nats / min(max((1.0 - needed) / LITTLE, 1.0), 2.0)

    def mix(self, rows: Rows, usd: float) -> Mix:
        """The best mix of two that is expected to cost this much per query, or less."""
        quality, cost = self.means(rows)
        hull = hull_of(quality.tolist(), cost.tolist())
        at, left = hull.start, usd - hull.cost_usd
        for step in hull.steps:
            if left < step.cost_usd:
                share = max(0.0, left / step.cost_usd)
                return Mix(self.names[rows[at]], self.names[rows[step.to]], share)
            at, left = step.to, left - step.cost_usd
        return Mix(self.names[rows[at]], self.names[rows[at]], 0.0)

    def _row(self, name: str) -> int:
        """The place of one candidate, a new one included."""
        return self._places[name] if name in self._places else int(self.rows([name])[0])

    def save(self, name: str) -> dict[str, NDArray[np.generic]]:
        """The arrays under names that start with `name`."""
        return {
            f"{name}.names": np.array(self.names, dtype=np.str_),
            f"{name}.expected": self.expected.copy(),
            f"{name}.errors": self.errors.copy(),
            f"{name}.bills": self.bills.copy(),
            f"{name}.tries": self.tries.copy(),
            f"{name}.own": self.own.copy(),
            f"{name}.asked": self.asked.copy(),
            f"{name}.cheaper": self.cheaper.copy(),
        }

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.names = [str(one) for one in state[f"{name}.names"]]
        self._places = {one: place for place, one in enumerate(self.names)}
        self._asked_for = ((), np.zeros(0, dtype=np.intp))
        self.expected = np.array(state[f"{name}.expected"], dtype=np.float64)
        self.errors = np.array(state[f"{name}.errors"], dtype=np.float64)
        self.bills = np.array(state[f"{name}.bills"], dtype=np.float64)
        self.tries = np.array(state[f"{name}.tries"], dtype=np.float64)
        self.own = np.array(state[f"{name}.own"], dtype=np.float64)
        self.asked = np.array(state[f"{name}.asked"], dtype=np.float64)
        self._off, self._dearer = np.zeros(len(self.names)), np.ones(len(self.names))
        for row in range(len(self.names)):
            self._renew(row)
        cheaper = state.get(f"{name}.cheaper", np.zeros(len(self.names)))  # of an older version
        self.cheaper = np.array(cheaper, dtype=np.float64)
