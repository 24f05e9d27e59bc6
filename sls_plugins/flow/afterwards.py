"""Steps 7–8 when they come later: what came of a decision, by its id."""

from __future__ import annotations

from dataclasses import replace

from sls_plugins.errors import InputError, UnknownCandidateError, UnknownDecisionError
from sls_plugins.flow.completing import completed
from sls_plugins.flow.effects import Finish
from sls_plugins.flow.lines import observe
from sls_plugins.flow.parts import Parts
from sls_plugins.flow.perform import perform
from sls_plugins.types import Answer, Feedback, OutcomeKind, Source
from sls_plugins.updater import joined_line

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
    """Take in a grade; one with an id that is known changes nothing, unless it is a correction.

    Raises UnknownDecisionError: the grade is then kept, and joined once its decision is known.
    """
    now_s = parts.clock()
    try:
        known = parts.log.find(told.decision_id)
    except UnknownDecisionError as error:
        parts.opinions.wait(told, now_s)
        raise UnknownDecisionError(told.decision_id, kept=True) from error
    line = joined_line(known, told, now_s)
    logged = parts.opinions.append(line, told) if told.id else parts.log.append(line)
    if logged is not None:
        observe(parts, logged)


def revoke(parts: Parts, decision_id: str) -> None:
    """Take the stored answer that a decision made or used out of the cache."""
    known = parts.log.find(decision_id)
    if parts.cache is not None:
        parts.cache.revoke(known.entry_id or decision_id)
