"""Plans for a budget or a quality target: feasible, certified, and near the best possible."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, eye, kron

from sls_plugins.errors import InputError
from sls_plugins.scheduler.batch import (
    Aim,
    Plan,
    assign,
    batch_of,
    choose_alpha,
    front_of,
    grouped,
    robust,
    tradeoffs,
)
from sls_plugins.scheduler.batch.arrays import worth
from sls_plugins.scheduler.batch.capacity import Capacity, assign_limited


def made(rows: int = 300, candidates: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    cost = rng.lognormal(0, 1.5, (rows, candidates)) * 1e-3
    return rng.random((rows, candidates)), cost


def lp_bound(quality: np.ndarray, cost: np.ndarray, budget_usd: float) -> float:
    """The most quality if queries could be split, by HiGHS."""
    n, m = quality.shape
    solved = linprog(
        -quality.ravel(),
        A_ub=csr_matrix(cost.ravel()[None]),
        b_ub=[budget_usd],
        A_eq=kron(eye(n), np.ones((1, m)), format="csr"),
        b_eq=np.ones(n),
        bounds=(0, 1),
        method="highs",
    )
    return -float(solved.fun)


def holds(plan: Plan, quality: np.ndarray, cost: np.ndarray) -> None:
    rows = np.arange(len(quality))
    assert plan.quality == pytest.approx(quality[rows, plan.columns].sum())
    assert plan.cost_usd == pytest.approx(cost[rows, plan.columns].sum())
    assert plan.gap >= 0
    assert plan.quality <= plan.upper_bound + 1e-9


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.7, 0.99, 1.0, 1.5])
def test_a_budget_is_kept_and_the_bound_is_that_of_highs(share: float) -> None:
    """With n = 300, m = 12: the bound equals the LP's optimum; the gap is below one step's gain."""
    quality, cost = made()
    front = front_of(batch_of(quality, cost))
    budget = float(front.sums_usd[0] + share * (front.sums_usd[-1] - front.sums_usd[0]))
    plan = assign(quality, cost, budget_usd=budget)
    holds(plan, quality, cost)
    assert plan.cost_usd <= budget * (1 + 1e-12)
    assert plan.upper_bound == pytest.approx(lp_bound(quality, cost, budget), abs=1e-6)
    steps = front.within(budget)
    step = front.sums[steps + 1] - front.sums[steps] if steps < len(front) else 0.0
    assert plan.gap <= step + 1e-9
    assert plan.quality >= front.sums[max(steps, 0)] - 1e-9


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_a_quality_is_reached_at_hardly_more_than_the_lowest_cost(share: float) -> None:
    """The cost stays within one step of the bound below which nobody can reach it."""
    quality, cost = made(seed=1)
    front = front_of(batch_of(quality, cost))
    target = float(front.sums[0] + share * (front.sums[-1] - front.sums[0]))
    plan = assign(quality, cost, min_quality=target)
    holds(plan, quality, cost)
    assert plan.quality >= target - 1e-9
    assert plan.lower_bound_usd is not None
    assert plan.lower_bound_usd <= plan.cost_usd + 1e-12
    steps = front.reaching(target - 1e-9)
    step = front.sums_usd[steps] - front.sums_usd[steps - 1] if steps else 0.0
    assert plan.cost_usd - plan.lower_bound_usd <= step + 1e-9


def test_plans_are_never_beaten_by_more_than_their_gap() -> None:
    """Small batches: the best of all assignments lies within every certificate."""
    rng = np.random.default_rng(2)
    for _ in range(200):
        quality, cost = rng.random((4, 3)), rng.integers(0, 6, (4, 3)) / 2
        sums = np.zeros((1, 2))
        for values in np.stack((cost, quality), axis=2):
            sums = (sums[:, None] + values[None]).reshape(-1, 2)
        budget = float(rng.uniform(sums[:, 0].min() + 0.1, sums[:, 0].max() + 0.1))
        plan = assign(quality, cost, budget_usd=budget)
        most = sums[sums[:, 0] <= budget, 1].max()
        assert plan.quality <= most + 1e-9 <= plan.upper_bound + 2e-9
        target = float(rng.uniform(sums[:, 1].min(), sums[:, 1].max()))
        plan = assign(quality, cost, min_quality=target)
        least = sums[sums[:, 1] >= target, 0].min()
        assert plan.lower_bound_usd is not None
        assert plan.lower_bound_usd - 1e-9 <= least <= plan.cost_usd + 1e-9


def test_what_is_left_is_spent() -> None:
    """Where the next step does not fit, another query's move does."""
    quality = [[0.0, 1.0], [0.0, 0.5], [0.0, 0.1]]
    cost = [[0.0, 1.0], [0.0, 1.0], [0.0, 0.4]]
    plan = assign(quality, cost, budget_usd=1.5)
    assert plan.columns.tolist() == [1, 0, 1]
    assert plan.upper_bound == pytest.approx(1.25)


