"""The safe arm: a fixed mix of two candidates beside the learnt policy, and who is in charge."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sls_plugins.scheduler.aim import Aim
from sls_plugins.scheduler.duel import Duel
from sls_plugins.scheduler.exploration import curiosity
from sls_plugins.scheduler.selection import Picked, Terms, value_of, worth_of, worths_of
from sls_plugins.scheduler.standing import Mix, Rows, Standing, needed
from sls_plugins.types import Estimate, State

__all__ = ["Safety"]

UNPROVEN, PROVEN, HANDED = 0.01, 0.005, 0.8
"""Share of the queries that the mix decides: at first, once the policy is proven, in charge."""

FIRST_TRIALS, TRIALS, TRYING = 3.0, 8.0, 0.2
"""Outcomes of a candidate that are wanted at least; those of one that may yet be the best; and the
share of the queries that the mix leaves over to get them."""

STEADY = 200.0
"""Queries after which the tries of such a one grow with the root of the queries seen."""

REACH = 2.0
"""Nats by which few outcomes may speak against somebody who may yet be better: one in seven."""

RISK = 4.0
"""Times what the cheapest costs that a trial may always cost, at most: who is he really?"""

LOOKS = 30.0
"""Outcomes of a candidate after which its costs are known well enough."""

CAUTION = 1.5
"""Times the high quantile that the first calls of a candidate are allowed for."""

CREDIT, GRANT = 2.0, 0.05
"""Quality, in sum, that exploring may be expected to give away; and that of which `exploration` is
granted anew with every query: at 5 % that is a quarter of a hundredth on average."""

SAVING = 1000.0
"""Queries over which money for exploring is saved up at most."""

SPREAD, MOST_DOUBT = 0.3, 0.1
"""Deviation of one answer's quality; how far anybody may be from what is thought of him."""

RENEWAL = 8
"""Decisions for which a mix stays what it is."""

PENDING = 4096
"""Decisions whose grade is not known yet, at most."""

FADE = 0.002
"""Share of the flow of money that is forgotten with every query."""


