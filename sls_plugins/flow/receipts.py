"""Receipts for answers that this engine did not choose."""

from __future__ import annotations

from dataclasses import replace

from sls_plugins.flow.effects import Overhear
from sls_plugins.flow.parts import Parts
from sls_plugins.types import Answer, Decision, Query, Source, Usage

__all__ = ["overhear", "receipt_of"]


def overhear(parts: Parts, effect: Overhear) -> Answer:
    """Log that a caller got an answer while somebody else paid for it; feedback is welcome."""
    answer = replace(
        effect.answer,
        decision_id=effect.decision_id,
        source=Source.CACHE,
        usage=Usage(),
        cost_usd=0.0,
        latency_s=0.0,
    )
    why = "heard while another query got it"
    parts.log.add_decision(receipt_of(parts, effect.query, answer, why), effect.query, None)
    return answer


def receipt_of(parts: Parts, query: Query, answer: Answer, why: str) -> Decision:
    """The decision that somebody else made."""
    return Decision(
        id=answer.decision_id,
        query_id=query.id,
        candidate=answer.candidate,
        ranking=(answer.candidate,),
        estimates=(),
        propensity=1.0,
        price=0.0,
        seed=parts.seed_of(answer.decision_id),
        why=why,
        created_s=parts.clock(),
        task=query.task,
    )