def test_a_point_of_the_front_can_be_bought_at_its_cost() -> None:
    """Rounding in a sum does not cost a step."""
    quality, cost = made(seed=3)
    front = tradeoffs(quality, cost)
    for place in range(0, len(front), 37):
        plan = assign(quality, cost, budget_usd=float(front.cost_usd[place]))
        assert plan.quality >= front.quality[place] - 1e-9


@pytest.mark.parametrize("method", ["exact", "optllm", "cpls"])
def test_impossible_aims_are_told(method: str) -> None:
    """Each error says what could be had."""
    quality, cost = made(20, 3)
    front = front_of(batch_of(quality, cost))
    with pytest.raises(InputError, match=f"cheapest assignment costs {front.sums_usd[0]:.9g} USD"):
        assign(quality, cost, budget_usd=front.sums_usd[0] / 2, method=method)
    with pytest.raises(InputError, match=f"highest sum over 20 queries is {front.sums[-1]:.9g}"):
        assign(quality, cost, min_quality=20.0, method=method)


@pytest.mark.parametrize("budget", [0.0, -1.0, np.nan, np.inf])
def test_a_budget_must_be_an_amount(budget: float) -> None:
    """Nothing, less than nothing and everything are no budgets."""
    with pytest.raises(InputError, match="positive number of USD"):
        assign([[1.0]], [[1.0]], budget_usd=budget)


def test_one_aim_must_be_given() -> None:
    """Neither none, nor both, nor one that is no number."""
    with pytest.raises(InputError, match="one of them"):
        assign([[1.0]], [[1.0]])
    with pytest.raises(InputError, match="one of them"):
        assign([[1.0]], [[1.0]], budget_usd=1.0, min_quality=1.0)
    with pytest.raises(InputError, match="must be a number"):
        assign([[1.0]], [[1.0]], min_quality=np.nan)


def test_duplicates_are_paid_once() -> None:
    """Ten equal queries are one call whose quality counts ten times."""
    quality = np.array([[0.2, 0.9]] * 10 + [[0.1, 1.0]])
    cost = np.array([[0.1, 1.0]] * 11)
    groups = grouped(quality, cost, ["same"] * 10 + ["other"])
    plan = assign(groups.quality, groups.cost_usd, budget_usd=1.2)
    assert groups.spread(plan.columns).tolist() == [1] * 10 + [0]
    assert plan.quality == pytest.approx(9.1)
    assert plan.cost_usd == pytest.approx(1.1)
    assert groups.first.tolist() == [0, 10]
    with pytest.raises(InputError, match="2 keys for 11 queries"):
        grouped(quality, cost, ["a", "b"])


def test_a_pair_ineligible_for_one_of_a_group_is_for_all() -> None:
    """NaN goes into the group's row, wherever it stands."""
    groups = grouped(
        [[1.0, 1.0, 1.0], [np.nan, 1.0, 0.5]], [[1.0, 2.0, 3.0], [1.0, np.nan, 2.0]], ["a", "a"]
    )
    assert np.isnan(groups.quality[0, 0])
    assert np.isnan(groups.cost_usd[0, 1])
    assert (groups.quality[0, 2], groups.cost_usd[0, 2]) == (1.5, 3.0)


def test_alpha_is_chosen_by_what_it_brings() -> None:
    """Where high deviations mean overrated pairs, caution wins; where they hide gems, boldness."""
    rng = np.random.default_rng(4)
    truth, cost = rng.random((400, 5)), rng.random((400, 5))
    sd = rng.choice([0.0, 0.5], truth.shape)
    overrated = choose_alpha(truth + sd, sd, cost, truth)
    assert overrated.alpha == -1.0
    assert choose_alpha(truth - sd, sd, cost, truth).alpha == 1.0
    assert dict(overrated.utility)[-1.0] == max(value for _, value in overrated.utility)
    assert choose_alpha(truth, np.zeros_like(sd), cost, truth).alpha == 0.0


