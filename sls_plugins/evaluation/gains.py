"""What a run gained over its rivals, query by query.

Differences of pairs have narrower intervals than means have, for easy queries are easy for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sls_plugins.evaluation.baselines import Outcomes, best_mix
from sls_plugins.evaluation.metrics import Interval, mean_interval
from sls_plugins.evaluation.results import Decided

__all__ = ["Gain", "gains_of"]


@dataclass(frozen=True, slots=True)
class Gain:
    """Mean difference in quality to a rival, with its 95 % interval; above 0 we are better."""

    over: str
    quality: Interval


def gains_of(
    decided: Sequence[Decided], outcomes: Outcomes, usd_per_query: float
) -> tuple[Gain, ...]:
    """Gains over the best single candidate, and over the best mix at the same spend.

    `decided` and `outcomes` are about the same rows in the same order.
    """
    ours = np.asarray([row.quality for row in decided])
    best = int(outcomes.quality.mean(axis=0).argmax())
    mix = best_mix(outcomes, usd_per_query)
    mixed = (
        mix.share * outcomes.quality[:, mix.first]
        + (1 - mix.share) * outcomes.quality[:, mix.second]
    )
    return (
        Gain(f"always {outcomes.names[best]}", mean_interval(ours - outcomes.quality[:, best])),
        Gain("best fixed mix of two", mean_interval(ours - mixed)),
    )
