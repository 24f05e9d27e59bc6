"""What has come of the candidates that were tried for one query so far."""

from __future__ import annotations

from sls_plugins.errors import BudgetExhausted, NoCandidateLeft, ProviderError, UnusableAnswerError
from sls_plugins.flow.parts import Parts
from sls_plugins.flow.planned import Planned
from sls_plugins.types import Answer

__all__ = ["Tries"]


class Tries:
    """Who failed and why, what that cost, and who may still be asked."""

    def __init__(self, planned: Planned) -> None:
        """Nobody was tried yet."""
        self.causes: dict[str, str | Exception] = dict(planned.decision.ineligible)
        self.failures: list[tuple[str, str]] = []
        self._planned = planned
        self._spent_usd = 0.0
        self._broken: ProviderError | None = None
        self._unusable: Answer | None = None

    def open(self, name: str) -> bool:
        """Whether this candidate has not failed yet, also when it was called beside another one."""
        return all(name != failed for failed, _ in self.failures)

    def may_cost(self, name: str) -> bool:
        """Whether this candidate, too, fits under the query's ceiling."""
        ceiling_usd = self._planned.query.max_usd
        high_usd = self._planned.decision.estimate_of(name).cost_high_usd
        if not self._spent_usd or ceiling_usd is None or self._spent_usd + high_usd <= ceiling_usd:
            return True
        self.causes[name] = f"might cost more than is left of {ceiling_usd:g} USD for this query"
        return False

    def may_begin(self, name: str, parts: Parts) -> bool:
        """Whether the provider's limits leave room for a call; if so it is counted."""
        busy = parts.health.begin(parts.candidates[name], self._planned.query.input_tokens or 0)
        if busy:
            self.causes[name] = busy
        return not busy

    def note(self, error: ProviderError, cost_usd: float) -> None:
        """A candidate failed, and that cost so much."""
        self.causes[error.candidate] = error
        self.failures.append((error.candidate, str(error)))
        self._spent_usd += cost_usd

    def broke(self, error: ProviderError, cost_usd: float) -> None:
        """A candidate failed. Raises ProviderError if no other one may be tried."""
        self.note(error, cost_usd)
        if error.partial is not None:
            self._broken = error
        if error.stops:
            raise error if error.partial is not None or self._broken is None else self._broken

    def unusable(self, error: UnusableAnswerError, said: Answer) -> bool:
        """An answer came in the wrong form; whether another candidate is to be asked."""
        self.note(error, said.cost_usd or 0.0)
        first, self._unusable = self._unusable is None, said
        return first

    def end(self) -> Answer:
        """Nobody is left: an answer that cannot be used is better than none. Raises SLSError."""
        if self._unusable is not None:
            return self._unusable
        if self._broken is not None:
            raise self._broken
        raise _nothing_left(self._planned.query.id, self.causes)


def _nothing_left(query_id: str, causes: dict[str, str | Exception]) -> Exception:
    """BudgetExhausted if money alone stood in the way, else NoCandidateLeft with every cause."""
    errors = [cause for cause in causes.values() if isinstance(cause, Exception)]
    broke = [error for error in errors if isinstance(error, BudgetExhausted)]
    if broke and len(broke) == len(errors):
        return broke[0]
    return NoCandidateLeft(query_id, causes)
