"""Shadow mode: SLS watches a running chain and decides, but does not act."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from sls_plugins.errors import BudgetExhausted, NoCandidateLeft
from sls_plugins.types import Answer, CacheHit, Decision, Query

__all__ = ["Shadow", "ShadowReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """What was really spent, and what SLS would have spent on the same queries.

    `hits` of the queries would have come from the cache, `agreed` would have gone to the very
    candidate that answered, `unsure` could not be decided. Qualities (0…1) are the predictor's.
    """

    queries: int = 0
    hits: int = 0
    agreed: int = 0
    unsure: int = 0
    spent_usd: float = 0.0
    would_usd: float = 0.0
    quality: float = 0.0
    would_quality: float = 0.0

    @property
    def saved_usd(self) -> float:
        """What would have been saved."""
        return self.spent_usd - self.would_usd

    def __str__(self) -> str:
        """In a sentence."""
        share = self.saved_usd / self.spent_usd if self.spent_usd else 0.0
        return (
            f"{self.queries} queries cost {self.spent_usd:.4f} USD; SLS would have spent "
            f"{self.would_usd:.4f} ({share:.0%} less), {self.hits} of them from the cache, at an "
            f"expected quality of {self.would_quality:.3f} instead of {self.quality:.3f}"
        )


class Shadow:
    """Told of every query that another chain answered. Threads may share it."""

    def __init__(
        self,
        plan: Callable[[Query], CacheHit | Decision],
        record: Callable[[str, Answer], None],
    ) -> None:
        """Made by `engine.updates.shadow()`."""
        self._plan = plan
        self._record = record
        self._lock = threading.Lock()
        self._report = ShadowReport()

    def watch(self, query: Query, answer: Answer) -> str:
        """Take in what was answered (`answer.candidate` says by whom); returns a decision id.

        Cache and predictor learn from it as if SLS had been asked; grades by the decision id are
        welcome. Raises UnknownCandidateError if it is no candidate of this engine.
        """
        try:
            planned = self._plan(query)
        except (NoCandidateLeft, BudgetExhausted):
            self._add(ShadowReport(queries=1, unsure=1, spent_usd=answer.cost_usd or 0.0))
            return ""
        if isinstance(planned, CacheHit):
            stored_usd = planned.entry.answer.cost_usd or 0.0
            self._add(
                ShadowReport(
                    queries=1,
                    hits=1,
                    spent_usd=stored_usd if answer.cost_usd is None else answer.cost_usd,
                    quality=planned.p_right,
                    would_quality=planned.p_right,
                )
            )
            return planned.id
        self._record(planned.id, answer)
        agreed = planned.candidate == answer.candidate
        known = {one.candidate: one for one in planned.estimates}
        theirs = known.get(answer.candidate, planned.estimate)
        spent_usd = theirs.cost_usd if answer.cost_usd is None else answer.cost_usd
        self._add(
            ShadowReport(
                queries=1,
                agreed=int(agreed),
                spent_usd=spent_usd,
                would_usd=spent_usd if agreed else planned.estimate.cost_usd,
                quality=theirs.quality,
                would_quality=planned.estimate.quality,
            )
        )
        return planned.id

    def report(self) -> ShadowReport:
        """All so far; qualities are means."""
        with self._lock:
            told = self._report
        sure = max(told.queries - told.unsure, 1)
        return replace(told, quality=told.quality / sure, would_quality=told.would_quality / sure)

    def _add(self, one: ShadowReport) -> None:
        with self._lock:
            fields = ShadowReport.__dataclass_fields__
            sums = {name: getattr(self._report, name) + getattr(one, name) for name in fields}
            self._report = ShadowReport(**sums)
