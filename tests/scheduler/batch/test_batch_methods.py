"""One contract for all searches, and what is said of each."""

from __future__ import annotations

import numpy as np
import pytest

from sls_plugins.errors import InputError
from sls_plugins.scheduler.batch import (
    METHODS,
    Aim,
    Batch,
    Effort,
    assign,
    batch_of,
    front_of,
    method_of,
    plan_of,
)
from sls_plugins.scheduler.batch.arrays import worth
from sls_plugins.scheduler.batch.moves import Exchange

SMALL = Effort(parts=8, starts=6, gaps=3, population=12, generations=4)


def made(rows: int = 40, candidates: int = 4, *, holes: bool = True) -> Batch:
    """A batch with ties, zero costs and ineligible pairs."""
    rng = np.random.default_rng(1)
    quality = rng.integers(0, 11, (rows, candidates)) / 10
    cost = rng.lognormal(size=(rows, candidates))
    cost[: rows // 4, 0] = 0.0
    if holes:
        quality[rng.random(quality.shape) < 0.2] = np.nan
        quality[:, 1] = 0.4
    return batch_of(quality, cost)


def on_the_front(batch: Batch, columns: np.ndarray) -> bool:
    quality, cost = worth(batch, columns)
    return bool(front_of(batch).most_quality(cost) - quality < 1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_found_is_eligible_in_order_and_never_above_the_front(method: str) -> None:
    """Every assignment has the worth it claims; none beats another, or the certificate."""
    batch = made()
    front = front_of(batch)
    found = method_of(method)(batch, SMALL, 0)
    assert len(found) >= 1
    assert (np.diff(found.cost_usd) > 0).all()
    assert (np.diff(found.quality) > 0).all()
    for place in range(len(found)):
        columns = found.columns(place)
        assert columns.shape == (batch.rows,)
        reached = worth(batch, columns)
        assert reached == pytest.approx((found.quality[place], found.cost_usd[place]))
        assert reached[0] <= front.most_quality(reached[1]) + 1e-9


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_finds_the_same(method: str) -> None:
    """A search draws from its seed only."""
    batch = made(holes=False)
    first, second = (method_of(method)(batch, SMALL, 3) for _ in range(2))
    np.testing.assert_array_equal(first.quality, second.quality)
    np.testing.assert_array_equal(first.cost_usd, second.cost_usd)


@pytest.mark.parametrize("method", METHODS)
def test_both_aims_are_kept(method: str) -> None:
    """Whatever found it, a plan keeps its budget or reaches its quality, within the certificate."""
    batch = made(12, 3)
    front = front_of(batch)
    found = None if method == "exact" else method_of(method)(batch, SMALL, 0)
    budget = float(front.sums_usd[[0, -1]].mean())
    plan = plan_of(front, Aim(budget_usd=budget), found, refined=method == "optllm")
    assert plan.cost_usd <= budget * (1 + 1e-12)
    assert plan.quality <= plan.upper_bound
    target = float(front.sums[[0, -1]].mean())
    plan = plan_of(front, Aim(min_quality=target), found, refined=method == "optllm")
    assert plan.quality >= target - 1e-9
    assert plan.lower_bound_usd is not None
    assert plan.cost_usd >= plan.lower_bound_usd


@pytest.mark.parametrize("method", METHODS)
def test_one_candidate_leaves_no_choice(method: str) -> None:
    """Every search finds the only assignment there is."""
    batch = batch_of([[0.5]] * 6, [[1.0]] * 6)
    found = method_of(method)(batch, SMALL, 0)
    assert found.columns(0).tolist() == [0] * 6
    assert len(found) == 1


@pytest.mark.parametrize("start", range(6))
def test_exchange_ends_at_a_supported_point(start: int) -> None:
    """From any start, what OptLLM's and CPLS's loop leaves lies on the exact front."""
    for holes in (True, False):
        batch = made(200, 6, holes=holes)
        quality, _ = batch.scores()
        lots = np.random.default_rng(start).random(quality.shape)
        columns = np.where(quality > -np.inf, lots, -1.0).argmax(axis=1)
        assert not on_the_front(batch, columns)
        assert on_the_front(batch, Exchange(batch, columns).settle())


def test_optllms_set_is_part_of_the_front() -> None:
    """All that OptLLM-M finds are supported points, its extremes among them."""
    batch = made(200, 6, holes=False)
    front = front_of(batch)
    found = method_of("optllm")(batch, Effort(), 0)
    assert 5 < len(found) <= 100
    assert all(on_the_front(batch, found.columns(place)) for place in range(len(found)))
    assert found.quality[[0, -1]] == pytest.approx(front.sums[[0, -1]])


def test_optllm_s_spends_what_its_set_leaves() -> None:
    """Refinement uses the budget up to less than one move."""
    rng = np.random.default_rng(2)
    quality, cost = rng.random((300, 6)), rng.random((300, 6))
    found = method_of("optllm")(batch_of(quality, cost), Effort(), 0)
    budget = float(found.cost_usd[len(found) // 2] + found.cost_usd[len(found) // 2 + 1]) / 2
    place = found.within(budget)
    plan = assign(quality, cost, budget_usd=budget, method="optllm")
    assert place is not None
    assert plan.quality > found.quality[place]
    assert budget - plan.cost_usd < 0.02


def test_cpls_takes_many_candidates() -> None:
    """Subsets are drawn where they are too many to list."""
    rng = np.random.default_rng(3)
    batch = batch_of(rng.random((20, 30)), rng.random((20, 30)))
    found = method_of("cpls")(batch, SMALL, 0)
    assert len(found) > 20


def test_evolution_gets_nearer_with_time() -> None:
    """More generations do not end further from the front than fewer."""
    batch = made(30, 4, holes=False)
    best = [
        method_of("nsga2")(batch, Effort(population=40, generations=count), 0).quality.max()
        for count in (1, 60)
    ]
    assert best[1] > best[0]


def test_an_unknown_method_is_told() -> None:
    """The error lists those that exist."""
    with pytest.raises(InputError, match="known are exact, optllm, cpls, nsga2"):
        method_of("nsga3")
