"""Which queries are worth a label: those that stand for many others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sls_plugins.predictor.batch.rows import Rows

__all__ = ["well_chosen"]

LOOKED_AT = 2000
"""Distinct patterns that are compared; of more, the most frequent."""


def well_chosen(rows: Rows, count: int) -> NDArray[np.intp]:
    """Places of up to `count` queries, chosen one by one without knowing any label.

    Each is the one that brings all others nearest to one that was chosen (facility location), by
    words or by embedding, whichever finds them more alike; a pattern counts as often as it comes.
    """
    _, first, often = np.unique(rows.pattern, return_index=True, return_counts=True)
    kept = np.argsort(-often, kind="stable")[:LOOKED_AT]
    first, often = first[kept], often[kept].astype(np.float64)
    some = rows.take(first)
    alike = np.maximum(some.words @ some.words.T, some.vectors @ some.vectors.T)
    alike = np.maximum(alike, 0.0).astype(np.float64)
    reached = np.zeros(len(first))
    chosen: list[int] = []
    for _ in range(min(count, len(first))):
        gains = often @ np.maximum(alike - reached[:, None], 0.0)
        gains[chosen] = -1.0
        chosen.append(int(gains.argmax()))
        reached = np.maximum(reached, alike[:, chosen[-1]])
    return np.asarray(first[chosen], dtype=np.intp)