class Safety:
    """Keeps each candidate's standing, duels policy and mix, and keeps exploration's account.

    Every decision is remembered until its grade comes: what both had been expected to be worth,
    and how much likelier each was to choose as it was chosen than what really chose.
    """

    def __init__(self, aim: Aim) -> None:
        """`aim` tells what exploration may cost."""
        self.aim = aim
        self.standing = Standing()
        self.duel = Duel()
        self.pending: dict[str, tuple[float, float, float, float]] = {}
        self.flow = (0.0, 0.0)  # USD spent, weight
        self.seen = 0
        self.fund_usd = 0.0
        self.credit = CREDIT
        self.account = (0.0, 0.0, 0.0, 0.0)  # decisions, explored ones, USD for these, USD in all
        self._mix: Mix | None = None
        self._until = 0
        self._mixed: tuple[Sequence[str], dict[str, float]] = ((), {})
        self._doubts: tuple[Sequence[str], dict[str, float]] = ((), {})

    @property
    def share(self) -> float:
        """The share of the queries that the mix decides now."""
        if self.duel.handed:
            return HANDED
        return PROVEN if self.duel.proven else UNPROVEN

    def observe(self, estimates: Sequence[Estimate], spilt_usd: float) -> None:
        """A query came, of which this is expected; what nobody needed may be explored with."""
        self.fund_usd += spilt_usd
        self.seen += 1
        rows = self.standing.rows([one.candidate for one in estimates])
        self.standing.observe(estimates, rows)

    def mix(self, names: Sequence[str]) -> dict[str, float]:
        """The best fixed mix at what is spent now; empty where it would be one of one."""
        if len(names) < 2 or self.flow[1] <= 0.0:
            return {}
        if self._mix is None or self.seen >= self._until:
            spend = self.flow[0] / self.flow[1]
            self._mix = self.standing.mix(self.standing.rows(names), spend)
            self._until = self.seen + RENEWAL
            self._mixed = ((), {})
        if names != self._mixed[0]:
            told = zip(names, self._mix.shares(names).tolist(), strict=True)
            self._mixed = (names, {name: share for name, share in told if share > 0.0})
        return self._mixed[1]

    def curiosity(self, estimates: Sequence[Estimate], price: float) -> dict[str, float]:
        """The share of each one's doubt to explore at this price (quality per USD).

        None while exploring has given away too much quality. While it has cost too much money, only
        of those that are no dearer than the best value, which then is not doubted itself.
        """
        if self.credit < 0.0:
            return {}
        names = [one.candidate for one in estimates]
        rows = self.standing.rows(names)
        shares = dict(zip(names, curiosity(self.standing.tries[rows]).tolist(), strict=True))
        if self.fund_usd >= 0.0:
            return shares
        terms = Terms(price=price, purse_usd=0.0, latency_weight=self.aim.latency_weight)
        worths = worths_of(estimates, terms)
        best = estimates[worths.index(max(worths))]
        cheap = [one.candidate for one in estimates if one.cost_usd <= best.cost_usd]
        return {name: shares[name] for name in cheap if name != best.candidate}

    def doubt(self, names: Sequence[str]) -> dict[str, float]:
        """How far each candidate's mean quality may be from what is thought of it."""
        if names != self._doubts[0]:
            rows = self.standing.rows(names)  # may grow the array
            doubts = np.minimum(SPREAD / np.sqrt(1.0 + self.standing.tries[rows]), MOST_DOUBT)
            self._doubts = (names, dict(zip(names, doubts.tolist(), strict=True)))
        return self._doubts[1]

    def trial(
        self,
        estimates: Sequence[Estimate],
        purse_usd: float,
        hopeful: Sequence[Estimate] = (),
        room_usd: float = math.inf,
        price: float = 0.0,
    ) -> dict[str, float]:
        """The cheapest one that was hardly ever asked, if purse and exploring can pay for it.

        When nobody lacks his first trials it is whoever was asked least of those still to be tried.
        After its first trials that is one which a bad start may hide: at this `price` (quality per
        USD) it may be worth as much as the best for all that is known. Where grades do not come it
        is not tried on. What is expected of one that was never asked rests on list prices: it may
        be much dearer. While money would be left over, `hopeful` are those that may be the best:
        they are tried until what they cost is known, too, as long as there is room (`room_usd`) for
        the most that they may cost.
        """
        rows = self.standing.rows([one.candidate for one in estimates])
        limit_usd = max(purse_usd, RISK * min([one.cost_usd for one in estimates]))
        most = TRIALS * max(1.0, math.sqrt(self.seen / STEADY))
        hopes = {one.candidate for one in hopeful}
        reach = max(most, LOOKS) if hopes else most
        turns = []
        for place, asked in enumerate(self.standing.asked[rows].tolist()):
            one = estimates[place]
            if asked >= reach or one.cost_usd > self.fund_usd:
                continue
            likely = one.cost_high_usd * (1.0 if asked else CAUTION) <= limit_usd
            look = one.candidate in hopes and one.cost_usd <= purse_usd and asked < LOOKS
            look = look and one.cost_high_usd * CAUTION <= room_usd
            if asked < FIRST_TRIALS:
                if likely:
                    turns.append((0.0, one.cost_usd, one.candidate, place))
            elif look or (likely and asked < self._enough(int(rows[place]), most)):
                turns.append((asked, one.cost_usd, one.candidate, place))
        name = self._next(sorted(turns), rows, max(price, 0.0))
        return {name: TRYING * (1.0 - self.share)} if name else {}

    def _enough(self, row: int, most: float) -> float:
        """Times that somebody who may be the best is asked: few while grades do not come."""
        return min(most, FIRST_TRIALS + 2.0 * float(self.standing.own[row, 1]))

    def _next(
        self, turns: Sequence[tuple[float, float, str, int]], rows: Rows, price: float
    ) -> str:
        """The first that lacks his first trials, or may be worth as much as the best."""
        wanted: list[float] = []
        for asked, _, name, place in turns:
            if asked < FIRST_TRIALS:
                return name
            wanted = wanted or needed(self.standing.means(rows), price)
            row = int(rows[place])
            if self.standing.cheaper[row] or self.standing.against(row, wanted[place]) <= REACH:
                return name
        return ""

    def chosen(self, key: str, picked: Picked, terms: Terms) -> None:
        """Remember a decision until its grade comes, and what it costs more than the best value."""
        first = picked.ranking[0]
        self._charge(first, picked.best, terms)
        self.standing.ask(first.candidate)
        if not key:
            return
        self.pending.pop(key, None)
        while len(self.pending) >= PENDING:
            self.pending.pop(next(iter(self.pending)))
        tried = sum(terms.trial.values()) / (1.0 - terms.safe)
        self.pending[key] = (picked.propensity, *_contrast(picked, terms), tried)

    def _charge(self, first: Estimate, best: Estimate, terms: Terms) -> None:
        """What a choice costs more than the best value, and is expected to be worse, is on account.

        Exploring a cheaper one gives back the quality that the money it saves buys elsewhere.
        """
        spent_usd, queries = self.flow
        self.flow = ((1.0 - FADE) * spent_usd + first.cost_usd, (1.0 - FADE) * queries + 1.0)
        income_usd = self.aim.exploration * max(self.flow[0] / self.flow[1], self._spare_usd)
        explored = first.candidate != best.candidate and worth_of(first, terms) <= worth_of(
            best, terms
        )
        more = max(0.0, first.cost_usd - best.cost_usd) * explored
        self.fund_usd = min(self.fund_usd + income_usd - more, SAVING * income_usd)
        weight = terms.latency_weight
        saved = max(terms.price, 0.0) * max(0.0, best.cost_usd - first.cost_usd)
        worse = max(0.0, value_of(best, weight) - value_of(first, weight) - saved) * explored
        credit = self.credit + self.aim.exploration * GRANT - worse
        self.credit = min(max(credit, -CREDIT), CREDIT)
        decisions, calls, usd, all_usd = self.account
        self.account = (decisions + 1.0, calls + explored, usd + more, all_usd + first.cost_usd)

    @property
    def _spare_usd(self) -> float:
        """What the quality that exploring may give away is worth, at a given price of money."""
        return GRANT / self.aim.price if self.aim.price else 0.0

    def billed(self, estimate: Estimate, usd: float) -> None:
        """A call cost this."""
        self.standing.bill(estimate, usd)

    def graded(self, key: str, estimate: Estimate, quality: float) -> None:
        """A decision's answer was this good."""
        known = self.pending.pop(key, None)
        if known is None:
            return
        propensity, expected, ratio, tried = known
        self.standing.grade(estimate, quality, propensity)
        self._doubts = ((), {})
        if math.isfinite(ratio):
            difference = expected + ratio * (quality - estimate.quality)
            # A decision of before the last hand-over may lie outside: it is let in cut short.
            lowest = -1.5 - 1.0 / self.share
            highest = 1.5 + 1.0 / ((1.0 - self.share) * (1.0 - tried))
            self.duel.learn(min(max(difference, lowest), highest), lowest, highest)

    def forget(self, candidate: str, share: float) -> None:
        """A share (0…1) of what was asked of a candidate counts no longer: it is tried."""
        self.standing.forget(candidate, share)

    def save(self, name: str) -> dict[str, NDArray[np.generic]]:
        """The arrays under names that start with `name`."""
        kept = np.array(list(self.pending.values()), dtype=np.float64).reshape(-1, 4)
        mix = self._mix if self._mix is not None else Mix("", "", 0.0)
        return (
            self.standing.save(f"{name}.standing")
            | self.duel.save(f"{name}.duel")
            | {
                f"{name}.flow": np.array(self.flow),
                f"{name}.fund": np.array([self.fund_usd]),
                f"{name}.account": np.array(self.account),
                f"{name}.credit": np.array([self.credit]),
                f"{name}.mix": np.array([mix.first, mix.second], dtype=np.str_),
                f"{name}.mixed": np.array([mix.share, self.seen, self._until], dtype=np.float64),
                f"{name}.pending_keys": np.array(list(self.pending), dtype=np.str_),
                f"{name}.pending": kept,
            }
        )

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.standing.load(f"{name}.standing", state)
        self.duel.load(f"{name}.duel", state)
        self.flow = tuple(np.asarray(state[f"{name}.flow"], dtype=np.float64).tolist())
        self.fund_usd = float(state[f"{name}.fund"][0])
        self.account = tuple(np.asarray(state[f"{name}.account"], dtype=np.float64).tolist())
        self.credit = float(state[f"{name}.credit"][0])
        first, second = (str(one) for one in state[f"{name}.mix"])
        share, seen, until = np.array(state[f"{name}.mixed"], dtype=np.float64).tolist()
        self._mix = Mix(first, second, share) if first else None
        self.seen, self._until = int(seen), int(until)
        self._mixed = self._doubts = ((), {})
        keys = [str(key) for key in state[f"{name}.pending_keys"]]
        kept = np.array(state[f"{name}.pending"], dtype=np.float64).tolist()
        self.pending = {
            key: (values[0], values[1], values[2], values[3])
            for key, values in zip(keys, kept, strict=True)
        }


def _contrast(picked: Picked, terms: Terms) -> tuple[float, float]:
    """Expected value of the policy less the mix's, and the weight of the error in that."""
    if not terms.safe or not picked.mix.any():
        return 0.0, math.nan
    price = terms.price
    worth = np.array([one.quality - price * one.cost_usd for one in picked.able])
    first = picked.names.index(picked.ranking[0].candidate)
    leaning = picked.policy - picked.mix
    return float(leaning @ worth), float(leaning[first]) / picked.propensity
