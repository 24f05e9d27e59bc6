"""Pacing a window: demand is foreseen, money lasts, and hardly any is left."""

from __future__ import annotations

import numpy as np
import pytest

from sls_plugins.scheduler import Aim, LagrangeScheduler
from sls_plugins.scheduler.burst import LENGTH, Burst
from sls_plugins.scheduler.demand import FADING, HOUR_S, Demand
from sls_plugins.testing.contracts.scheduler import estimate
from sls_plugins.types import Purse, Query

START_S = 1_700_000_000.0 // 86400 * 86400


def test_an_even_stream_goes_on() -> None:
    """What was seen per second is expected for the seconds left, nearly all of it."""
    demand = Demand()
    for second in range(1200):
        demand.observe(START_S + second)
    expected = demand.expected(START_S + 1200, START_S + HOUR_S)
    assert expected == pytest.approx(2400 * FADING, rel=0.02)


def test_where_many_come_it_is_soon_seen_that_fewer_do() -> None:
    """Ten a second become two: a minute and a half later it is known; of one a minute, an hour."""
    for busy, quiet, later_s in ((10.0, 2.0, 120.0), (1 / 6, 1 / 30, 1800.0)):
        demand, now_s = Demand(), START_S
        while now_s < START_S + 2 * HOUR_S:
            demand.observe(now_s)
            now_s += 1.0 / busy
        assert demand.rate(now_s) == pytest.approx(busy, rel=0.05)
        until_s = now_s + later_s
        while now_s < until_s:
            demand.observe(now_s)
            now_s += 1.0 / quiet
        assert demand.rate(now_s) == pytest.approx(quiet, rel=0.6)


def test_hours_of_the_day_are_remembered() -> None:
    """After two days with busy evenings, the evening is counted in at noon."""
    demand = Demand()
    for hour in range(48 + 12):
        count = 600 if 18 <= hour % 24 < 20 else 60
        for place in range(count):
            demand.observe(START_S + (hour + place / count) * HOUR_S)
    now_s = START_S + 60 * HOUR_S
    assert demand.expected(now_s, START_S + 72 * HOUR_S) == pytest.approx(1200 + 600, rel=0.15)


@pytest.mark.parametrize("busier", [1.0, 3.0])
def test_a_window_is_spent_and_not_overspent(busier: float) -> None:
    """Nearly all of an hour's budget is used, evenly, also if the second half is busier."""
    rng, scheduler = np.random.default_rng(7), LagrangeScheduler()
    gaps = np.concatenate((rng.exponential(1.0, 1800), rng.exponential(1.0 / busier, 9000)))
    times = START_S + np.cumsum(gaps)
    times = times[times < START_S + HOUR_S]
    budget, spent, costs = 0.003 * len(times), 0.0, []
    for number, now_s in enumerate(times):
        gain = rng.random(2) * (0.3, 0.2)
        offers = (
            estimate("small", 0.5, 0.0001),
            estimate("middle", 0.5 + gain[0], 0.001),
            estimate("large", 0.5 + gain.sum(), 0.01),
        )
        purse = Purse(
            available_usd=budget - spent, spent_usd=spent, renews_s=START_S + HOUR_S, now_s=now_s
        )
        query = Query(text="Hello", id=str(number))
        name = scheduler.decide(query, offers, purse, number).ranking[0]
        usd = next(one.cost_usd for one in offers if one.candidate == name)
        costs.append(usd if spent + usd <= budget else 0.0)
        spent += costs[-1]
    assert 0.97 * budget <= spent <= budget
    if busier == 1.0:
        tenth = len(costs) // 10
        assert np.mean(costs[-tenth:]) == pytest.approx(np.mean(costs[:tenth]), rel=0.6)


def test_an_aim_and_a_window_hold_together() -> None:
    """With both, the higher price of money counts."""
    offers = (estimate("small", 0.5, 0.001, 1e-6), estimate("large", 0.6, 0.01, 1e-6))
    plenty = Purse(available_usd=1e6, renews_s=START_S + HOUR_S, now_s=START_S)
    choice = LagrangeScheduler(Aim(price=50.0)).decide(Query(text="a", id="1"), offers, plenty, 1)
    assert (choice.price, choice.ranking[0]) == (50.0, "small")
    choice = LagrangeScheduler().decide(Query(text="a", id="1"), offers, plenty, 1)
    assert choice.ranking[0] == "large"


def test_bursts_are_seen() -> None:
    """What the last queries cost leaves less for the next one, until they are old."""
    burst = Burst()
    free = burst.left_usd(1.0)
    burst.put(burst.add(), 30.0)
    assert burst.left_usd(1.0) == pytest.approx(free - 30.0)
    for _ in range(LENGTH):
        burst.add()
    assert burst.left_usd(1.0) == pytest.approx(free)
    for _ in range(500):
        burst.learn(3.0)
    assert burst.tail > 2.9
