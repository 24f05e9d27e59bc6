"""Turns decisions, hits and outcomes into columns, bit for bit."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from sqlalchemy import Row

from sls_plugins.storage.codec import (
    USAGE,
    dumped,
    plain,
    query_of,
    real,
    taken,
    usage_of,
    vector_of,
)
from sls_plugins.types import (
    CacheHit,
    Decision,
    Estimate,
    Evidence,
    Outcome,
    OutcomeKind,
    Source,
)

__all__ = ["decision_of", "decision_values", "hit_values", "outcome_of", "outcome_values"]

_ESTIMATE = tuple(field.name for field in fields(Estimate))
_EVIDENCE = tuple(field.name for field in fields(Evidence))
_RECEIPT = ("ranking", "propensity", "price", "seed", "why", "task", "ineligible", "terms")


def decision_values(
    decision: Decision, nearest: tuple[str, float] | None, evidence: Evidence | None
) -> dict[str, Any]:
    """Columns of a decision, beside those of its query and vector."""
    receipt = taken(decision, _RECEIPT)
    receipt["query_id"] = decision.query_id
    receipt["estimates"] = [taken(estimate, _ESTIMATE) for estimate in decision.estimates]
    if evidence is not None:
        receipt["evidence"] = taken(evidence, _EVIDENCE)
    nearest_id, similarity = nearest or (None, None)
    return {
        "id": decision.id,
        "source": Source.MODEL.value,
        "candidate": decision.candidate,
        "receipt": dumped(receipt),
        "entry_id": None,
        "nearest_id": nearest_id,
        "nearest_similarity": real(similarity),
        "p_right": None,
        "created_s": real(decision.created_s),
    }


def hit_values(hit: CacheHit) -> dict[str, Any]:
    """Columns of a cache hit; the served row counts as the nearest."""
    receipt: dict[str, Any] = {"exact": hit.exact, "propensity": hit.propensity}
    if hit.evidence is not None:
        receipt["evidence"] = taken(hit.evidence, _EVIDENCE)
    return {
        "id": hit.id,
        "source": Source.CACHE.value,
        "candidate": hit.entry.answer.candidate,
        "receipt": dumped(receipt),
        "entry_id": hit.entry.id,
        "nearest_id": hit.entry.id,
        "nearest_similarity": real(hit.similarity),
        "p_right": real(hit.p_right),
        "created_s": real(hit.created_s),
    }


def decision_of(row: Row[Any]) -> Decision:
    """The decision of a row with `id`, `candidate`, `receipt` and `created_s`."""
    receipt = json.loads(row.receipt)
    receipt.pop("evidence", None)
    return Decision(
        id=row.id,
        candidate=row.candidate,
        created_s=row.created_s,
        estimates=tuple(Estimate(**estimate) for estimate in receipt.pop("estimates")),
        ranking=tuple(receipt.pop("ranking")),
        ineligible=tuple((name, why) for name, why in receipt.pop("ineligible")),
        terms=tuple((name, value) for name, value in receipt.pop("terms", ())),
        **receipt,
    )


def outcome_values(outcome: Outcome) -> dict[str, Any]:
    """Columns of a line of the log.

    A grade of a model's answer does not repeat the answer: it is found in the ANSWERED line.
    """
    repeated = outcome.kind is OutcomeKind.GRADED and outcome.source is Source.MODEL
    return {
        "decision_id": outcome.decision_id,
        "kind": outcome.kind.value,
        "source": outcome.source.value,
        "candidate": outcome.candidate,
        "quality": real(outcome.quality),
        "quality_source": plain(outcome.quality_source),
        "weight": real(outcome.weight),
        "usage": None if outcome.usage is None else dumped(taken(outcome.usage, USAGE)),
        "cost_usd": real(outcome.cost_usd),
        "latency_s": real(outcome.latency_s),
        "error": plain(outcome.error),
        "propensity": real(outcome.propensity),
        "entry_id": outcome.entry_id,
        "answer_text": "" if repeated else plain(outcome.answer_text),
        "created_s": real(outcome.created_s),
    }


def outcome_of(row: Row[Any]) -> Outcome:
    """The outcome of a joined row; without a line (`seq` is None) what the decision tells alone."""
    receipt = json.loads(row.receipt)
    known = _line(row) if row.seq is not None else _unanswered(row, receipt)
    evidence = receipt.get("evidence")
    return Outcome(
        decision_id=row.decision_id,
        query=query_of(row),
        vector=vector_of(row.vector),
        estimate=_estimate(receipt, known["candidate"]),
        nearest_id=row.nearest_id,
        nearest_similarity=row.nearest_similarity,
        evidence=None if evidence is None else Evidence(**evidence),
        **known,
    )


def _line(row: Row[Any]) -> dict[str, Any]:
    return {
        "seq": row.seq,
        "candidate": row.candidate,
        "kind": OutcomeKind(row.kind),
        "source": Source(row.source),
        "quality": row.quality,
        "quality_source": row.quality_source,
        "weight": row.weight,
        "usage": None if row.usage is None else usage_of(json.loads(row.usage)),
        "cost_usd": row.cost_usd,
        "latency_s": row.latency_s,
        "error": row.error,
        "propensity": row.propensity,
        "entry_id": row.entry_id,
        "answer_text": row.answer_text,
        "created_s": row.created_s,
    }


def _unanswered(row: Row[Any], receipt: dict[str, Any]) -> dict[str, Any]:
    return {
        "candidate": row.decided_candidate,
        "kind": OutcomeKind.ANSWERED,
        "source": Source(row.decided_source),
        "propensity": receipt.get("propensity", 1.0),
        "entry_id": row.decided_entry_id,
        "created_s": row.decided_s,
    }


def _estimate(receipt: dict[str, Any], candidate: str) -> Estimate | None:
    for estimate in receipt.get("estimates", ()):
        if estimate["candidate"] == candidate:
            return Estimate(**estimate)
    return None
