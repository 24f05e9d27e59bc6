"""Weighs what the nearest entries say together."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sls_plugins.types import CacheEntry, Evidence

__all__ = ["evidence_of"]

_SHARPNESS = 20.0


def evidence_of(near: Sequence[tuple[CacheEntry, float]]) -> Evidence:
    """What all entries in `near` (with their similarities, most similar first) say of the first.

    An entry weighs exp(20·(its similarity - the best one)). Answers are equal but for blanks.
    """
    text, best = near[0][0].answer.text, near[0][1]
    words = text.split()
    agreeing, total, support, run = 0.0, 0.0, 0, len(near)
    rival: float | None = None
    for place, (entry, similarity) in enumerate(near):
        weight = math.exp(_SHARPNESS * (similarity - best))
        total += weight
        other = entry.answer.text
        if other == text or other.split() == words:
            agreeing += weight
            support += 1
        else:
            run = min(run, place)
            rival = similarity if rival is None else max(rival, similarity)
    return Evidence(
        agreeing=agreeing / total,
        support=support,
        run=run,
        among=len(near),
        rival=rival,
    )
