"""What an answer will cost: list price at first, then what calls really cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sls_plugins.predictor.features import TEXT_WIDTH, WIDEST, Arrays, Floats, Seen
from sls_plugins.predictor.linear import LinearBank, WideLinear
from sls_plugins.predictor.prior import DEFAULT_OUTPUT_TOKENS, FLOOR_USD
from sls_plugins.types import State

__all__ = ["CostModel", "Costs"]

MOST = 8.0
"""Logarithms are kept within plus or minus this: a factor of 3,000."""

UNSETTLED = 3
"""The first calls of a candidate only teach how far the list price is off."""

HIGH = 0.9
"""The quantile that is reserved."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Mean and high quantile of the cost (USD) and expected output tokens, shape (K,) each."""

    mean_usd: Floats
    high_usd: Floats
    output_tokens: Floats


class CostModel:
    """Logarithm of (real cost / list-price guess), regressed on the query.

    One wide model learns from every candidate's calls how long answers to such a query are; a small
    model per candidate learns how this candidate differs. The mean of the cost itself comes from a
    running ratio of real to expected cost (smearing), the quantile from tracking it online.
    """

    def __init__(self, dimension: int) -> None:
        """`dimension` of the vectors."""
        wide = TEXT_WIDTH + min(dimension, WIDEST)
        prior = np.concatenate(
            ([1.0], np.full(TEXT_WIDTH - 1, 0.3), np.full(wide - TEXT_WIDTH, 0.1))
        )
        self.shared = WideLinear(prior, drift=2e-6, targets=2)
        self.own = LinearBank(self._own_prior(), drift=2e-4)
        self.length = LinearBank(self._own_prior(), drift=2e-4)
        self.smear: Floats = np.zeros((0, 2))
        self.high: Floats = np.zeros(0)
        self.seen: Floats = np.zeros(0)

    @staticmethod
    def _own_prior() -> Floats:
        return np.concatenate(([4.0], np.full(TEXT_WIDTH - 1, 0.1), [0.2]))

    def grow(self, rows: int) -> None:
        """Have at least this many candidates."""
        more = rows - self.seen.size
        if more > 0:
            self.own.grow(rows)
            self.length.grow(rows)
            self.smear = np.concatenate((self.smear, np.full((more, 2), 5.0)))
            self.high = np.concatenate((self.high, np.full(more, math.log(2.5))))
            self.seen = np.concatenate((self.seen, np.zeros(more)))

    def predict(self, seen: Seen, rows: list[int], list_usd: Floats) -> Costs:
        """Costs of candidates in `rows`, whose list-price guess is `list_usd`, shape (K,)."""
        logs, lengths = self._logs(seen)
        base = np.maximum(list_usd, FLOOR_USD) * np.exp(np.clip(logs[rows], -MOST, MOST))
        ratio = self.smear[rows, 0] / self.smear[rows, 1]
        mean = base * ratio
        return Costs(
            mean_usd=np.where(list_usd > 0.0, mean, np.where(self.seen[rows] > 0, mean, 0.0)),
            high_usd=np.maximum(base * np.exp(self.high[rows]), mean),
            output_tokens=DEFAULT_OUTPUT_TOKENS * np.exp(np.clip(lengths[rows], -MOST, MOST)),
        )

    def _logs(self, seen: Seen) -> tuple[Floats, Floats]:
        shared = self.shared.mean(seen.wide)
        return (
            shared[0] + self.own.mean(np.append(seen.text, shared[0])),
            shared[1] + self.length.mean(np.append(seen.text, shared[1])),
        )

    def learn(self, seen: Seen, row: int, cost: tuple[float, float], output: float | None) -> None:
        """Learn from one call: (its list-price guess, its real cost) in USD, and output tokens."""
        guess_usd, real_usd = max(cost[0], FLOOR_USD), max(cost[1], FLOOR_USD)
        wide = seen.wide
        shared = self.shared.mean(wide)
        numbers = np.append(seen.text, shared[0])
        expected = shared[0] + float(self.own.weights[row] @ numbers)
        target = float(np.clip(math.log(real_usd / guess_usd), -MOST, MOST))
        self._learn_spread(row, target - expected)
        self.own.learn(row, numbers, target - shared[0])
        own = float(self.own.weights[row] @ numbers)
        length = math.nan
        if output is not None:
            log_length = math.log(max(output, 1.0) / DEFAULT_OUTPUT_TOKENS)
            lengths = np.append(seen.text, shared[1])
            self.length.learn(row, lengths, log_length - shared[1])
            length = log_length - float(self.length.weights[row] @ lengths)
        self.shared.learn(wide, np.array([target - own, length]))

    def _learn_spread(self, row: int, error: float) -> None:
        self.seen[row] += 1.0
        if self.seen[row] <= UNSETTLED:
            return
        fade = 1.0 / min(self.seen[row] + 10.0, 300.0)
        bounded = math.exp(min(max(error, -4.0), 3.0))
        self.smear[row] = (1.0 - fade) * self.smear[row] + (fade * 5.0 * bounded, fade * 5.0)
        step = max(0.05, 1.0 / math.sqrt(self.seen[row]))
        self.high[row] += step * (HIGH - float(error <= self.high[row]))

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return (
            self.shared.save(f"{name}.shared")
            | self.own.save(f"{name}.own")
            | self.length.save(f"{name}.length")
            | {
                f"{name}.smear": self.smear.copy(),
                f"{name}.high": self.high.copy(),
                f"{name}.seen": self.seen.copy(),
            }
        )

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.shared.load(f"{name}.shared", state)
        self.own.load(f"{name}.own", state)
        self.length.load(f"{name}.length", state)
        self.smear = np.array(state[f"{name}.smear"], dtype=np.float64)
        self.high = np.array(state[f"{name}.high"], dtype=np.float64)
        self.seen = np.array(state[f"{name}.seen"], dtype=np.float64)
