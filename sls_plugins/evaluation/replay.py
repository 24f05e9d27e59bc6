"""Streams a recorded trace through an engine that learns as it goes.

The engine is driven exactly as a host drives it. It is told the prompt, then only what the chosen
candidate answered; grades come for a share of called answers, when they are due, never for hits.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sls_plugins.engine import Engine
from sls_plugins.errors import BudgetExhausted, NoCandidateLeft, ProviderError
from sls_plugins.evaluation.charges import charge
from sls_plugins.evaluation.receipts import Receipts
from sls_plugins.evaluation.results import Decided, ReplayResult
from sls_plugins.evaluation.traces import RoutingRow
from sls_plugins.scheduler.selection import explored_usd
from sls_plugins.types import Answer, CacheHit, Candidate, Query, Source

__all__ = ["ReplayOptions", "in_order", "replay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What the world of a replay is like.

    `feedback_rate` (0…1) is the share of called answers that are ever graded, `feedback_delay` how
    many queries later their grades come. Rows of `warm_split` come first and count in no figure.
    `wrong` is the share of labels that are the wrong way round; `complaints` says how many times
    likelier a failure is to be told of than a success; `source` is who tells.
    """

    feedback_rate: float = 1.0
    feedback_delay: int = 0
    warm_split: str | None = None
    seed: int = 0
    wrong: float = 0.0
    complaints: float = 1.0
    source: str = "trace"

    def __post_init__(self) -> None:
        """Refuse an impossible world."""
        if not 0 <= self.feedback_rate <= 1:
            raise ValueError(f"feedback_rate must be within 0…1, not {self.feedback_rate}")
        if not 0 <= self.wrong < 0.5:
            raise ValueError(f"wrong must be within 0…0.5, not {self.wrong}")
        if not self.complaints > 0:
            raise ValueError(f"complaints must be more than 0, not {self.complaints}")
        if self.feedback_delay < 0:
            raise ValueError(f"feedback_delay must be 0 or more, not {self.feedback_delay}")


Watch = Callable[[Decided], None]


def replay(
    rows: Sequence[RoutingRow],
    engine: Engine,
    receipts: Receipts,
    options: ReplayOptions,
    watch: Watch | None = None,
) -> ReplayResult:
    """Decide every row in order and tell the engine what came of it.

    `receipts` must be an observer of this engine. `watch` is told every row as soon as it is
    decided. A query that nothing may answer counts with quality 0 and costs nothing.
    """
    start_s = time.perf_counter()
    run = _Run(rows, engine, receipts, options)
    decided: list[Decided] = []
    for row, warm in in_order(rows, options.warm_split):
        result = run.decide(row, warm=warm)
        decided.append(result)
        if watch is not None:
            watch(result)
    run.deliver_all()
    return ReplayResult(decided=tuple(decided), seconds=time.perf_counter() - start_s)


def in_order(
    rows: Iterable[RoutingRow], warm_split: str | None
) -> Iterator[tuple[RoutingRow, bool]]:
    """Warm rows first, each with whether it is warm."""
    if warm_split is not None:
        for row in rows:
            if row.split == warm_split:
                yield row, True
    for row in rows:
        if warm_split is None or row.split != warm_split:
            yield row, False


@dataclass(frozen=True, slots=True)
class _Grade:
    """A grade on its way: it arrives after query number `due`."""

    due: int
    decision_id: str
    quality: float


