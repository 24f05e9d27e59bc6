"""A decision with what it was made from."""

from __future__ import annotations

from dataclasses import dataclass

from sls_plugins.types import CacheMiss, Decision, Outcome, OutcomeKind, Query, Vector

__all__ = ["Planned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A decision with what it was made from."""

    decision: Decision
    query: Query
    vector: Vector
    miss: CacheMiss

    @property
    def nearest(self) -> tuple[str, float] | None:
        """Id and similarity of the stored answer that was refused, of which the call will tell."""
        entry = self.miss.nearest
        return None if entry is None else (entry.id, self.miss.similarity or 0.0)

    def outcome(self, kind: OutcomeKind, candidate: str, now_s: float) -> Outcome:
        """A line of the log about one candidate of this decision."""
        nearest_id, similarity = self.nearest or (None, None)
        return Outcome(
            decision_id=self.decision.id,
            query=self.query,
            vector=self.vector,
            candidate=candidate,
            kind=kind,
            estimate=self.decision.estimate_of(candidate),
            propensity=self.decision.propensity if candidate == self.decision.candidate else 1.0,
            nearest_id=nearest_id,
            nearest_similarity=similarity,
            evidence=self.miss.evidence,
            created_s=now_s,
        )
