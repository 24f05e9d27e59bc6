"""What an answer will cost: expected tokens at list prices, corrected by what calls cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sls_plugins.predictor.conformal import Conformal
from sls_plugins.predictor.features import TEXT_WIDTH, WIDEST, Arrays, Floats, Seen
from sls_plugins.predictor.lengths import Lengths
from sls_plugins.predictor.linear import LinearBank
from sls_plugins.predictor.prior import FLOOR_USD
from sls_plugins.predictor.tariff import Tariff
from sls_plugins.types import Candidate, State, Usage

__all__ = ["CostModel", "Costs"]

MOST = 8.0
"""Logarithms are kept within plus or minus this: a factor of 3,000."""

UNSETTLED = 3
"""The first calls of a candidate only teach how far the list price is off."""

HIGH = 0.9
"""The quantile that is reserved."""

REMEMBERED = 512
"""Errors of a candidate from which its quantile is taken."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Mean and high quantile of the cost (USD), expected output tokens; shape (K,) each.

    `lengths` are the logarithms of the tokens, as `Lengths` has them.
    """

    mean_usd: Floats
    high_usd: Floats
    output_tokens: Floats
    lengths: Floats


class CostModel:
    """List price of the expected tokens, times how far real costs were off, candidate by candidate.

    Output tokens come from `Lengths`. A small regression per candidate learns the logarithm of
    (real cost / list price). The mean of the cost itself comes from a running ratio of real to
    expected cost (smearing), the quantile from the last errors (conformal).
    """

    def __init__(self, dimension: int) -> None:
        """`dimension` of the vectors."""
        self.tariff = Tariff()
        self.lengths = Lengths(min(dimension, WIDEST))
        self.own = LinearBank(
            np.concatenate(([2.0], np.full(TEXT_WIDTH - 1, 0.05), [0.05])), drift=2e-4
        )
        self.conformal = Conformal(REMEMBERED, HIGH, start=math.log(2.5))
        self.smear: Floats = np.zeros((0, 2))
        self.seen: Floats = np.zeros(0)

    def grow(self, rows: int) -> None:
        """Have at least this many candidates."""
        more = rows - self.seen.size
        if more > 0:
            for part in (self.tariff, self.lengths, self.own, self.conformal):
                part.grow(rows)
            self.smear = np.concatenate((self.smear, np.full((more, 2), 5.0)))
            self.seen = np.concatenate((self.seen, np.zeros(more)))

    def declare(self, row: int, candidate: Candidate) -> None:
        """Take the prices of a candidate."""
        self.tariff.declare(row, candidate)

    def predict(self, seen: Seen, rows: list[int]) -> Costs:
        """Costs of the candidates in `rows`."""
        lengths = self.lengths.predict(self.lengths.look(seen), rows)
        tokens = Lengths.tokens(lengths)
        list_usd = self.tariff.expected_usd(rows, seen.input_tokens, tokens)
        logs = (
            self.own.weights[rows] @ np.append(seen.text, 0.0)
            + self.own.weights[rows, -1] * lengths
        )
        base = np.maximum(list_usd, FLOOR_USD) * np.exp(np.clip(logs, -MOST, MOST))
        mean = base * self.smear[rows, 0] / self.smear[rows, 1]
        known = (list_usd > 0.0) | (self.seen[rows] > 0)
        return Costs(
            mean_usd=np.where(known, mean, 0.0),
            high_usd=np.maximum(base * np.exp(self.conformal.high[rows]), mean),
            output_tokens=tokens,
            lengths=lengths,
        )

    def learn(self, seen: Seen, row: int, usage: Usage | None, real_usd: float | None) -> float:
        """Learn from one call: its tokens and its real cost, as far as they are known.

        Returns the logarithm of the length that had been expected.
        """
        if usage is not None and real_usd is None:
            real_usd = self.tariff.billed_usd(row, usage)
        look = self.lengths.look(seen)
        length = self.lengths.predict(look, [row])
        tokens = Lengths.tokens(length)
        list_usd = float(self.tariff.expected_usd([row], seen.input_tokens, tokens)[0])
        if usage is not None:
            self.lengths.learn(seen, look, row, float(usage.output_tokens))
            self.tariff.learn(row, usage)
        if real_usd is not None and math.isfinite(real_usd) and real_usd >= 0:
            self._learn_bill(row, np.append(seen.text, length[0]), (list_usd, real_usd))
        return float(length[0])

    def _learn_bill(self, row: int, numbers: Floats, usd: tuple[float, float]) -> None:
        """Learn how far the list price (first) was off the real cost (second)."""
        list_usd, real_usd = usd
        target = math.log(max(real_usd, FLOOR_USD) / max(list_usd, FLOOR_USD))
        target = min(max(target, -MOST), MOST)
        self._learn_spread(row, target - float(self.own.weights[row] @ numbers))
        self.own.learn(row, numbers, target)

    def _learn_spread(self, row: int, error: float) -> None:
        self.seen[row] += 1.0
        if self.seen[row] <= UNSETTLED:
            return
        fade = 1.0 / min(self.seen[row] + 10.0, 300.0)
        bounded = math.exp(min(max(error, -4.0), 3.0))
        self.smear[row] = (1.0 - fade) * self.smear[row] + (fade * 5.0 * bounded, fade * 5.0)
        self.conformal.learn(row, error)

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return (
            self.tariff.save(f"{name}.tariff")
            | self.lengths.save(f"{name}.lengths")
            | self.own.save(f"{name}.own")
            | self.conformal.save(f"{name}.conformal")
            | {f"{name}.smear": self.smear.copy(), f"{name}.seen": self.seen.copy()}
        )

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.tariff.load(f"{name}.tariff", state)
        self.lengths.load(f"{name}.lengths", state)
        self.own.load(f"{name}.own", state)
        self.conformal.load(f"{name}.conformal", state)
        self.smear = np.array(state[f"{name}.smear"], dtype=np.float64)
        self.seen = np.array(state[f"{name}.seen"], dtype=np.float64)
