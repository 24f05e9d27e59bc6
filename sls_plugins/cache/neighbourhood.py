"""Weighs what the nearest entries say together."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sls_plugins.types import CacheEntry, Evidence

__all__ = ["answer_key", "evidence_of"]

_SHARPNESS = 20.0


def answer_key(entry: CacheEntry) -> tuple[str, ...]:
    """Equal for entries whose answers are equal but for blanks."""
    return tuple(entry.answer.text.split())


def evidence_of(near: Sequence[tuple[CacheEntry, float]]) -> Evidence:
    """What all entries in `near` (with their similarities, most similar first) say of the first.

    An entry weighs exp(20·(its similarity - the best one)).
    """
    wanted = answer_key(near[0][0])
    same = [answer_key(entry) == wanted for entry, _ in near]
    best = near[0][1]
    weights = [math.exp(_SHARPNESS * (similarity - best)) for _, similarity in near]
    agreeing = sum(weight for weight, agrees in zip(weights, same, strict=True) if agrees)
    others = [similarity for (_, similarity), agrees in zip(near, same, strict=True) if not agrees]
    run = next((count for count, agrees in enumerate(same) if not agrees), len(same))
    return Evidence(
        agreeing=agreeing / sum(weights),
        support=sum(same),
        run=run,
        among=len(near),
        rival=max(others, default=None),
    )
