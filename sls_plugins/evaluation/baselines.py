"""Rival policies on the same trace, most of them with the benefit of hindsight.

Fair play asks for them: several published routers lose to a fixed mix of two models. All work on
two matrices, shape (n, m): quality and cost in USD of every query with every candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sls_plugins.evaluation.charges import CountTokens, charge
from sls_plugins.evaluation.metrics import mean_interval
from sls_plugins.evaluation.results import Policy
from sls_plugins.evaluation.traces import RoutingRow
from sls_plugins.types import Candidate

__all__ = [
    "Columns",
    "Mix",
    "Outcomes",
    "Rivals",
    "best_mix",
    "choose_within",
    "chosen_policy",
    "compare",
    "oracle",
    "oracle_at",
    "own_up",
    "random_policy",
    "singles",
    "table_of",
]

Floats = NDArray[np.float64]

Columns: TypeAlias = NDArray[np.intp]
"""The candidate (column) chosen for each query, shape (n,)."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """All outcomes of a trace: candidate names (m), quality (n, m), cost in USD (n, m)."""

    names: tuple[str, ...]
    quality: Floats
    cost_usd: Floats

    def rows(self, places: Sequence[int]) -> Outcomes:
        """Only these rows."""
        return Outcomes(self.names, self.quality[places], self.cost_usd[places])

    def after(self, count: int) -> Outcomes:
        """The same without the first rows."""
        return Outcomes(self.names, self.quality[count:], self.cost_usd[count:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """A fixed mix of two candidates (columns): the first is drawn with probability `share`."""

    first: int
    second: int
    share: float
    quality: float
    usd_per_query: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rivals:
    """The policies beside which a run is shown; `singles` are sorted, the best one first.

    `knn` is None where the embeddings of all queries were not asked for.
    """

    singles: tuple[Policy, ...]
    random: Policy
    mix: Policy
    oracle_at_spend: Policy
    oracle: Policy
    knn: Policy | None = None

    @property
    def all(self) -> tuple[Policy, ...]:
        """All of them, as a table lists them."""
        knn = (self.knn,) if self.knn else ()
        return (*self.singles, self.random, self.mix, *knn, self.oracle_at_spend, self.oracle)

    @property
    def drawn(self) -> tuple[Policy, ...]:
        """Those worth a curve: the best single candidate, and the best mix at the same spend."""
        return (self.singles[0], self.mix)


def table_of(
    rows: Sequence[RoutingRow], candidates: Sequence[Candidate], count: CountTokens
) -> Outcomes:
    """Every outcome of these rows, billed as a replay bills them."""
    shape = (len(rows), len(candidates))
    quality, cost_usd = np.zeros(shape), np.zeros(shape)
    for i, row in enumerate(rows):
        for j, candidate in enumerate(candidates):
            outcome = row.outcomes[candidate.name]
            quality[i, j] = outcome.score
            cost_usd[i, j] = charge(outcome, candidate, row.prompt, count).cost_usd
    return Outcomes(tuple(candidate.name for candidate in candidates), quality, cost_usd)


def singles(outcomes: Outcomes) -> tuple[Policy, ...]:
    """Always the same candidate, one policy each, in order."""
    return tuple(
        _policy(f"always {name}", outcomes.quality[:, j], outcomes.cost_usd[:, j])
        for j, name in enumerate(outcomes.names)
    )


def random_policy(outcomes: Outcomes) -> Policy:
    """Any candidate with equal probability, in expectation."""
    return _policy("random", outcomes.quality.mean(axis=1), outcomes.cost_usd.mean(axis=1))


def best_mix(outcomes: Outcomes, usd_per_query: float) -> Mix:
    """The best fixed mix of at most two candidates that spends no more than this on average.

    If even the cheapest candidate is dearer, it is always the cheapest one, which then spends more.
    Exact: the expected quality of a mix is linear in its share, so only shares that use up the
    spend (or single candidates) can be best.
    """
    quality, cost = outcomes.quality.mean(axis=0), outcomes.cost_usd.mean(axis=0)
    spend = max(usd_per_query, float(cost.min()))
    best: Mix | None = None
    for first in range(len(cost)):
        for second in range(len(cost)):
            mix = _mix_at(quality, cost, (first, second), spend)
            if mix is not None and (best is None or mix.quality > best.quality):
                best = mix
    assert best is not None
    return best


def _mix_at(quality: Floats, cost: Floats, pair: tuple[int, int], spend: float) -> Mix | None:
    """The mix of a cheaper and a dearer candidate which uses up the spend, if there is one."""
    cheap, dear = pair
    if cost[cheap] > spend or (cheap != dear and cost[dear] <= spend):
        return None
    share = 1.0 if cheap == dear else float((cost[dear] - spend) / (cost[dear] - cost[cheap]))
    return Mix(
        first=cheap,
        second=dear,
        share=share,
        quality=float(share * quality[cheap] + (1 - share) * quality[dear]),
        usd_per_query=float(share * cost[cheap] + (1 - share) * cost[dear]),
    )


def oracle(outcomes: Outcomes) -> Policy:
    """For each query the best answer that any candidate gave, from the cheapest of the best."""
    best = outcomes.quality.max(axis=1, keepdims=True)
    chosen = np.where(outcomes.quality >= best, outcomes.cost_usd, np.inf).argmin(axis=1)
    return chosen_policy("oracle", outcomes, chosen)


def oracle_at(outcomes: Outcomes, usd_per_query: float) -> Policy:
    """The best choice per query, all outcomes known, within this mean spend.

    At most one query's step below the exact optimum of the knapsack's hull.
    """
    chosen = choose_within(outcomes.quality, outcomes.cost_usd, outcomes.cost_usd, usd_per_query)
    return chosen_policy("oracle, same spend", outcomes, chosen)


def choose_within(
    quality: Floats, cost_usd: Floats, charged_usd: Floats, usd_per_query: float
) -> Columns:
    """Columns by `argmax quality - price·cost_usd`, at the lowest price that keeps to the spend.

    All matrices have shape (n, m); `charged_usd` is what a choice really costs. The price of money
    is found by bisection; if no price keeps to the spend, it is one that buys nothing dear.
    """
    rows = np.arange(len(quality))

    def choose(price: float) -> Columns:
        worth: Floats = quality - price * cost_usd
        columns: Columns = worth.argmax(axis=1)
        return columns

    def spends(price: float) -> float:
        return float(charged_usd[rows, choose(price)].mean())

    low, high = 1e-9, 1e12
    if spends(low) <= usd_per_query:
        return choose(low)
    while high > low * (1 + 1e-9):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if spends(middle) <= usd_per_query else (middle, high)
    return choose(high)


def compare(outcomes: Outcomes, usd_per_query: float) -> Rivals:
    """All rivals of a policy that spent this much per query."""
    return Rivals(
        singles=tuple(sorted(singles(outcomes), key=lambda policy: -policy.quality)),
        random=random_policy(outcomes),
        mix=own_up(_mix_policy(outcomes, best_mix(outcomes, usd_per_query)), usd_per_query),
        oracle_at_spend=own_up(oracle_at(outcomes, usd_per_query), usd_per_query),
        oracle=oracle(outcomes),
    )


def own_up(policy: Policy, usd_per_query: float) -> Policy:
    """Say so if a rival "at the same spend" spends more, for nothing is as cheap as a cache."""
    if policy.usd_per_query <= usd_per_query * (1 + 1e-9):
        return policy
    return replace(policy, note=f"{policy.note}; no candidate is that cheap".removeprefix("; "))


def _mix_policy(outcomes: Outcomes, mix: Mix) -> Policy:
    weights = np.zeros(len(outcomes.names))
    weights[mix.first] += mix.share
    weights[mix.second] += 1 - mix.share
    parts = [f"{w:.0%} {name}" for w, name in zip(weights, outcomes.names, strict=True) if w > 0]
    note = f"at the same spend: {' + '.join(parts)}"
    return _policy(
        "best fixed mix of two",
        outcomes.quality @ weights,
        outcomes.cost_usd @ weights,
        hindsight=True,
        note=note,
    )


def chosen_policy(name: str, outcomes: Outcomes, chosen: Columns, note: str = "") -> Policy:
    """The hindsight policy which chose these columns, shape (n,)."""
    rows = np.arange(len(chosen))
    quality, cost_usd = outcomes.quality[rows, chosen], outcomes.cost_usd[rows, chosen]
    return _policy(name, quality, cost_usd, hindsight=True, note=note)


def _policy(
    name: str, quality: Floats, cost_usd: Floats, *, hindsight: bool = False, note: str = ""
) -> Policy:
    """A policy from its (expected) quality and cost of each query, shape (n,) each."""
    interval = mean_interval(quality)
    return Policy(
        name=name,
        quality=interval.mean,
        quality_low=interval.low,
        quality_high=interval.high,
        usd_per_query=float(cost_usd.mean()),
        cost_usd=float(cost_usd.sum()),
        calls=len(quality),
        hit_rate=0.0,
        hindsight=hindsight,
        note=note,
    )
