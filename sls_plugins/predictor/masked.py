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

    def save(self) -> State:
        """The predictor's state."""
        return self._predictor.save()

    def load(self, state: State) -> None:
        """Restore the predictor."""
        self._predictor.load(state)