class _Run:
    """One pass through a trace."""

    def __init__(
        self,
        rows: Iterable[RoutingRow],
        engine: Engine,
        receipts: Receipts,
        options: ReplayOptions,
    ) -> None:
        self._engine = engine
        self._receipts = receipts
        self._options = options
        self._prompts = {row.query_id: row.prompt for row in rows}
        self._grades: deque[_Grade] = deque()
        self._number = 0
        self._usual = 0.8  # running mean of the quality of called answers

    def decide(self, row: RoutingRow, *, warm: bool) -> Decided:
        """Let the engine answer one row, then bring the grades that are due."""
        query = Query(text=row.prompt, id=row.query_id, task=row.task)
        try:
            answer = self._engine.answer(query, self._provider(row))
        except (NoCandidateLeft, BudgetExhausted):
            decided = _unanswered(row, warm=warm)
        else:
            decided = self._answered(row, answer, warm=warm)
        self._deliver(self._number)
        self._number += 1
        return decided

    def deliver_all(self) -> None:
        """Bring every grade that is still on its way."""
        self._deliver(self._number + self._options.feedback_delay)

    def _provider(self, row: RoutingRow) -> Callable[[Candidate, Query], Answer]:
        """A provider which looks at one outcome only: that of the candidate it is asked for."""

        def call(candidate: Candidate, query: Query) -> Answer:
            if candidate.name not in row.outcomes:
                raise ProviderError(candidate.name, f"nothing recorded for {query.id}")
            outcome = row.outcomes[candidate.name]
            bill = charge(outcome, candidate, query.text, self._engine.count_tokens)
            return Answer(
                text=_text(outcome.response, candidate.name, row.query_id),
                usage=bill.usage,
                cost_usd=bill.cost_usd,
                latency_s=outcome.latency_s,
            )

        return call

    def _answered(self, row: RoutingRow, answer: Answer, *, warm: bool) -> Decided:
        receipt = self._receipts.take(answer.decision_id)
        if isinstance(receipt, CacheHit):
            return Decided(
                query_id=row.query_id,
                source=Source.CACHE,
                candidate=answer.candidate,
                cost_usd=0.0,
                quality=_hit_quality(row, answer, self._prompts),
                from_query_id=answer.from_query_id,
                propensity=receipt.propensity,
                predicted_quality=receipt.p_right,
                predicted_cost_usd=0.0,
                warm=warm,
            )
        quality = row.outcomes[answer.candidate].score
        self._expect_grade(row, answer.decision_id, quality)
        estimate = receipt.estimate_of(answer.candidate)
        return Decided(
            query_id=row.query_id,
            source=Source.MODEL,
            candidate=answer.candidate,
            cost_usd=answer.cost_usd or 0.0,
            quality=quality,
            propensity=receipt.propensity if answer.candidate == receipt.candidate else None,
            predicted_quality=estimate.quality,
            predicted_cost_usd=estimate.cost_usd,
            warm=warm,
            explored_usd=explored_usd(receipt),
        )

    def _expect_grade(self, row: RoutingRow, decision_id: str, quality: float) -> None:
        options = self._options
        self._usual += (quality - self._usual) / min(self._number + 20, 500)
        # Rates of good and bad answers differ by the ratio, and are `feedback_rate` on average.
        ratio = options.complaints
        usual = self._usual + ratio * (1.0 - self._usual)
        rate = options.feedback_rate * (quality + ratio * (1.0 - quality)) / usual
        if _draw(f"feedback:{options.seed}:{row.query_id}") < rate:
            due = self._number + options.feedback_delay
            turned = _draw(f"wrong:{options.seed}:{row.query_id}") < options.wrong
            self._grades.append(_Grade(due, decision_id, 1.0 - quality if turned else quality))

    def _deliver(self, number: int) -> None:
        while self._grades and self._grades[0].due <= number:
            grade = self._grades.popleft()
            self._engine.feedback(
                grade.decision_id, quality=grade.quality, source=self._options.source
            )


def _draw(name: str) -> float:
    """A number in 0…1 that depends on nothing that happens: only on purpose, seed and query."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _text(response: str | None, candidate: str, query_id: str) -> str:
    """The recorded answer, or a stable stand-in that is like no other answer."""
    return f"answer of {candidate} to {query_id}" if response is None else response


def _hit_quality(row: RoutingRow, answer: Answer, prompts: Mapping[str, str]) -> float:
    """1 if the stored answer is the reference, or without one, if it answered the same prompt."""
    if row.reference is not None:
        return float(answer.text == row.reference)
    return float(prompts.get(answer.from_query_id or "") == row.prompt)


def _unanswered(row: RoutingRow, *, warm: bool) -> Decided:
    return Decided(
        query_id=row.query_id,
        source=Source.MODEL,
        candidate=None,
        cost_usd=0.0,
        quality=0.0,
        warm=warm,
    )
