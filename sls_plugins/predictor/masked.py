"""A predictor that never sees a text as it is, so that it learns alike from what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sls_plugins.protocols import Predictor
from sls_plugins.types import Candidate, Estimate, Outcome, Query, State, Texts, Vector

__all__ = ["MaskedPredictor"]


class MaskedPredictor:
    """Hands a predictor stand-ins for texts, when it expects and when it learns."""

    def __init__(self, predictor: Predictor, texts: Texts) -> None:
        """`texts` says what may be kept."""
        self._predictor = predictor
        self._texts = texts

    def predict_one(
        self, query: Query, vector: Vector, candidates: Sequence[Candidate]
    ) -> tuple[Estimate, ...]:
        """One estimate per candidate, in order."""
        return self._predictor.predict_one(self._texts.query(query), vector, candidates)

    def learn_one(self, outcome: Outcome) -> None:
        """Learn from one line."""
        self._predictor.learn_one(replace(outcome, query=self._texts.query(outcome.query)))

    def forget(self, candidate: str, share: float) -> None:
        """Let a share of what was learnt of a candidate count no longer, if the predictor can."""
        forget = getattr(self._predictor, "forget", None)
        if forget is not None:
            forget(candidate, share)

    def set_aside(self, candidate: str) -> None:
        """Keep what is known of a candidate aside, if the predictor can."""
        set_aside = getattr(self._predictor, "set_aside", None)
        if set_aside is not None:
            set_aside(candidate)

    def put_back(self, candidate: str, *, recall: bool) -> None:
        """Know it again, or let go of it."""
        put_back = getattr(self._predictor, "put_back", None)
        if put_back is not None:
            put_back(candidate, recall=recall)

    def steady(self, outcome: Outcome) -> float | None:
        """What was to be expected by the long run; None if the predictor does not tell."""
        steady = getattr(self._predictor, "steady", None)
        if steady is None:
            return None
        told: float | None = steady(replace(outcome, query=self._texts.query(outcome.query)))
        return told

    def save(self) -> State:
        """The predictor's state."""
        return self._predictor.save()

    def load(self, state: State) -> None:
        """Restore the predictor."""
        self._predictor.load(state)
