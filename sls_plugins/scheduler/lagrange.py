"""The default scheduler: one price of money for all queries, paced over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from sls_plugins.errors import NoCandidateLeft
from sls_plugins.protocols import Choice, Context
from sls_plugins.scheduler.aim import Aim, aim_of
from sls_plugins.scheduler.exploration import Explored, Scenarios
from sls_plugins.scheduler.frontier import Hull, hull_of
from sls_plugins.scheduler.pacing import Pacer
from sls_plugins.scheduler.safety import Safety
from sls_plugins.scheduler.selection import (
    Picked,
    Terms,
    credible,
    pick,
    value_of,
    values_of,
    within,
    worth_of,
    worths_of,
)
from sls_plugins.types import CACHE, Estimate, Outcome, OutcomeKind, Purse, Query, Source, State

__all__ = ["LagrangeScheduler", "make"]


class LagrangeScheduler:
    """Chooses the candidate with the largest quality - λ·cost, exploring where little is known.

    A small share of the queries goes to the best fixed mix of two candidates, which takes over if
    the learnt policy does worse.
    """

    def __init__(self, aim: Aim | None = None, seed: int = 0) -> None:
        """`aim`: what to pace towards (thrift if None); `seed` fixes the scenarios explored."""
        self.aim = aim if aim is not None else Aim()
        self.seed = seed
        self._pacer = Pacer(self.aim)
        self._safety = Safety(self.aim)
        self._scenarios = Scenarios(seed)
        self._held: dict[str, float] = {}

    def decide(
        self, query: Query, estimates: Sequence[Estimate], purse: Purse, seed: int
    ) -> Choice:
        """Rank the candidates that the ceilings allow; the expected cost of the first is held.

        Raises NoCandidateLeft, naming each one's cost, if a ceiling rules out everybody.
        """
        stored = [one for one in estimates if one.candidate == CACHE]
        models = [one for one in estimates if one.candidate != CACHE] if stored else estimates
        allowed, causes = within(models, self._ceiling_usd(query))
        if not allowed:
            raise NoCandidateLeft(query.id, causes)
        doubt = self._safety.doubt([one.candidate for one in allowed])
        held = self._left_alone(allowed) if self._held else {}
        self._pacer.observe(self._hull(free_of(allowed, held), doubt), purse)
        left = math.inf if purse.available_usd is None else purse.available_usd
        payable = within(allowed, left)[0] or allowed if left < math.inf else allowed
        terms = self._terms(query, payable, left, doubt, held)
        best = _best(free_of(payable, held), terms)
        if stored and worth_of(stored[0], terms) >= worth_of(best, terms):
            return _reused(stored[0], models, terms)
        picked = pick(payable, terms, self._scenarios, seed)
        first = picked.ranking[0]
        self._pacer.charge(query.id, first.cost_usd)
        self._safety.chosen(query.id, picked, terms)
        return Choice(
            ranking=tuple(one.candidate for one in picked.ranking),
            propensity=picked.propensity,
            price=terms.price,
            why=reason(first, best, terms, picked) + self._unreached(),
            terms=terms.flat(),
        )

    def _hull(self, allowed: Sequence[Estimate], doubt: Mapping[str, float]) -> Hull:
        reach, weight = self._pacer.most_usd, self.aim.latency_weight
        offered = [one for one in allowed if one.cost_high_usd <= reach] or allowed
        offered = credible(offered, doubt, weight)
        return hull_of(values_of(offered, weight), [one.cost_usd for one in offered])

    def _terms(
        self,
        query: Query,
        payable: Sequence[Estimate],
        left_usd: float,
        doubt: Mapping[str, float],
        held: Mapping[str, float],
    ) -> Terms:
        deadlines = (self.aim.deadline_s, query.deadline_s)
        self._safety.observe(payable, self._pacer.spilt_usd)
        free = free_of(payable, held)
        names = [one.candidate for one in free]
        mix = self._safety.mix(names)
        purse_usd = min(self._pacer.purse_usd, left_usd)
        price, hopeful = self._pacer.price(), []
        if price < 0.0:
            hopeful = credible(free, doubt, self.aim.latency_weight)
        return Terms(
            price=price,
            purse_usd=purse_usd,
            tail=self._pacer.tail,
            latency_weight=self.aim.latency_weight,
            deadline_s=min((s for s in deadlines if s is not None), default=math.inf),
            safe=self._safety.share if mix else 0.0,
            scenarios=self.seed,
            curiosity=self._safety.curiosity(free, price),
            mix=mix,
            doubt=doubt if price < 0.0 else {},
            trial=self._safety.trial(free, purse_usd, hopeful, self._pacer.room_usd, price),
            held=held,
        )

    def _left_alone(self, allowed: Sequence[Estimate]) -> Mapping[str, float]:
        """Who is in quarantine; nobody where that costs more than the worst they might do.

        That is where at the price of money all others are worth less than one of these whose
        answers were all wrong: better an answer in doubt than one that eats up the budget.
        """
        free = [one for one in allowed if one.candidate not in self._held]
        price, weight = max(self._pacer.price(), 0.0), self.aim.latency_weight
        best = max((value_of(one, weight) - price * one.cost_usd for one in free), default=math.inf)
        worst = [-price * one.cost_usd for one in allowed if one.candidate in self._held]
        return self._held if best >= max(worst, default=-math.inf) else {}

    def _unreached(self) -> str:
        """Words about a target quality that is out of reach; none otherwise."""
        most = self._pacer.reachable
        if most >= 1.0:
            return ""
        return (
            f"; the target of {self.aim.target_quality} is out of reach: all best bring {most:.3f}"
        )

    def _ceiling_usd(self, query: Query) -> float:
        ceilings = (query.max_usd, self.aim.max_usd_per_query)
        return min((usd for usd in ceilings if usd is not None), default=math.inf)

    def skip(self, query: Query) -> None:  # noqa: ARG002 - which query it was does not matter
        """A query was answered from the cache: its share of the budget is left for others."""
        self._pacer.observe(None, Purse())

    def learn_one(self, outcome: Outcome) -> None:
        """Learn what a decision really cost and how good it was.

        Without an estimate nobody here chose: an answer given elsewhere is not on this account.
        """
        estimate = outcome.estimate
        if outcome.source is Source.CACHE or estimate is None:
            return
        if outcome.cost_usd is not None and outcome.kind is not OutcomeKind.GRADED:
            self._pacer.settle(
                outcome.query.id, outcome.cost_usd, estimate.cost_usd, estimate.cost_high_usd
            )
        if outcome.cost_usd is not None and outcome.kind is OutcomeKind.ANSWERED:
            self._safety.billed(estimate, outcome.cost_usd)
        if outcome.quality is not None and 0.0 <= outcome.quality <= 1.0:
            self._pacer.grade(outcome.quality)
            self._safety.graded(outcome.query.id, estimate, outcome.quality)

    @property
    def explored(self) -> Explored:
        """What exploring was so far, as far as this state reaches back."""
        decisions, calls, usd, spent_usd = self._safety.account
        return Explored(decisions=int(decisions), calls=int(calls), usd=usd, spent_usd=spent_usd)

    def forget(self, candidate: str, share: float) -> None:
        """Let a candidate that has changed be tried again, as if it had hardly been asked."""
        self._safety.forget(candidate, share)

    def reprice(self, candidate: str, factor: float) -> None:
        """A candidate's prices were multiplied; one that is much cheaper is tried again."""
        self._safety.standing.reprice(candidate, factor)

    def quarantine(self, candidate: str, share: float) -> None:
        """Choose a candidate for this share (0…1) of the queries, and no other; 0 ends that."""
        held = {name: rate for name, rate in self._held.items() if name != candidate}
        self._held = held | ({candidate: share} if share > 0.0 else {})

    def save(self) -> State:
        """All learnt state as arrays."""
        held = {
            "held.names": np.array(list(self._held), dtype=np.str_),
            "held.shares": np.array(list(self._held.values()), dtype=np.float64),
        }
        learnt = self._pacer.save("pacer") | self._safety.save("safety")
        return learnt | held if self._held else learnt

    def load(self, state: State) -> None:
        """Restore what `save` gave, bit for bit."""
        self._pacer.load("pacer", state)
        self._safety.load("safety", state)
        self._held = {}
        if "held.names" in state:
            shares = np.asarray(state["held.shares"], dtype=np.float64).tolist()
            held = zip(state["held.names"], shares, strict=True)
            self._held = {str(name): share for name, share in held}


