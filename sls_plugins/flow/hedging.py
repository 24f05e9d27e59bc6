"""A second call beside one that is late: who may make it, and what becomes of the slower one."""

from __future__ import annotations

import logging
from dataclasses import replace

from sls_plugins.errors import BudgetExhausted, ProviderError, SLSError, UnusableAnswerError
from sls_plugins.flow.completing import completed
from sls_plugins.flow.lines import log_outcome
from sls_plugins.flow.parts import Parts
from sls_plugins.flow.planned import Planned
from sls_plugins.flow.tries import Tries
from sls_plugins.types import Answer, Candidate, Outcome, OutcomeKind

__all__ = ["Hedge", "hedge_of"]

_log = logging.getLogger(__name__)


class Hedge:
    """Lets a second candidate be called once the first is `late_s` seconds late.

    A driver asks for `begin`. Of the two calls it tells who `won`, and for the other one `lost`; or
    `failed` for every one that raised, but for the first if both did. Threads may call it.
    """

    def __init__(
        self, parts: Parts, planned: Planned, first: str, late_s: float, tries: Tries
    ) -> None:
        """`late_s`: nineteen of twenty answers of the first candidate come before that.

        `tries` is told of calls that `failed`: nobody is asked twice for one query.
        """
        self._parts = parts
        self._planned = planned
        self._tries = tries
        self.first = first
        self.winner = first
        self.late_s = late_s
        self.start_s = parts.clock()
        self._began_s = {first: self.start_s}

    def begin(self) -> Candidate | None:
        """The best of the others that limits and budget allow; money is held for its call."""
        parts, decision = self._parts, self._planned.decision
        tokens = self._planned.query.input_tokens or 0
        for name in decision.ranking[1:]:
            if parts.health.begin(parts.candidates[name], tokens):
                continue
            try:
                parts.ledger.reserve(self._reservation(name), self._high_usd(name))
            except BudgetExhausted:
                parts.health.cancel(name)
                continue
            self._began_s[name] = parts.clock()
            return parts.candidates[name]
        return None

    def won(self, name: str) -> None:
        """Its answer is the one that is used."""
        self.winner, self.start_s = name, self._began_s[name]

    def lost(self, name: str, said: Answer | None) -> None:
        """The slower one is charged for what it used.

        That is all that it said in the end, or, if it was cancelled (None), as much as it is likely
        to have used by then. The log has it as a decision of its own, from which costs and
        latencies are learnt.
        """
        estimate = self._planned.decision.estimate_of(name)
        took_s = max(0.0, self._parts.clock() - self._began_s[name])
        if said is None:
            share = min(1.0, took_s / max(estimate.latency_s or 0.0, 1e-9))
            told = replace(self._line(OutcomeKind.FAILED, name), cost_usd=share * estimate.cost_usd)
        else:
            done = completed(self._parts, self._planned.query, name, said)
            told = replace(
                self._line(OutcomeKind.ANSWERED, name),
                usage=done.usage,
                cost_usd=done.cost_usd,
                latency_s=took_s if said.latency_s is None else said.latency_s,
                answer_text=done.text,
            )
        decision_id = f"{self._planned.decision.id}+{name}"
        receipt = replace(
            self._planned.decision,
            id=decision_id,
            candidate=name,
            ranking=(name,),
            propensity=1.0,
            terms=(),
            why=f"called beside {self.winner}, which was quicker",
        )
        self._parts.log.add_decision(receipt, self._planned.query, self._planned.vector)
        self._parts.health.cancel(name)
        self._settle(name, replace(told, decision_id=decision_id))

    def failed(self, name: str, error: BaseException) -> None:
        """A call raised: it is logged, and charged for what it had said.

        Of an error that is no `ProviderError` nothing is known: what was held is given back.
        """
        if not isinstance(error, ProviderError):
            self._parts.health.cancel(name)
            self._parts.ledger.release(self._reservation(name))
            return
        usable = not isinstance(error, UnusableAnswerError)
        self._parts.health.end(name, error if usable else None)
        said = error.partial if usable else getattr(error, "answer", None)
        told = replace(
            self._line(OutcomeKind.FAILED, name), error=str(error.__cause__ or error), cost_usd=0.0
        )
        if isinstance(said, Answer):
            done = completed(self._parts, self._planned.query, name, said)
            told = replace(told, usage=done.usage, cost_usd=done.cost_usd)
        self._tries.note(error, told.cost_usd or 0.0)
        self._settle(name, told)

    def _line(self, kind: OutcomeKind, name: str) -> Outcome:
        line = self._planned.outcome(kind, name, self._parts.clock())
        return replace(line, propensity=1.0, nearest_id=None, nearest_similarity=None)

    def _settle(self, name: str, told: Outcome) -> None:
        try:
            self._parts.ledger.settle(self._reservation(name), told.cost_usd or 0.0)
            log_outcome(self._parts, told)
        except SLSError:  # the answer is there; the engine may even be closed by now
            _log.exception("what %s used beside a quicker one is not stored", name)

    def _reservation(self, name: str) -> str:
        return f"{self._planned.decision.id}/{name}"

    def _high_usd(self, name: str) -> float:
        return self._planned.decision.estimate_of(name).cost_high_usd


def hedge_of(parts: Parts, planned: Planned, name: str, tries: Tries) -> Hedge | None:
    """A hedge for the first call of a decision, where they are wanted and its latency is known."""
    ranking = planned.decision.ranking
    late_s = planned.decision.estimate_of(name).latency_high_s
    if not parts.health.rules.hedge or late_s is None or name != ranking[0] or len(ranking) < 2:
        return None
    return Hedge(parts, planned, name, late_s, tries)
