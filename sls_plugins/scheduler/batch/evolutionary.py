"""The evolutionary searches that the papers compare with, run by pymoo (extra `evolutionary`).

Each query's candidate is one integer; crossover, mutation are the usual ones for real numbers,
rounded, as in the papers' tuned settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from pymoo.algorithms.moo.moead import MOEAD
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.rnsga2 import RNSGA2
from pymoo.algorithms.moo.sms import SMSEMOA
from pymoo.algorithms.moo.spea2 import SPEA2
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.optimize import minimize
from pymoo.util.ref_dirs import get_reference_directions

from sls_plugins.scheduler.batch.arrays import Batch, Columns, worth
from sls_plugins.scheduler.batch.effort import Effort
from sls_plugins.scheduler.batch.optllm import best, cheapest
from sls_plugins.scheduler.batch.tradeoffs import Tradeoffs, found

__all__ = ["search"]


class Assignment(Problem):  # type: ignore[misc] # pymoo ships no types
    """One integer per query, the number of an eligible candidate; minimise -quality, cost."""

    def __init__(self, batch: Batch) -> None:
        """Ineligible candidates get no number, so that every individual is feasible."""
        self.quality, self.cost_usd = batch.scores()
        eligible = self.quality > -np.inf
        self.numbers = np.argsort(~eligible, axis=1, kind="stable")
        most = eligible.sum(axis=1) - 1
        super().__init__(n_var=batch.rows, n_obj=2, xl=np.zeros_like(most), xu=most, vtype=int)

    def columns(self, genes: Any) -> Columns:
        """Assignments, shape (k, n), of individuals."""
        rows = np.arange(self.n_var)
        return self.numbers[rows, np.asarray(genes).round().astype(np.intp)]

    def _evaluate(self, x: Any, out: dict[str, Any], *_args: Any, **_kwargs: Any) -> None:
        columns, rows = self.columns(x), np.arange(self.n_var)
        gains = self.quality[rows, columns].sum(axis=1)
        out["F"] = np.column_stack((-gains, self.cost_usd[rows, columns].sum(axis=1)))


def search(name: str, batch: Batch, effort: Effort, seed: int) -> Tradeoffs:
    """What the named search's last population holds; the same seed gives the same set."""
    problem = Assignment(batch)
    # A population whose individuals are all worth the same has no extent to be scaled by.
    with np.errstate(divide="ignore", invalid="ignore"):
        result = minimize(
            problem, SEARCHES[name](batch, effort), ("n_gen", effort.generations), seed=seed
        )
    genes = np.atleast_2d(result.pop.get("X"))
    return found(batch, list(problem.columns(genes)))


def _operators(crossover: tuple[float, float], mutation: tuple[float, float]) -> dict[str, Any]:
    """Operators of pymoo on integers, from (probability, distribution index) of each."""
    repair = RoundingRepair()
    return {
        "sampling": IntegerRandomSampling(),
        "crossover": SBX(prob=crossover[0], eta=crossover[1], vtype=float, repair=repair),
        "mutation": PM(prob=mutation[0], eta=mutation[1], vtype=float, repair=repair),
    }


TUNED = ((0.778, 7.0), (0.812, 9.0))
"""Crossover, mutation as tuned by OptLLM's authors for NSGA-II, used where they tell no other."""


def _nsga2(_batch: Batch, effort: Effort) -> Any:
    return NSGA2(pop_size=effort.population, **_operators(*TUNED))


def _spea2(_batch: Batch, effort: Effort) -> Any:
    return SPEA2(pop_size=effort.population, **_operators(*TUNED))


def _sms_emoa(_batch: Batch, effort: Effort) -> Any:
    return SMSEMOA(pop_size=effort.population, **_operators((0.760, 5.0), (0.068, 28.0)))


def _rnsga2(batch: Batch, effort: Effort) -> Any:
    ends = [worth(batch, columns) for columns in (cheapest(batch), best(batch))]
    points = np.array([(-quality, cost) for quality, cost in ends])
    return RNSGA2(
        ref_points=points, pop_size=effort.population, epsilon=0.996, **_operators(*TUNED)
    )


def _moead(_batch: Batch, effort: Effort) -> Any:
    directions = get_reference_directions("uniform", 2, n_partitions=effort.population - 1)
    return MOEAD(directions, n_neighbors=min(10, effort.population), **_operators(*TUNED))


SEARCHES: Mapping[str, Callable[[Batch, Effort], Any]] = {
    "nsga2": _nsga2,
    "spea2": _spea2,
    "rnsga2": _rnsga2,
    "sms-emoa": _sms_emoa,
    "moead": _moead,
}
