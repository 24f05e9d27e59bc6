"""Estimates how much likelier people are to tell of a failure than of a success.

Stated model: whether an answer is told of depends on whether it was good, on nothing else:
P(told | good) = g and P(told | bad) = b. Groups of answers (a candidate, expected to be this good)
then lie on one line whatever their quality is: goods per answer / g + bads per answer / b = 1. Two
groups of different quality show both numbers; the posterior of the ratio b / g is taken on a grid,
with the quality of each group integrated out.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from sls_plugins.types import State

__all__ = ["Reports"]

Floats = NDArray[np.float64]

BINS = 4
"""Groups of a candidate by expected quality."""

WAITING = 6000
"""Answers that are waited for at most, before they count as never told of."""

LONGEST = 500
"""Answers that are waited for at first; later as many as the longest wait seen."""

RENEWAL = 100
"""Answers after which the ratio is estimated anew, and a tenth of those before."""

BELIEVED = 10.0
"""Answers that the predictor's belief about a group is worth."""

CENTRE, WIDTH = math.log(2.2), 0.7
"""Prior of the logarithm of the ratio: people complain twice as often as they praise."""

RATIOS = np.exp(np.linspace(math.log(0.5), math.log(8.0), 15))
QUALITIES = np.linspace(0.02, 0.98, 17)
SHARES = np.exp(np.linspace(math.log(0.002), 0.0, 24))


class Reports:
    """Counts, for one kind of source, which answers it told of and how; knows b / g."""

    def __init__(self, wrong: float) -> None:
        """`wrong` is the share of its labels that are the wrong way round."""
        self._chances = _chances(wrong)
        self.ratio = math.exp(CENTRE)
        self.groups: dict[str, Floats] = {}  # answers, told good, told bad, sum of expected
        self.queue: deque[str] = deque()
        self.open: dict[
            str, tuple[str, float, int, float]
        ] = {}  # group, told or -1, number, expected
        self.answered = 0
        self.patience = LONGEST
        self.due = RENEWAL
        self.expected = 0.7  # running mean

    def answer(self, decision_id: str, candidate: str, expected: float) -> None:
        """An answer was given: it may be told of from now on."""
        group = f"{candidate}/{min(int(expected * expected * BINS), BINS - 1)}"
        self.answered += 1
        self.expected += (expected - self.expected) / min(self.answered, 1000)
        self.open[decision_id] = (group, -1.0, self.answered, expected)
        self.queue.append(decision_id)
        while len(self.queue) > self.patience:
            self._close(self.queue.popleft())
        if self.answered >= self.due:
            self.due = int(1.1 * self.answered) + RENEWAL
            self.ratio = self._estimate()

    def tell(self, decision_id: str, quality: float) -> None:
        """An answer was told of."""
        known = self.open.get(decision_id)
        if known is None:
            return
        group, _, number, expected = known
        self.open[decision_id] = (group, quality, number, expected)
        wait = int(1.2 * (self.answered - number)) + 50
        self.patience = min(max(self.patience, wait), WAITING)

    def _close(self, decision_id: str) -> None:
        group, told, _, expected = self.open.pop(decision_id)
        counts = self.groups.setdefault(group, np.zeros(4))
        counts += (1.0, max(told, 0.0), 0.0 if told < 0.0 else 1.0 - told, expected)

    def _estimate(self) -> float:
        """Posterior mean of the ratio (of its logarithm); what was learnt beside is thrown away."""
        prior = -0.5 * ((np.log(RATIOS) - CENTRE) / WIDTH) ** 2
        told = sum((float(one[1:3].sum()) for one in self.groups.values()), 0.0)
        if told < 10.0:
            return math.exp(CENTRE)
        logs = np.zeros((RATIOS.size, SHARES.size))
        for answers, good, bad, expected in (one.tolist() for one in self.groups.values()):
            silent = max(answers - good - bad, 0.0)
            counts = np.array([good, bad, silent])
            fit = np.tensordot(self._chances, counts, axes=(3, 0))  # ratios, shares, qualities
            likely = BELIEVED * expected / max(answers, 1.0)
            fit += likely * np.log(QUALITIES) + (BELIEVED - likely) * np.log(1.0 - QUALITIES)
            top = fit.max(axis=2, keepdims=True)
            logs += np.log(np.mean(np.exp(fit - top), axis=2)) + top[..., 0]
        logs += prior[:, None]
        power = np.exp(logs - logs.max()).sum(axis=1)
        return float(np.exp(power @ np.log(RATIOS) / power.sum()))

    def save(self, name: str) -> State:
        """The arrays under names that start with `name`."""
        return {
            f"{name}.group_names": np.array(list(self.groups), dtype=np.str_),
            f"{name}.groups": np.array(list(self.groups.values())).reshape(-1, 4),
            f"{name}.queue": np.array(list(self.queue), dtype=np.str_),
            f"{name}.open": np.array([self.open[key][1:] for key in self.queue]).reshape(-1, 3),
            f"{name}.open_groups": np.array([self.open[key][0] for key in self.queue], np.str_),
            f"{name}.facts": np.array(
                [self.ratio, self.expected, self.answered, self.patience, self.due]
            ),
        }

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        facts = np.array(state[f"{name}.facts"], dtype=np.float64).tolist()
        self.ratio, self.expected = facts[:2]
        self.answered, self.patience, self.due = (int(fact) for fact in facts[2:])
        counts = np.array(state[f"{name}.groups"], dtype=np.float64)
        names = [str(one) for one in state[f"{name}.group_names"]]
        self.groups = dict(zip(names, counts, strict=True))
        self.queue = deque(str(one) for one in state[f"{name}.queue"])
        told = np.array(state[f"{name}.open"], dtype=np.float64).tolist()
        groups = [str(one) for one in state[f"{name}.open_groups"]]
        self.open = {
            key: (group, quality, int(number), expected)
            for key, group, (quality, number, expected) in zip(
                self.queue, groups, told, strict=True
            )
        }


def _chances(wrong: float) -> Floats:
    """Logarithms of P(told good), P(told bad), P(silent): ratios, shares, qualities, 3."""
    bad_share = SHARES[None, :, None]  # P(told | the likelier of the two)
    ratio = RATIOS[:, None, None]
    quality = QUALITIES[None, None, :]
    told_good = quality * bad_share * np.minimum(1.0, 1.0 / ratio)
    told_bad = (1.0 - quality) * bad_share * np.minimum(1.0, ratio)
    says_good = (1.0 - wrong) * told_good + wrong * told_bad
    says_bad = wrong * told_good + (1.0 - wrong) * told_bad
    silent = 1.0 - told_good - told_bad
    return np.log(np.maximum(np.stack((says_good, says_bad, silent), axis=-1), 1e-9))
