"""The rule of vCache, as its paper describes it: each entry learns for itself when it may answer.

P(right | similarity s) of an entry is a logistic curve with a threshold t and a slope; both are
learnt from the entry's own labels alone. A request is answered afresh with a probability tau that
leaves the chance of a wrong answer, over all requests, at most delta: with c the chance of being
right by a threshold that is, with confidence 1 - e, not too low, tau = 1 - delta / (1 - (1 - e)·c),
and the best e is taken. Written from the idea, for comparison; nobody here uses it.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["VCacheRule"]

_THRESHOLDS = np.linspace(0.5, 1.05, 45)
_SLOPES = np.array((5.0, 10.0, 20.0, 40.0, 80.0, 160.0))
_DOUBTS = np.array((0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5))
_CUTS = np.array((10.83, 7.88, 6.63, 5.41, 3.84, 2.71, 1.64, 1.07, 0.455)) / 2.0
"""Half the chi-square quantiles at 1 - doubt, one degree of freedom: a profile likelihood's cut."""


class VCacheRule:
    """Explores with the probability that keeps the chance of a wrong answer at `delta`."""

    def __init__(self, delta: float, seed: int = 0) -> None:
        """`delta` is a bound for each request, not for each hit."""
        self._delta = delta
        self._seed = seed
        self._fits: dict[int, NDArray[np.float64]] = {}

    def observe(self, entry: int, similarity: float, *, right: bool) -> None:
        """Learn one label of an entry."""
        fit = self._fits.setdefault(entry, np.zeros((len(_THRESHOLDS), len(_SLOPES))))
        logit = _SLOPES * (similarity - _THRESHOLDS[:, None])
        fit -= np.logaddexp(0.0, -logit if right else logit)

    def explores_with(self, entry: int, similarity: float) -> float:
        """The probability of a fresh answer, 0…1; 1 before any label."""
        fit = self._fits.get(entry)
        if fit is None:
            return 1.0
        profile = fit.max(axis=1)
        inside = profile >= profile.max() - _CUTS[:, None]
        highest = len(_THRESHOLDS) - 1 - inside[:, ::-1].argmax(axis=1)
        slopes = _SLOPES[fit[highest].argmax(axis=1)]
        chance = 1.0 / (1.0 + np.exp(-slopes * (similarity - _THRESHOLDS[highest])))
        sure = (1.0 - _DOUBTS) * chance
        return float(np.clip(1.0 - self._delta / np.maximum(1.0 - sure, 1e-9), 0.0, 1.0).min())

    def exploits(self, entry: int, similarity: float, number: int) -> bool:
        """Whether request `number` is answered from the entry: a draw, the same in every run."""
        digest = hashlib.blake2b(f"{self._seed}:{number}".encode(), digest_size=8).digest()
        drawn = int.from_bytes(digest, "big") / 2**64
        tau = self.explores_with(entry, similarity)
        return not math.isclose(tau, 1.0) and drawn >= tau
