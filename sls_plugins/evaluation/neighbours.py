"""The rival that is told everything: nearest neighbours with every candidate's outcome.

For each query the quality and cost of each candidate are the means over the nearest earlier
queries, with the outcomes of *all* candidates (no router in production ever sees those). The price
of money is the one that keeps to the spend, found in hindsight.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sls_plugins.evaluation.baselines import (
    Columns,
    Outcomes,
    choose_within,
    chosen_policy,
    own_up,
)
from sls_plugins.evaluation.results import Policy
from sls_plugins.types import Matrix

__all__ = ["knn_policy"]

NEIGHBOURS = 20

BLOCK = 256
"""Rows that are searched at once."""


def knn_policy(
    outcomes: Outcomes, vectors: Matrix, usd_per_query: float, *, warm: int = 0
) -> Policy:
    """Choice by the nearest earlier rows, within this mean spend.

    `outcomes` and `vectors` (shape (n, d), unit length) are in the order in which rows are decided;
    the first `warm` rows are learnt from only.
    """
    quality, cost_usd = np.zeros_like(outcomes.quality), np.zeros_like(outcomes.cost_usd)
    for row, near in _earlier(vectors):
        quality[row] = outcomes.quality[near].mean(axis=0)
        cost_usd[row] = outcomes.cost_usd[near].mean(axis=0)
    counted = outcomes.after(warm)
    chosen = choose_within(quality[warm:], cost_usd[warm:], counted.cost_usd, usd_per_query)
    note = f"{NEIGHBOURS} nearest earlier queries, told every candidate's outcome"
    return own_up(chosen_policy("kNN, full labels", counted, chosen, note), usd_per_query)


def _earlier(vectors: Matrix) -> Iterator[tuple[int, Columns]]:
    """For each row but the first, the places of its nearest earlier rows."""
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        similarities = block @ vectors[: start + len(block)].T
        for offset, row in enumerate(range(start, start + len(block))):
            if row == 0:
                continue
            known = similarities[offset, :row]
            count = min(NEIGHBOURS, row)
            yield row, np.argpartition(-known, count - 1)[:count]
