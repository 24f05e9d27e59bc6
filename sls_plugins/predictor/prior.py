"""What is believed of a candidate before any outcome is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sls_plugins.types import Candidate

__all__ = [
    "DEFAULT_OUTPUT_TOKENS",
    "FLOOR_USD",
    "guessed_offset",
    "list_cost_usd",
    "price_factor",
    "price_level",
]

DEFAULT_OUTPUT_TOKENS = 200.0
"""Output tokens expected of anybody before any was seen."""

STEP = 0.05
"""How much better a candidate is believed to be that costs ten times as much."""

CENTRE = 0.65
"""The quality that is expected of an unknown candidate of middling price."""

FLOOR_USD = 1e-9
"""A call is never thought to be cheaper, so that costs have logarithms."""


def list_cost_usd(candidate: Candidate, input_tokens: float, output_tokens: float) -> float:
    """What a call costs by list price (USD); a missing price counts as 0."""
    return (
        (candidate.input_usd_per_mtok or 0.0) * input_tokens
        + (candidate.output_usd_per_mtok or 0.0) * output_tokens
    ) / 1e6 + candidate.usd_per_query


def price_level(candidate: Candidate) -> float:
    """Log10 of the list price of a middling call, USD."""
    return math.log10(max(list_cost_usd(candidate, 500.0, DEFAULT_OUTPUT_TOKENS), FLOOR_USD))


def price_factor(before: Candidate, after: Candidate) -> float:
    """How many times the old list price a middling call costs at the new one."""
    return float(10.0 ** (price_level(after) - price_level(before)))


def guessed_offset(candidate: Candidate, levels: Sequence[float]) -> float:
    """Prior quality: declared, else a little better than CENTRE if dearer than `levels` are."""
    if candidate.quality_prior is not None:
        return candidate.quality_prior
    middle = sum(levels) / len(levels)
    step = STEP * (price_level(candidate) - middle)
    return CENTRE + min(max(step, -0.15), 0.15)
