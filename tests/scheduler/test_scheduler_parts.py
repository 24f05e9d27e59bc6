"""The scheduler's small parts: eligibility, hull, window."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sls_plugins.scheduler import Aim, eligible
from sls_plugins.scheduler.exploration import curiosity
from sls_plugins.scheduler.frontier import hull_of
from sls_plugins.scheduler.pacing import Pacer
from sls_plugins.scheduler.window import Window
from sls_plugins.types import Candidate, Purse, Query

CANDIDATES = (
    Candidate(name="small", context_window=1000, max_output_tokens=200),
    Candidate(name="seeing", context_window=8000, capabilities=frozenset({"vision", "tools"})),
    Candidate(name="plain"),
)


@pytest.mark.parametrize(
    ("query", "tokens", "left"),
    [
        (Query(text="a"), 100, ["small", "seeing", "plain"]),
        (Query(text="a"), 900, ["seeing", "plain"]),
        (Query(text="a", max_output_tokens=100), 900, ["small", "seeing", "plain"]),
        (Query(text="a", max_output_tokens=101), 900, ["seeing", "plain"]),
        (Query(text="a", max_output_tokens=300), 10, ["seeing", "plain"]),
        (Query(text="a", needs=frozenset({"vision"})), 10, ["seeing"]),
        (Query(text="a", allow=frozenset({"plain"})), 10, ["plain"]),
        (Query(text="a", deny=frozenset({"plain"})), 10, ["small", "seeing"]),
        (Query(text="a", needs=frozenset({"telepathy"})), 10, []),
    ],
)
def test_who_is_eligible(query: Query, tokens: int, left: list[str]) -> None:
    """Window, limits, needs, permission and denial each rule out those they should."""
    able, unable = eligible(query, CANDIDATES, tokens)
    assert [one.name for one in able] == left
    assert {name for name, _ in unable} == {one.name for one in CANDIDATES} - set(left)
    assert all(reason for _, reason in unable)


def test_reasons_name_what_is_missing() -> None:
    """People are told which capability is lacking and which window is too small."""
    query = Query(text="a", needs=frozenset({"tools"}))
    _, unable = eligible(query, CANDIDATES, 7900)
    assert dict(unable)["plain"] == "lacks tools"
    assert "8000" in dict(unable)["seeing"]


def test_hull_is_the_best_choice_at_every_price() -> None:
    """Taking all steps steeper than λ gives the maximum of quality - λ·cost."""
    rng = np.random.default_rng(1)
    for _ in range(200):
        qualities, costs = rng.random(6).round(1).tolist(), rng.random(6).round(1).tolist()
        hull = hull_of(qualities, costs)
        assert all(a.slope >= b.slope for a, b in itertools.pairwise(hull.steps))
        for price in (0.0, 0.1, 0.5, 1.0, 3.0, 30.0):
            taken = [step for step in hull.steps if step.slope > price]
            value = hull.quality - price * hull.cost_usd
            value += sum(step.quality - price * step.cost_usd for step in taken)
            best = max(q - price * c for q, c in zip(qualities, costs, strict=True))
            assert value == pytest.approx(best)


def test_window_solves_the_knapsack() -> None:
    """At the price it names, the remembered queries cost as much as allowed, and no more."""
    rng, window = np.random.default_rng(2), Window(50, renewal=1)
    tables = [(rng.random(4).tolist(), (rng.random(4) + 0.1).tolist()) for _ in range(80)]
    for qualities, costs in tables:
        window.add(hull_of(qualities, costs))

    def at(price: float) -> tuple[float, float]:
        """Mean cost and quality of the last fifty at this price, ties going to the cheaper."""
        picks = [
            max(zip(q, c, strict=True), key=lambda p: (round(p[0] - price * p[1], 12), -p[1]))
            for q, c in tables[-50:]
        ]
        return float(np.mean([c for _, c in picks])), float(np.mean([q for q, _ in picks]))

    for budget in np.linspace(at(1e9)[0], at(0.0)[0], 5):
        assert budget - 0.03 <= at(window.price_for_cost(budget))[0] <= budget + 1e-9
        assert window.quality_for_cost(budget) == pytest.approx(
            at(window.price_for_cost(budget))[1], abs=0.02
        )
    for quality in (0.5, 0.6, 0.7):
        price = window.price_for_quality(quality)
        assert at(price * 0.999)[1] >= quality - 1e-9
        assert at(price * 1.001)[1] <= quality + 0.02
    assert -0.5 < window.price_for_cost(10.0) < 0.0


def test_money_that_would_be_left_buys_what_costs_least_quality() -> None:
    """A dearer choice that is hardly worse is taken at a price below 0; a much worse one is not."""
    near, far = Window(50, renewal=1), Window(50, renewal=1)
    for _ in range(50):
        near.add(hull_of([0.5, 0.8, 0.7995], [0.1, 0.5, 2.0]))
        far.add(hull_of([0.5, 0.8, 0.4], [0.1, 0.5, 2.0]))
    assert near.price_for_cost(0.5) < 0.0
    assert -0.01 < near.price_for_cost(2.0) < near.price_for_cost(0.49)
    assert near.price_for_cost(0.3) > 0.0
    assert far.price_for_cost(5.0) == far.price_for_cost(0.5) < 0.0


def test_queries_for_nothing_make_room() -> None:
    """With a free query beside each, the price for the same mean spend is lower."""
    alone, beside = Window(50, renewal=1), Window(50, renewal=1)
    hull = hull_of([0.5, 0.7, 0.8], [0.1, 0.5, 2.0])
    for _ in range(25):
        alone.add(hull)
        beside.add(hull)
        beside.add(None)
    assert beside.price_for_cost(0.4) < alone.price_for_cost(0.4)


def test_curiosity_wanes_with_what_is_known_of_a_candidate() -> None:
    """The more outcomes of a candidate there are, the less of its doubt is explored."""
    shares = curiosity(np.array([0.0, 200.0, 2000.0])).tolist()
    assert 0.5 > shares[0] > shares[1] > shares[2] > 0.01


def test_a_bucket_half_full_is_not_filled_at_any_price() -> None:
    """Where saving costs much quality the price waits until the bucket is nearly empty."""
    pacer, rng = Pacer(Aim(usd_per_query=1.0)), np.random.default_rng(3)
    for quality in (0.9 + 0.02 * rng.random(300)).tolist():
        pacer.observe(hull_of([0.5, quality, 0.93], [0.5, 0.97, 2.0]), Purse())
    prices = {}
    for level in (10.0, 8.0, 5.0, 1.0, -5.0):
        pacer.level = level
        prices[level] = pacer.price()
    assert 0.0 < prices[10.0] < prices[8.0] <= prices[5.0] < 0.05
    assert prices[-5.0] > 0.8
    assert prices[5.0] <= prices[1.0] <= prices[-5.0]
