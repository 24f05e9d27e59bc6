"""What came of a decision."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from sls_plugins.errors import InvalidFeedbackError
from sls_plugins.types.answers import Evidence, Source, Usage
from sls_plugins.types.decisions import Estimate
from sls_plugins.types.queries import Query
from sls_plugins.types.vectors import Vector

__all__ = ["Feedback", "Outcome", "OutcomeKind"]


class OutcomeKind(StrEnum):
    """What an outcome tells: what an answer cost, how good it was, or that the call failed."""

    ANSWERED = "answered"
    GRADED = "graded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What somebody says about an answer, now or days later. `quality` is 0…1.

    `decision_id` may be a host's run id. Opinions with an `id` are taken in once, however often
    they are told; the same id with another grade is a correction.
    """

    decision_id: str
    quality: float
    source: str = "user"
    weight: float = 1.0
    id: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be learnt from."""
        if not self.decision_id:
            raise InvalidFeedbackError("feedback needs the id of a decision, or of a host's run")
        if not 0.0 <= self.quality <= 1.0:
            raise InvalidFeedbackError(
                f"quality of decision {self.decision_id!r} must be within 0…1, not {self.quality}"
            )
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise InvalidFeedbackError(
                f"weight of feedback on {self.decision_id!r} must be more than 0, not {self.weight}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One line of the log that all learners read: what came of a decision.

    `kind` says what is told: ANSWERED has usage, cost and latency (and a quality if a judge was
    asked at once), GRADED has a quality that came later, FAILED has an error. `seq` is the line's
    place in the log: learning is reading the log in this order. `source` says whether the answer
    came from a model or from the cache (then `entry_id` names the row). `nearest_id` names the row
    that was served or refused, `evidence` is what its neighbourhood said of it.
    """

    decision_id: str
    query: Query
    vector: Vector | None
    candidate: str
    kind: OutcomeKind
    source: Source = Source.MODEL
    seq: int = 0
    quality: float | None = None
    quality_source: str = ""
    weight: float = 1.0
    usage: Usage | None = None
    cost_usd: float | None = None
    latency_s: float | None = None
    error: str = ""
    estimate: Estimate | None = None
    propensity: float = 1.0
    entry_id: str | None = None
    answer_text: str = ""
    nearest_id: str | None = None
    nearest_similarity: float | None = None
    evidence: Evidence | None = None
    created_s: float = 0.0
