"""Steps 7–8 when they come later: what came of a decision, by its id."""

from __future__ import annotations

from dataclasses import replace

from sls_plugins.errors import InputError, UnknownCandidateError
from sls_plugins.flow.effects import Finish
from sls_plugins.flow.parts import Parts
from sls_plugins.flow.perform import log_outcome, perform
from sls_plugins.flow.request import completed
from sls_plugins.types import Answer, Feedback, OutcomeKind, Source

__all__ = ["feedback", "record", "revoke"]


def record(parts: Parts, decision_id: str, answer: Answer) -> None:
    """Take in what came of a planned decision: usage, cost and latency.

    `answer.candidate` may name another candidate than the chosen one, if that was called in the
    end. Raises UnknownDecisionError, UnknownCandidateError, or InputError for a cache hit.
    """
    known = parts.log.find(decision_id)
    if known.source is Source.CACHE:
        raise InputError(f"decision {decision_id!r} was a cache hit: nothing is to be recorded")
    name = answer.candidate or known.candidate
    if name not in parts.candidates:
        raise UnknownCandidateError(name, tuple(parts.candidates), "record")
    done = completed(parts, known.query, name, replace(answer, decision_id=decision_id))
    outcome = replace(
        known,
        kind=OutcomeKind.ANSWERED,
        candidate=name,
        seq=0,
        quality=None,
        usage=done.usage,
        cost_usd=done.cost_usd,
        latency_s=answer.latency_s,
        answer_text=done.text,
        created_s=parts.clock(),
    )
    perform(parts, Finish(outcome, f"{decision_id}/{name}", done))


def feedback(parts: Parts, told: Feedback) -> None:
    """Take in a grade. Raises UnknownDecisionError."""
    known = parts.log.find(told.decision_id)
    graded = replace(
        known,
        kind=OutcomeKind.GRADED,
        seq=0,
        quality=told.quality,
        quality_source=told.source,
        weight=told.weight,
        usage=None,
        cost_usd=None,
        latency_s=None,
        created_s=parts.clock(),
    )
    log_outcome(parts, graded)


def revoke(parts: Parts, decision_id: str) -> None:
    """Take the stored answer that a decision made or used out of the cache."""
    known = parts.log.find(decision_id)
    if parts.cache is not None:
        parts.cache.revoke(known.entry_id or decision_id)
