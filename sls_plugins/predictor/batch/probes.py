"""Which queries are worth a label: those that tell most of many others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sls_plugins.predictor.batch.rows import Rows
from sls_plugins.predictor.features import Floats

__all__ = ["well_chosen"]

LOOKED_AT = 2000
"""Distinct texts that are compared; of more, the most frequent."""

ALL, PATTERN, WORDS, NEARLY, NEAR = 0.1, 0.5, 0.1, 0.2, 0.1
"""Variance of quality by what queries share: nothing, pattern, words, nearly all words, meaning."""

NOISE = 0.05
"""What a label tells of its own text alone."""


def well_chosen(rows: Rows, count: int) -> NDArray[np.intp]:
    """Places of up to `count` queries, chosen one by one without knowing any label.

    Each is the one whose label would take most doubt from all queries together, were their quality
    a Gaussian process: a frequent pattern gets a second label before a rare one gets its first. A
    text counts as often as it comes, and is labelled once.
    """
    _, first, often = np.unique(rows.exact, return_index=True, return_counts=True)
    kept = np.argsort(-often, kind="stable")[:LOOKED_AT]
    first, often = first[kept], often[kept].astype(np.float64)
    doubt = _covariance(rows.take(first))
    chosen: list[int] = []
    for _ in range(min(count, len(first))):
        told = often @ doubt**2 / (doubt.diagonal() + NOISE)
        told[chosen] = -1.0
        best = int(told.argmax())
        chosen.append(best)
        doubt -= np.outer(doubt[best], doubt[best] / (doubt[best, best] + NOISE))
    return np.asarray(first[chosen], dtype=np.intp)


def _covariance(rows: Rows) -> Floats:
    words = np.asarray(rows.words @ rows.words.T, dtype=np.float64)
    cosine = np.asarray(rows.vectors @ rows.vectors.T, dtype=np.float64)
    same = rows.pattern[:, None] == rows.pattern[None, :]
    alike = PATTERN * same + WORDS * words + NEARLY * words**4
    return np.asarray(ALL + alike + NEAR * np.exp((cosine - 1.0) / 0.1), dtype=np.float64)
