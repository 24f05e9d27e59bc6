"""The default scheduler: one price of money for all queries, paced over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sls_plugins.errors import NoCandidateLeft
from sls_plugins.protocols import Choice, Context
from sls_plugins.scheduler.aim import Aim, aim_of
from sls_plugins.scheduler.exploration import Scenarios, curiosity
from sls_plugins.scheduler.frontier import hull_of
from sls_plugins.scheduler.pacing import Pacer
from sls_plugins.scheduler.selection import Terms, pick, within
from sls_plugins.types import Estimate, Outcome, OutcomeKind, Purse, Query, Source, State

__all__ = ["LagrangeScheduler", "make"]


class LagrangeScheduler:
    """Chooses the candidate with the largest quality - λ·cost, exploring where little is known."""

    def __init__(self, aim: Aim | None = None, seed: int = 0) -> None:
        """`aim`: what to pace towards (thrift if None); `seed` fixes the scenarios explored."""
        self.aim = aim if aim is not None else Aim()
        self._pacer = Pacer(self.aim)
        self._scenarios = Scenarios(seed)

    def decide(
        self, query: Query, estimates: Sequence[Estimate], purse: Purse, seed: int
    ) -> Choice:
        """Rank the candidates that the ceilings allow; the expected cost of the first is held.

        Raises NoCandidateLeft, naming each one's cost, if a ceiling rules out everybody.
        """
        allowed, causes = within(estimates, self._ceiling_usd(query))
        if not allowed:
            raise NoCandidateLeft(query.id, causes)
        reach = self._pacer.most_usd
        offered = [one for one in allowed if one.cost_high_usd <= reach] or allowed
        hull = hull_of([one.quality for one in offered], [one.cost_usd for one in offered])
        self._pacer.observe(hull)
        price = self._pacer.price()
        left = math.inf if purse.available_usd is None else purse.available_usd
        payable = within(allowed, left)[0] or allowed
        terms = Terms(
            price=price,
            purse_usd=min(self._pacer.purse_usd, left),
            curiosity=curiosity(self._pacer.seen, len(estimates)),
        )
        picked = pick(payable, terms, self._scenarios, seed)
        first = picked.ranking[0]
        self._pacer.charge(query.id, first.cost_usd)
        best = max(payable, key=lambda one: one.quality - price * one.cost_usd)
        why = reason(first, best, price)
        return Choice(
            ranking=tuple(one.candidate for one in picked.ranking),
            propensity=picked.propensity,
            price=price,
            why=why,
        )

    def _ceiling_usd(self, query: Query) -> float:
        ceilings = (query.max_usd, self.aim.max_usd_per_query)
        return min((usd for usd in ceilings if usd is not None), default=math.inf)

    def skip(self, query: Query) -> None:  # noqa: ARG002 - which query it was does not matter
        """A query was answered from the cache: its share of the budget is left for others."""
        self._pacer.observe(None)

    def learn_one(self, outcome: Outcome) -> None:
        """Learn what a decision really cost and how good it was.

        Without an estimate nobody here chose: an answer given elsewhere is not on this account.
        """
        if outcome.source is Source.CACHE or outcome.estimate is None:
            return
        if outcome.kind is OutcomeKind.ANSWERED and outcome.cost_usd is not None:
            self._pacer.settle(outcome.query.id, outcome.cost_usd)
        if outcome.quality is not None and 0.0 <= outcome.quality <= 1.0:
            self._pacer.grade(outcome.quality)

    def save(self) -> State:
        """All learnt state as arrays."""
        return self._pacer.save("pacer")

    def load(self, state: State) -> None:
        """Restore what `save` gave, bit for bit."""
        self._pacer.load("pacer", state)


def reason(first: Estimate, best: Estimate, price: float) -> str:
    """Why the first was chosen, for people."""
    facts = (
        f"quality {first.quality:.3f}±{first.quality_sd:.3f} for {first.cost_usd:.3g} USD "
        f"at {price:.4g} quality per USD"
    )
    if first.candidate == best.candidate:
        return f"best value: {facts}"
    return f"explored: {facts}; the best value now would be {best.candidate}"


def make(context: Context, options: Mapping[str, object]) -> LagrangeScheduler:
    """The factory: options are the fields of `Aim`. Raises SettingsError for anything else."""
    return LagrangeScheduler(aim_of(options), seed=context.seed)
