"""What a given price of money means for exploring, and for whom quarantine leaves alone."""

from __future__ import annotations

from sls_plugins.scheduler import Aim, LagrangeScheduler
from sls_plugins.testing.contracts.scheduler import estimate, spent
from sls_plugins.types import Purse, Query


def test_at_a_price_exploring_may_cost_what_its_quality_is_worth() -> None:
    """Where usual calls cost next to nothing, a share of that would never pay for a second look."""
    looks: dict[float, int] = {}
    for price in (60.0, 6000.0):
        scheduler = LagrangeScheduler(Aim(price=price))
        offers = (estimate("cheap", 0.8, 0.00001), estimate("dear", 0.8, 0.0003))
        for number in range(300):
            query = Query(text="Hello", id=str(number))
            name = scheduler.decide(query, offers, Purse(), number).ranking[0]
            (chosen,) = (one for one in offers if one.candidate == name)
            scheduler.learn_one(spent(query, chosen, chosen.cost_usd, 0.8))
            looks[price] = looks.get(price, 0) + (name == "dear")
    assert looks[60.0] >= 8
    assert looks[6000.0] == 0


def test_quarantine_does_not_leave_all_to_one_who_eats_up_the_budget() -> None:
    """In doubt an answer of one in quarantine is better than one at a hundred times the price."""
    offers = (estimate("cheap", 0.8, 0.00003), estimate("dear", 0.9, 0.01))
    for price, first in ((500.0, "cheap"), (10.0, "dear")):
        scheduler = LagrangeScheduler(Aim(price=price))
        scheduler.quarantine("cheap", 0.03)
        for number in range(5):
            choice = scheduler.decide(Query(text="a", id=str(number)), offers, Purse(), 1)
        assert choice.ranking[0] == first
        assert any(name == "held/cheap" for name, _ in choice.terms) is (first == "dear")