def test_robust_scores_shift_by_the_deviation() -> None:
    """Mean + alpha·sd; a deviation below 0 or of another shape is refused."""
    assert robust([[0.5, 0.5]], [[0.0, 0.2]], -1.0).tolist() == [[0.5, 0.3]]
    with pytest.raises(InputError, match=r"sd\[0, 1\] is negative"):
        robust([[0.5, 0.5]], [[0.0, -0.2]], 1.0)
    with pytest.raises(InputError, match="shape"):
        robust([[0.5, 0.5]], [[0.0]], 1.0)


def test_capacities_are_kept() -> None:
    """No candidate takes more requests or tokens than it can; the certificate holds."""
    quality, cost = made(60, 4, seed=5)
    tokens = np.random.default_rng(6).integers(10, 100, 60)
    limits = Capacity(requests=[20, 20, 20, np.inf], tokens=[900] * 4, query_tokens=tokens)
    plan = assign_limited(quality, cost, Aim(budget_usd=0.15), limits)
    holds(plan, quality, cost)
    assert plan.cost_usd <= 0.15 + 1e-9
    counts = np.bincount(plan.columns, minlength=4)
    assert (counts[:3] <= 20).all()
    assert (np.bincount(plan.columns, weights=tokens, minlength=4) <= 900).all()
    assert plan.gap <= 1e-4 * plan.quality
    assert plan.upper_bound <= assign(quality, cost, budget_usd=0.15).upper_bound + 1e-6


def test_capacities_that_bind_nobody_change_nothing() -> None:
    """Without limits HiGHS cannot be better than the front's certificate says."""
    quality, cost = made(60, 4, seed=7)
    free = assign(quality, cost, budget_usd=0.1)
    limited = assign_limited(quality, cost, Aim(budget_usd=0.1), Capacity(requests=[60] * 4))
    assert free.quality - 1e-9 <= limited.quality * (1 + 2e-6)
    assert limited.quality <= free.upper_bound + 1e-9
    cheap = assign_limited(quality, cost, Aim(min_quality=40.0), Capacity(requests=[60] * 4))
    front = assign(quality, cost, min_quality=40.0)
    assert cheap.quality >= 40.0 - 1e-6
    assert front.lower_bound_usd is not None
    assert front.lower_bound_usd - 1e-9 <= cheap.cost_usd <= front.cost_usd * (1 + 2e-6)


@pytest.mark.parametrize(
    ("aim", "capacity", "told"),
    [
        (Aim(budget_usd=1.0), Capacity(requests=[2.0, 2.9]), "is 4 requests, below the 5 queries"),
        (Aim(budget_usd=1.0), Capacity(requests=[9.0]), "requests needs 2 numbers"),
        (Aim(budget_usd=1.0), Capacity(requests=[9.0, -1]), r"requests \[1\] is not 0 or more"),
        (Aim(budget_usd=1.0), Capacity(tokens=[9.0, 9.0]), "needs query_tokens"),
        (
            Aim(budget_usd=1.0),
            Capacity(tokens=[9.0, 9.0], query_tokens=[9.0] * 5),
            "capacity is too small",
        ),
        (Aim(budget_usd=0.1), Capacity(requests=[2, 9]), "within the capacities costs 0.8 USD"),
        (Aim(min_quality=9.0), Capacity(requests=[9, 2]), "within the capacities is 3.5"),
    ],
)
def test_capacities_that_cannot_be_kept_are_told(aim: Aim, capacity: Capacity, told: str) -> None:
    """The error names the limit, or what could be had within it."""
    quality, cost = np.tile([0.5, 1.0], (5, 1)), np.tile([0.1, 0.2], (5, 1))
    with pytest.raises(InputError, match=told):
        assign_limited(quality, cost, aim, capacity)


def test_worth_is_what_the_rows_say() -> None:
    """The sums of an assignment are those of its cells."""
    quality, cost = made(10, 3)
    columns = np.arange(10) % 3
    rows = np.arange(10)
    expected = quality[rows, columns].sum(), cost[rows, columns].sum()
    assert worth(batch_of(quality, cost), columns) == pytest.approx(expected)
