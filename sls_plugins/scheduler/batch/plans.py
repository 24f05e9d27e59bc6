"""One assignment for a budget or a quality target, with its certificate (OptLLM-S, both ways)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike

from sls_plugins.errors import InputError
from sls_plugins.scheduler.batch.arrays import Columns, batch_of, worth
from sls_plugins.scheduler.batch.effort import Effort
from sls_plugins.scheduler.batch.filling import buy, reach, save
from sls_plugins.scheduler.batch.front import Front, front_of
from sls_plugins.scheduler.batch.methods import method_of
from sls_plugins.scheduler.batch.optllm import best, cheapest, refine
from sls_plugins.scheduler.batch.tradeoffs import Tradeoffs

__all__ = ["Aim", "Plan", "aim_of", "assign", "plan_of", "tradeoffs"]

ROUNDING = 1e-12
"""Sums over a batch are known to this relative accuracy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Either a budget for the whole batch in USD, or a sum of quality to reach."""

    budget_usd: float | None = None
    min_quality: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """A candidate for every query, and how far from the best possible it can be at most.

    Attributes:
        columns: the chosen candidate's number for each query, shape (n,).
        quality: sum of quality.
        cost_usd: sum of cost.
        upper_bound: no assignment within the budget (with a quality target: within this plan's own
            cost) has more quality.
        lower_bound_usd: with a quality target: no assignment that reaches it costs less.
    """

    columns: Columns
    quality: float
    cost_usd: float
    upper_bound: float
    lower_bound_usd: float | None = None

    @property
    def gap(self) -> float:
        """Quality that the best possible assignment can have more, at most."""
        return max(self.upper_bound - self.quality, 0.0)


def aim_of(budget_usd: float | None, min_quality: float | None) -> Aim:
    """Raises InputError unless exactly one is given that can be meant."""
    if (budget_usd is None) == (min_quality is None):
        raise InputError("say either a budget in USD or a quality to reach, one of them")
    if budget_usd is not None and not 0 < budget_usd < math.inf:
        raise InputError(f"the budget must be a positive number of USD, not {budget_usd}")
    if min_quality is not None and not math.isfinite(min_quality):
        raise InputError(f"the quality to reach must be a number, not {min_quality}")
    return Aim(budget_usd=budget_usd, min_quality=min_quality)


def assign(
    quality: ArrayLike,
    cost_usd: ArrayLike,
    *,
    budget_usd: float | None = None,
    min_quality: float | None = None,
    method: str = "exact",
    seed: int = 0,
) -> Plan:
    """One candidate per query: the most quality in a budget, or a quality at the least cost.

    `quality`, `cost_usd` have the shape (n, m); NaN marks an ineligible pair. Budget, quality to
    reach are sums over all n queries. Raises InputError where arrays are wrong, the budget pays not
    even for the cheapest assignment, or the quality cannot be reached.
    """
    aim, search = aim_of(budget_usd, min_quality), method_of(method)
    batch = batch_of(quality, cost_usd)
    front = front_of(batch)
    check(front, aim)
    found = None if method == "exact" else search(batch, Effort(), seed)
    return plan_of(front, aim, found, refined=method == "optllm")


def tradeoffs(
    quality: ArrayLike, cost_usd: ArrayLike, *, method: str = "exact", seed: int = 0
) -> Tradeoffs:
    """Assignments that trade cost against quality (OptLLM-M); `exact` gives all corners."""
    return method_of(method)(batch_of(quality, cost_usd), Effort(), seed)


def check(front: Front, aim: Aim) -> None:
    """Raises InputError, with what could be had, where the aim is out of reach."""
    least, most = float(front.sums_usd[0]), float(front.sums[-1])
    if aim.budget_usd is not None and aim.budget_usd < least * (1 - ROUNDING):
        raise InputError(
            f"a budget of {aim.budget_usd:.9g} USD is too low: "
            f"the cheapest assignment costs {least:.9g} USD"
        )
    if aim.min_quality is not None and aim.min_quality > most + ROUNDING * abs(most):
        raise InputError(
            f"a quality of {aim.min_quality:.9g} cannot be reached: "
            f"the highest sum over {front.batch.rows} queries is {most:.9g}"
        )


def plan_of(
    front: Front, aim: Aim, found: Tradeoffs | None = None, *, refined: bool = False
) -> Plan:
    """A plan from the exact front, or from what a search has found (the certificate is exact).

    `refined`: improve what was found in OptLLM-S's way. Raises InputError if it is out of reach.
    """
    check(front, aim)
    if aim.budget_usd is not None:
        return _in_budget(front, aim.budget_usd, found, refined=refined)
    assert aim.min_quality is not None
    return _for_quality(front, aim.min_quality, found, refined=refined)


def _in_budget(front: Front, budget_usd: float, found: Tradeoffs | None, *, refined: bool) -> Plan:
    batch, limit = front.batch, budget_usd * (1 + ROUNDING)
    if found is None:
        steps = max(front.within(limit), 0)
        columns = front.columns(steps)
    else:
        place = found.within(limit)
        columns = cheapest(batch) if place is None else found.columns(place)
    room_usd = budget_usd - worth(batch, columns)[1]
    if found is None and room_usd > 0:
        columns = buy(batch, columns, room_usd)
    elif refined and room_usd > 0:
        columns = refine(batch, columns, room_usd=room_usd)
    quality, cost_usd = worth(batch, columns)
    bound = max(front.most_quality(max(budget_usd, cost_usd)), quality)
    return Plan(columns=columns, quality=quality, cost_usd=cost_usd, upper_bound=bound)


def _for_quality(front: Front, target: float, found: Tradeoffs | None, *, refined: bool) -> Plan:
    batch, goal = front.batch, target - ROUNDING * abs(target)
    if found is None:
        columns = _reaching(front, goal, target)
    else:
        place = found.reaching(goal)
        columns = best(batch) if place is None else found.columns(place)
    room = worth(batch, columns)[0] - target
    if refined and room > 0:
        columns = refine(batch, columns, room=room)
    quality, cost_usd = worth(batch, columns)
    return Plan(
        columns=columns,
        quality=quality,
        cost_usd=cost_usd,
        upper_bound=max(front.most_quality(cost_usd), quality),
        lower_bound_usd=min(front.least_usd(goal), cost_usd),
    )


def _reaching(front: Front, goal: float, target: float) -> Columns:
    """The first point that reaches the goal, less what can be saved; or a cheaper single move.

    The move starts from the point before, and takes the place of the step that led on from there.
    """
    batch = front.batch
    steps = min(front.reaching(goal), len(front))
    columns = front.columns(steps)
    spare = worth(batch, columns)[0] - target
    if spare > 0:
        columns = save(batch, columns, spare)
    if steps == 0:
        return columns
    before = front.columns(steps - 1)
    other = reach(batch, before, target - worth(batch, before)[0])
    if other is None or worth(batch, other)[1] >= worth(batch, columns)[1]:
        return columns
    return other
