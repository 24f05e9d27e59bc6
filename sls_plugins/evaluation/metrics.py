"""Figures of merit of a run, each with the sample it needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Interval",
    "calibration_error",
    "log_r2",
    "mean_interval",
    "percentile",
    "rate_interval",
]

Floats = NDArray[np.float64]

_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval, which one value alone does not have."""

    mean: float
    low: float | None = None
    high: float | None = None


def mean_interval(values: Sequence[float] | Floats) -> Interval:
    """Mean of one value or more, with the normal 95 % interval; rows are taken as independent."""
    sample = np.asarray(values, dtype=np.float64)
    mean = float(sample.mean())
    if sample.size == 1:
        return Interval(mean)
    half = _Z95 * float(sample.std(ddof=1)) / math.sqrt(sample.size)
    return Interval(mean, mean - half, mean + half)


def rate_interval(count: int, cases: int) -> Interval:
    """A rate with Wilson's 95 % interval, which is right for rates near 0, too."""
    if cases == 0:
        return Interval(0.0)
    rate, square = count / cases, _Z95**2
    middle = (rate + square / (2 * cases)) / (1 + square / cases)
    spread = math.sqrt(rate * (1 - rate) / cases + square / (4 * cases**2))
    half = _Z95 * spread / (1 + square / cases)
    return Interval(rate, max(0.0, middle - half), min(1.0, middle + half))


def calibration_error(
    predicted: Sequence[float], actual: Sequence[float], bins: int = 10
) -> float | None:
    """Expected calibration error: mean |predicted - actual| over bins of equal count.

    Both are 0…1 and of equal length. Bins hold equally many predictions (ties stay in order of
    arrival), so that no bin rests on a handful. None without any prediction.
    """
    if not predicted:
        return None
    expected = np.asarray(predicted, dtype=np.float64)
    found = np.asarray(actual, dtype=np.float64)
    order = np.argsort(expected, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    gaps = [abs(float((expected[part] - found[part]).sum())) for part in parts]
    return sum(gaps) / len(order)


def log_r2(predicted: Sequence[float], actual: Sequence[float]) -> float | None:
    """Share of the variance of log(actual) that log(predicted) explains: 1 is perfect, 0 no use.

    Pairs that are not both positive are left out. None with fewer than two, or without variance.
    """
    pairs = [(p, a) for p, a in zip(predicted, actual, strict=True) if p > 0 and a > 0]
    if len(pairs) < 2:
        return None
    expected, found = np.log(np.asarray(pairs, dtype=np.float64)).T
    total = float(((found - found.mean()) ** 2).sum())
    if total <= 1e-12 * len(pairs):
        return None
    return 1.0 - float(((found - expected) ** 2).sum()) / total


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which a share (0…1) of the sample lies."""
    return float(np.quantile(np.asarray(values, dtype=np.float64), share))
