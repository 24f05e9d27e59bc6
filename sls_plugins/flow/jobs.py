"""The calls that a batch is made of: what is expected of each, what an earlier run has done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sls_plugins.errors import NoCandidateLeft, SLSError, UnknownDecisionError
from sls_plugins.flow.finding import stored_answer
from sls_plugins.flow.parts import Parts
from sls_plugins.scheduler import eligible
from sls_plugins.types import Answer, CacheHit, CacheMiss, Estimate, OutcomeKind, Query, Vector

__all__ = ["Job", "lay_out"]

ATTEMPTS = 100
"""How often one call is tried in all runs of a batch."""

NOT_LOOKED_UP = CacheMiss(why="not looked up")


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """One call to be made: a query (with its equals), what is expected of whom, what came of it."""

    name: str
    query: Query
    places: list[int]
    vector: Vector
    estimates: tuple[Estimate, ...]
    ineligible: tuple[tuple[str, str], ...]
    hit: CacheHit | None = None
    miss: CacheMiss = NOT_LOOKED_UP
    failed: dict[str, str | Exception] = field(default_factory=dict)
    attempt: int = 0
    column: int = -1
    held_usd: float = 0.0
    least_usd: float = 0.0
    running: Estimate | None = None
    answer: Answer | None = None
    error: SLSError | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing more will come of it."""
        return self.answer is not None or self.error is not None

    def look_up(self, parts: Parts) -> None:
        """Find the stored answer, or the neighbour that a call will tell more of."""
        found = stored_answer(parts, self.query, self.vector, parts.ids())
        self.hit = found if isinstance(found, CacheHit) else None
        self.miss = found if isinstance(found, CacheMiss) else NOT_LOOKED_UP


def lay_out(parts: Parts, queries: Sequence[Query], name: str) -> list[Job]:
    """One job for all queries of equal text and space, with what is expected of each candidate.

    What an earlier run of the same `name` has answered is taken over.
    """
    jobs: dict[tuple[object, ...], Job] = {}
    for place, query in enumerate(queries):
        key = (query.text, query.space, query.task, query.needs, query.max_output_tokens)
        if key in jobs:
            jobs[key].places.append(place)
            continue
        jobs[key] = _job(parts, query, f"{name}/{place}", place)
    return list(jobs.values())


def _job(parts: Parts, query: Query, name: str, place: int) -> Job:
    tokens = query.input_tokens
    if tokens is None:
        tokens = parts.tokens.count(query.text).tokens
    query = replace(query, id=query.id or name, input_tokens=tokens)
    vector: Vector = parts.encoder.encode([query.text])[0]
    fit, ineligible = eligible(query, tuple(parts.candidates.values()), tokens)
    with parts.lock:
        estimates = tuple(parts.predictor.predict_one(query, vector, fit))
    job = Job(
        name=name,
        query=query,
        places=[place],
        vector=vector,
        estimates=estimates,
        ineligible=tuple(ineligible),
    )
    _take_over(parts, job)
    if not job.settled:
        job.look_up(parts)
    if not job.settled and not estimates and job.hit is None:
        job.error = NoCandidateLeft(query.id, dict(ineligible))
    return job


def _take_over(parts: Parts, job: Job) -> None:
    """Find the attempts of an earlier run in the log: the answer, or how many there were."""
    while job.attempt < ATTEMPTS:
        decision_id = f"{job.name}/{job.attempt}"
        try:
            known = parts.log.find(decision_id)
        except UnknownDecisionError:
            return
        job.attempt += 1
        if known.seq and known.kind is OutcomeKind.ANSWERED:
            job.answer = Answer(
                text=known.answer_text,
                candidate=known.candidate,
                source=known.source,
                decision_id=decision_id,
                usage=known.usage,
                cost_usd=known.cost_usd,
                latency_s=known.latency_s,
                estimate=known.estimate,
            )
            return
