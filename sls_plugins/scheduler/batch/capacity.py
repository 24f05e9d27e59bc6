"""Assignments where candidates have limits of their own, solved by HiGHS (extra `ml`).

Limits on requests or tokens tie the queries to each other, so the front's one sort is not enough.
HiGHS, which SciPy brings, solves the integer programme and says how far off it can be at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp
from scipy.sparse import csr_matrix

from sls_plugins.errors import InputError
from sls_plugins.scheduler.batch.arrays import Batch, Columns, Floats, batch_of, worth
from sls_plugins.scheduler.batch.plans import Aim, Plan

__all__ = ["Capacity", "assign_limited"]

INFEASIBLE = 2
"""HiGHS's status in SciPy for a problem without a solution."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Capacity:
    """What each candidate can take; ∞ where it has no limit.

    Attributes:
        requests: number of queries, shape (m,).
        tokens: number of tokens, shape (m,).
        query_tokens: tokens that each query takes of each candidate, shape (n, m) or (n,).
        seconds: time the solver may take.
        accuracy: it stops when the gap is this share of the quality.
    """

    requests: ArrayLike | None = None
    tokens: ArrayLike | None = None
    query_tokens: ArrayLike | None = None
    seconds: float = 60.0
    accuracy: float = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class _Programme:
    """Eligible pairs as the variables of a programme, with all its constraints."""

    row: NDArray[np.intp]
    column: NDArray[np.intp]
    quality: Floats
    cost: Floats
    limits: list[LinearConstraint]


def assign_limited(quality: ArrayLike, cost_usd: ArrayLike, aim: Aim, capacity: Capacity) -> Plan:
    """The most quality within budget and capacities, or a quality at the least cost within them.

    Raises InputError if the capacities are too small for the batch, or the aim is out of reach.
    """
    batch = batch_of(quality, cost_usd)
    programme = _programme(batch, capacity)
    aimed, goal = _aimed(programme, aim)
    solved = _solve(goal, [*programme.limits, aimed], capacity)
    if solved.status == INFEASIBLE:
        raise InputError(_why(programme, aim, capacity))
    if solved.x is None:
        raise InputError(f"no assignment was found in {capacity.seconds:g} s: {solved.message}")
    columns = _columns(programme, solved.x, batch.rows)
    reached, spent = worth(batch, columns)
    if aim.budget_usd is not None:
        bound = max(-float(solved.mip_dual_bound), reached)
        return Plan(columns=columns, quality=reached, cost_usd=spent, upper_bound=bound)
    return Plan(
        columns=columns,
        quality=reached,
        cost_usd=spent,
        upper_bound=_most_quality(programme, spent, reached, capacity),
        lower_bound_usd=min(float(solved.mip_dual_bound), spent),
    )


def _programme(batch: Batch, capacity: Capacity) -> _Programme:
    quality, cost = batch.scores()
    row, column = np.nonzero(np.isfinite(quality))
    one = np.ones(len(row))
    each = csr_matrix((one, (row, np.arange(len(row)))), shape=(batch.rows, len(row)))
    limits = [LinearConstraint(each, 1, 1)]
    places = (column, np.arange(len(column)))
    shape = (batch.candidates, len(column))
    if capacity.requests is not None:
        most = _limit("requests", capacity.requests, batch.candidates)
        room = float(np.floor(most).sum())
        if room < batch.rows:
            raise InputError(
                f"the candidates' capacity is {room:g} requests, below the {batch.rows} queries"
            )
        limits.append(LinearConstraint(csr_matrix((one, places), shape=shape), -np.inf, most))
    if capacity.tokens is not None:
        most = _limit("tokens", capacity.tokens, batch.candidates)
        tokens = _tokens(batch, capacity)[row, column]
        limits.append(LinearConstraint(csr_matrix((tokens, places), shape=shape), -np.inf, most))
    return _Programme(row, column, quality[row, column], cost[row, column], limits)


def _limit(name: str, given: ArrayLike, candidates: int) -> Floats:
    limit = np.asarray(given, dtype=np.float64)
    if limit.shape != (candidates,):
        raise InputError(f"capacity of {name} needs {candidates} numbers, one per candidate")
    if not (limit >= 0).all():
        raise InputError(f"capacity of {name} [{int((~(limit >= 0)).argmax())}] is not 0 or more")
    return limit


def _tokens(batch: Batch, capacity: Capacity) -> Floats:
    if capacity.query_tokens is None:
        raise InputError("a capacity of tokens needs query_tokens, the tokens of each query")
    tokens = np.asarray(capacity.query_tokens, dtype=np.float64)
    if tokens.shape == (batch.rows,):
        tokens = np.repeat(tokens[:, None], batch.candidates, axis=1)
    if tokens.shape != batch.quality.shape or not (tokens >= 0).all():
        raise InputError(
            f"query_tokens needs the shape ({batch.rows},) or {batch.quality.shape}, none negative"
        )
    return tokens


def _aimed(programme: _Programme, aim: Aim) -> tuple[LinearConstraint, Floats]:
    """The constraint that the aim sets, and what is then made as small as possible."""
    if aim.budget_usd is not None:
        row = csr_matrix(programme.cost[None, :])
        return LinearConstraint(row, -np.inf, aim.budget_usd), -programme.quality
    row = csr_matrix(programme.quality[None, :])
    return LinearConstraint(row, aim.min_quality, np.inf), programme.cost


def _solve(goal: Floats, limits: list[LinearConstraint], capacity: Capacity) -> OptimizeResult:
    return milp(
        goal,
        integrality=np.ones_like(goal),
        bounds=Bounds(0, 1),
        constraints=limits,
        options={"time_limit": capacity.seconds, "mip_rel_gap": capacity.accuracy},
    )


def _columns(programme: _Programme, solution: Floats, rows: int) -> Columns:
    taken = np.flatnonzero(solution > 0.5)
    columns = np.zeros(rows, dtype=np.intp)
    columns[programme.row[taken]] = programme.column[taken]
    return columns


def _most_quality(
    programme: _Programme, spent_usd: float, reached: float, capacity: Capacity
) -> float:
    """Upper bound on the quality that this much money can buy within the capacities."""
    aimed, goal = _aimed(programme, Aim(budget_usd=spent_usd))
    solved = _solve(goal, [*programme.limits, aimed], capacity)
    bound = solved.mip_dual_bound
    return max(reached, -float(bound)) if bound is not None else math.inf


def _why(programme: _Programme, aim: Aim, capacity: Capacity) -> str:
    """What could be had instead: the extreme of the other sum."""
    saving = aim.budget_usd is not None
    goal = programme.cost if saving else -programme.quality
    solved = _solve(goal, programme.limits, capacity)
    if solved.x is None:
        return "the candidates' capacity is too small for these queries"
    if saving:
        return (
            f"a budget of {aim.budget_usd:.9g} USD is too low: the cheapest assignment "
            f"within the capacities costs {solved.fun:.9g} USD"
        )
    return (
        f"a quality of {aim.min_quality:.9g} cannot be reached: "
        f"the highest sum within the capacities is {-solved.fun:.9g}"
    )
