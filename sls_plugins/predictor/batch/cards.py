"""A candidate's card: what is known of it besides its name, as numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sls_plugins.predictor.features import Floats
from sls_plugins.predictor.prior import FLOOR_USD, price_level
from sls_plugins.types import Candidate

__all__ = ["CARD_WIDTH", "card_of", "cards_of"]

CARD_WIDTH = 7


def card_of(
    candidate: Candidate, quality: float, output_tokens: float = 0.0, latency_s: float = 0.0
) -> Floats:
    """Prices (logarithms), declared limits, then running quality, length, latency; shape (7,)."""
    prices = [candidate.input_usd_per_mtok or 0.0, candidate.output_usd_per_mtok or 0.0]
    return np.array(
        [
            *(np.log10(max(price, FLOOR_USD)) for price in prices),
            price_level(candidate),
            np.log10(candidate.context_window or 1),
            quality,
            np.log1p(output_tokens),
            np.log1p(latency_s),
        ]
    )


def cards_of(candidates: Sequence[Candidate], quality: Floats) -> Floats:
    """Cards of candidates whose mean quality is known; a NaN is filled from near prices.

    Shape (m, 7). The candidates nearest in price stand in for one that was never seen.
    """
    levels = np.array([price_level(candidate) for candidate in candidates])
    known = np.flatnonzero(~np.isnan(quality))
    filled = quality.copy()
    for place in np.flatnonzero(np.isnan(quality)):
        if not known.size:
            filled[place] = 0.5
            continue
        near = np.exp(-np.abs(levels[known] - levels[place]))
        filled[place] = float(near @ quality[known] / near.sum())
    return np.array([card_of(one, mean) for one, mean in zip(candidates, filled, strict=True)])
