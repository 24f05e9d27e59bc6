"""Weighs what the nearest entries say together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from sls_plugins.types import CacheEntry, Evidence

__all__ = ["evidence_of"]

_SHARPNESS = 20.0


def evidence_of(near: Sequence[tuple[CacheEntry, float]]) -> Evidence:
    """What all entries in `near` (with their similarities, most similar first) say of the first.

    An entry weighs exp(20·(its similarity - the best one)). Answers are equal but for blanks.
    """
    text, best = _said(near[0][0].answer.text), near[0][1]
    agreeing, total, support, run = 0.0, 0.0, 0, len(near)
    rival: float | None = None
    for place, (entry, similarity) in enumerate(near):
        weight = math.exp(_SHARPNESS * (similarity - best))
        total += weight
        if _said(entry.answer.text) == text:
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


@lru_cache(maxsize=1024)  # the same long answers come again and again
def _said(answer: str) -> str:
    """The answer with single blanks, itself where it has no others."""
    plain = " ".join(answer.split())
    return answer if plain == answer else plain
