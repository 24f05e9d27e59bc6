"""What a call costs by list price, given how many tokens it takes."""

from __future__ import annotations

import numpy as np

from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import Candidate, State, Usage

__all__ = ["Tariff"]

WINDOW = 50.0
"""Calls over which the shares of cached and of reasoning tokens are averaged."""


class Tariff:
    """List prices of each candidate, and how its tokens are usually made up.

    Some candidates sell input tokens that they read from their own cache, or reasoning tokens, at
    another price: which share of the tokens those are is averaged over the last calls.
    """

    def __init__(self) -> None:
        """No candidates."""
        self.prices: Floats = np.zeros((0, 5))
        self.shares: Floats = np.zeros((0, 3))

    def grow(self, rows: int) -> None:
        """Have at least this many candidates."""
        more = rows - len(self.prices)
        if more > 0:
            self.prices = np.concatenate((self.prices, np.zeros((more, 5))))
            self.shares = np.concatenate((self.shares, np.zeros((more, 3))))

    def declare(self, row: int, candidate: Candidate) -> None:
        """Take the prices of a candidate; one that is missing counts as 0, or as its kind's."""
        into = candidate.input_usd_per_mtok or 0.0
        out = candidate.output_usd_per_mtok or 0.0
        cached, reasoning = candidate.cached_input_usd_per_mtok, candidate.reasoning_usd_per_mtok
        self.prices[row] = (
            into,
            into if cached is None else cached,
            out,
            out if reasoning is None else reasoning,
            candidate.usd_per_query,
        )

    def expected_usd(self, rows: list[int], input_tokens: float, output_tokens: Floats) -> Floats:
        """List price of calls with these output tokens, shape (K,), made up as usual."""
        into, cached, out, reasoning, fee = self.prices[rows].T
        cached_share, reasoning_share = self.shares[rows, 0], self.shares[rows, 1]
        micro_usd = input_tokens * (into + cached_share * (cached - into)) + output_tokens * (
            out + reasoning_share * (reasoning - out)
        )
        return np.asarray(micro_usd / 1e6 + fee, dtype=np.float64)

    def billed_usd(self, row: int, usage: Usage) -> float:
        """List price of a call that was made."""
        cached = min(usage.cached_tokens, usage.input_tokens)
        reasoning = min(usage.reasoning_tokens, usage.output_tokens)
        tokens = (
            usage.input_tokens - cached,
            cached,
            usage.output_tokens - reasoning,
            reasoning,
            1e6,
        )
        return float(self.prices[row] @ np.array(tokens)) / 1e6

    def learn(self, row: int, usage: Usage) -> None:
        """Learn from one call how this candidate's tokens are made up."""
        cached = usage.cached_tokens / max(usage.input_tokens, 1)
        reasoning = usage.reasoning_tokens / max(usage.output_tokens, 1)
        shares = self.shares[row]
        shares[2] += 1.0
        shares[:2] += (np.array([cached, reasoning]).clip(0.0, 1.0) - shares[:2]) / min(
            shares[2] + 1.0, WINDOW
        )

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return {f"{name}.prices": self.prices.copy(), f"{name}.shares": self.shares.copy()}

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.prices = np.array(state[f"{name}.prices"], dtype=np.float64)
        self.shares = np.array(state[f"{name}.shares"], dtype=np.float64)
