"""What a grade is worth: how reliable its source is, and whom that source tells of at all.

Two estimates, one pass over the log. Reliability (after Dawid and Skene, 1979): each source has a
Beta over how often its label is right, which moves where two sources spoke about one answer.
Selection: see `reports`. A grade is then read as the probability that the answer was good, given
the label and what was expected, and weighs as much as answers like it are under-reported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from sls_plugins.protocols import Learns
from sls_plugins.types import Outcome, OutcomeKind, Source, State
from sls_plugins.updater.reports import Reports

__all__ = ["RELIABILITY", "Sources", "Weighed"]

RELIABILITY: Mapping[str, float] = {"thumbs": 0.95, "stars": 0.95, "comment": 0.93}
"""Sources of crowds, with the share of their labels thought to be right; others are believed."""

STRENGTH = 100.0
"""Labels that this belief is worth."""

KEPT = 4096
"""Graded decisions that are remembered, to compare a second opinion."""

LEAST = 0.05
"""What was expected is kept this far from certainty."""

HEAVIEST = 5.0

SURE = 0.97
"""No label is believed further than this, where it speaks of one answer alone."""


class Sources:
    """A learner that reads the log, and tells what each of its grades is worth."""

    def __init__(self, reliability: Mapping[str, float] | None = None) -> None:
        """`reliability` (0.5…1) of crowds by the name of their source, besides `RELIABILITY`."""
        given = {**RELIABILITY, **(reliability or {})}
        self._crowds = {name: max(share, 0.55) for name, share in given.items()}
        self._right: dict[str, list[float]] = {}  # right, all: labels compared with another's
        self._reports = {name: Reports(1.0 - share) for name, share in self._crowds.items()}
        self._told: dict[str, tuple[str, float]] = {}

    def reliability(self, source: str) -> float:
        """Share of a source's labels that are right, as far as is known."""
        right, compared = self._right.get(source, [0.0, 0.0])
        return (STRENGTH * self._crowds.get(source, 1.0) + right) / (STRENGTH + compared)

    def ratio(self, source: str) -> float:
        """How many times likelier it tells of a failure than of a success."""
        return self._reports[source].ratio if source in self._reports else 1.0

    def learn_one(self, outcome: Outcome) -> None:
        """Count an answer that may be told of, or what was told."""
        if outcome.source is Source.CACHE or outcome.estimate is None:
            return
        if outcome.kind is OutcomeKind.ANSWERED:
            for reports in self._heard():
                reports.answer(outcome.decision_id, outcome.candidate, outcome.estimate.quality)
        if outcome.quality is not None and outcome.quality_source:
            source = outcome.quality_source
            if source in self._reports:
                self._reports[source].tell(outcome.decision_id, outcome.quality)
                self._right.setdefault(source, [0.0, 0.0])
            self._compare(outcome.decision_id, source, outcome.quality)

    def _heard(self) -> list[Reports]:
        """Counting begins with a crowd's first word."""
        return [self._reports[name] for name in self._right if name in self._reports]

    def _compare(self, decision_id: str, source: str, quality: float) -> None:
        """A second opinion moves both reliabilities, each by how far the other is believed."""
        first = self._told.get(decision_id)
        if first is not None and first[0] != source:
            agreed = 1.0 - abs(first[1] - quality)
            for name, other in ((source, first[0]), (first[0], source)):
                trust, mine = self.reliability(other), self.reliability(name)
                agree = trust * mine + (1.0 - trust) * (1.0 - mine)
                disagree = trust * (1.0 - mine) + (1.0 - trust) * mine
                right = agreed * trust * mine / max(agree, 1e-9)
                right += (1.0 - agreed) * (1.0 - trust) * mine / max(disagree, 1e-9)
                counts = self._right.setdefault(name, [0.0, 0.0])
                counts[0] += right
                counts[1] += 1.0
        self._told[decision_id] = (source, quality)
        while len(self._told) > KEPT:
            del self._told[next(iter(self._told))]

    def corrected(self, outcome: Outcome) -> Outcome:
        """The line as learners should read it; a believed source's is left as it is."""
        if outcome.quality is None or outcome.estimate is None or outcome.source is Source.CACHE:
            return outcome
        right, ratio = self.reliability(outcome.quality_source), self.ratio(outcome.quality_source)
        if right >= 1.0 and ratio == 1.0:
            return outcome
        expected = min(max(outcome.estimate.quality, LEAST), 1.0 - LEAST)
        praised = expected * right / (expected * right + (1.0 - expected) * (1.0 - right))
        blamed = expected * (1.0 - right) / (expected * (1.0 - right) + (1.0 - expected) * right)
        good = outcome.quality * praised + (1.0 - outcome.quality) * blamed
        usual = self._reports[outcome.quality_source].expected if ratio != 1.0 else 1.0
        normal = usual + ratio * (1.0 - usual)
        weight = outcome.weight * normal / (good + ratio * (1.0 - good))
        return replace(outcome, quality=good, weight=min(weight, HEAVIEST))

    def testimony(self, outcome: Outcome) -> Outcome:
        """The line for those who ask whether this very answer was right; its label is as told.

        Its weight is the label's evidence (logarithm of how much likelier it is to be told of a
        good answer, or of a bad one) next to a believed source's. What was expected has no part in
        it, for they weigh that themselves; that failures are told of more often has: praise is
        worth less, and blame more.
        """
        if outcome.quality is None:
            return outcome
        right = min(self.reliability(outcome.quality_source), SURE)
        best, habit = _odds(SURE), math.log(self.ratio(outcome.quality_source))
        praise, blame = max(_odds(right) - habit, 0.0), max(_odds(right) + habit, 0.0)
        evidence = outcome.quality * praise + (1.0 - outcome.quality) * blame
        return replace(outcome, weight=max(outcome.weight * evidence / best, 1e-6))

    def save(self) -> State:
        """All learnt state as arrays."""
        state: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {
            "names": np.array(list(self._right), dtype=np.str_),
            "right": np.array(list(self._right.values())).reshape(-1, 2),
            "told_ids": np.array(list(self._told), dtype=np.str_),
            "told_by": np.array([one[0] for one in self._told.values()], dtype=np.str_),
            "told": np.array([one[1] for one in self._told.values()]),
        }
        for name in self._right:
            if name in self._reports:
                state |= dict(self._reports[name].save(f"reports/{name}"))
        return state

    def load(self, state: State) -> None:
        """Restore what `save` gave; nothing is known where nothing was saved."""
        self._right, self._told = {}, {}
        if "names" not in state:
            return
        names = [str(name) for name in state["names"]]
        counts = np.array(state["right"], dtype=np.float64).tolist()
        self._right = dict(zip(names, counts, strict=True))
        told = zip(state["told_by"], np.array(state["told"]).tolist(), strict=True)
        ids = [str(one) for one in state["told_ids"]]
        pairs = [(str(source), float(quality)) for source, quality in told]
        self._told = dict(zip(ids, pairs, strict=True))
        for name in names:
            if f"reports/{name}.facts" in state and name in self._reports:
                self._reports[name].load(f"reports/{name}", state)


class Weighed:
    """A learner that reads grades for what they are worth."""

    def __init__(self, learner: Learns, read: Callable[[Outcome], Outcome]) -> None:
        """`read` is what `Sources` makes of a line; they must have learnt it already."""
        self._learner = learner
        self._read = read

    def learn_one(self, outcome: Outcome) -> None:
        """Learn from a line as it should be read."""
        self._learner.learn_one(self._read(outcome))

    def save(self) -> State:
        """The learner's state."""
        return self._learner.save()

    def load(self, state: State) -> None:
        """Restore the learner."""
        self._learner.load(state)


def _odds(share: float) -> float:
    return math.log(share / (1.0 - share))
