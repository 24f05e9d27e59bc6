"""A stored answer that is not quite sure is a candidate: money decides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sls_plugins.scheduler.aim import Aim
from sls_plugins.scheduler.lagrange import LagrangeScheduler
from sls_plugins.types import CACHE, Estimate, Purse, Query


def estimate(name: str, quality: float, usd: float) -> Estimate:
    return Estimate(
        candidate=name, quality=quality, quality_sd=0.0, cost_usd=usd, cost_high_usd=usd
    )


@pytest.mark.parametrize(("price", "first"), [(0.0, "m"), (1.0, "m"), (100.0, CACHE)])
def test_the_scheduler_weighs_a_stored_answer_like_any_candidate(price: float, first: str) -> None:
    """Where money is worth little the better model is called, else the stored answer serves."""
    scheduler = LagrangeScheduler(Aim(price=price))
    offers = [estimate("m", 0.99, 0.001), estimate(CACHE, 0.95, 0.0)]
    choice = scheduler.decide(Query(text="q", id="q"), offers, Purse(), 7)
    assert choice.ranking[0] == first


def test_without_a_model_that_is_better_the_stored_answer_serves_for_free() -> None:
    """At any price a stored answer that is better costs nothing and is never explored away."""
    scheduler = LagrangeScheduler(Aim(price=0.0))
    offers = [estimate("m", 0.5, 0.001), estimate(CACHE, 0.95, 0.0)]
    for seed in range(50):
        choice = scheduler.decide(Query(text="q", id=f"q{seed}"), offers, Purse(), seed)
        assert (choice.ranking[0], choice.propensity) == (CACHE, 1.0)


def test_news_of_a_stored_answer_is_worth_a_call() -> None:
    """Who may tell whether it is right is asked where that is worth the price, others are not."""
    scheduler = LagrangeScheduler(Aim(price=100.0))
    telling = replace(estimate("m", 0.9, 0.001), news=0.2)
    offers = [telling, estimate("n", 0.9, 0.001), estimate(CACHE, 0.95, 0.0)]
    choice = scheduler.decide(Query(text="q", id="q"), offers, Purse(), 7)
    assert choice.ranking[0] == "m"