def free_of(estimates: Sequence[Estimate], held: Mapping[str, float]) -> Sequence[Estimate]:
    """Those that are not in quarantine, if there are any."""
    if not held:
        return estimates
    return [one for one in estimates if one.candidate not in held] or estimates


def _best(estimates: Sequence[Estimate], terms: Terms) -> Estimate:
    """The best value at this price, doubts aside."""
    worths = worths_of(estimates, terms)
    return estimates[worths.index(max(worths))]


def _reused(stored: Estimate, models: Sequence[Estimate], terms: Terms) -> Choice:
    """A stored answer is worth more than any call: nothing is charged, nobody is tried."""
    return Choice(
        ranking=(CACHE, *(one.candidate for one in models)),
        propensity=1.0,
        price=terms.price,
        why=f"a stored answer is right with {stored.quality:.3f} and costs nothing",
        terms=terms.flat(),
    )


def reason(first: Estimate, best: Estimate, terms: Terms, picked: Picked) -> str:
    """Why the first was chosen, for people."""
    price = f"at {terms.price:.4g} quality per USD"
    if terms.price < 0.0:
        price = f"while money would be left over, up to {-terms.price:.4g} quality given per USD"
    facts = (
        f"quality {first.quality:.3f}±{first.quality_sd:.3f} for {first.cost_usd:.3g} USD {price}"
    )
    if first.candidate == best.candidate:
        return f"best value: {facts}"
    other = f"the best value now would be {best.candidate}"
    if first.candidate in terms.held:
        return f"a probe of one in quarantine: {facts}; {other}"
    if picked.policy[picked.names.index(first.candidate)] == 0.0:
        tried = first.candidate in terms.trial
        return f"{'on trial' if tried else 'by the fixed mix'}: {facts}; {other}"
    if best.candidate not in picked.names:
        return f"within the purse: {facts}; {other}"
    return f"explored: {facts}; {other}"


def make(context: Context, options: Mapping[str, object]) -> LagrangeScheduler:
    """The factory: options are the fields of `Aim`. Raises SettingsError for anything else."""
    return LagrangeScheduler(aim_of(options), seed=context.seed)
