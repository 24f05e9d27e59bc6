"""The Lagrange scheduler keeps its contract, its budget and its word about propensities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from sls_plugins.errors import SettingsError
from sls_plugins.protocols import Context, Scheduler
from sls_plugins.scheduler import Aim, LagrangeScheduler
from sls_plugins.scheduler.lagrange import make
from sls_plugins.scheduler.selection import explored_usd
from sls_plugins.testing.contracts.scheduler import (
    ESTIMATES,
    SchedulerContract,
    estimate,
    spent,
)
from sls_plugins.types import Decision, Estimate, Purse, Query


class TestThrift(SchedulerContract):
    """The contract of schedulers, without an aim."""

    @pytest.fixture
    def make_scheduler(self) -> Callable[[], Scheduler]:
        """A scheduler without an aim."""
        return LagrangeScheduler


class TestPaced(SchedulerContract):
    """The contract of schedulers, with a budget."""

    @pytest.fixture
    def make_scheduler(self) -> Callable[[], Scheduler]:
        """A scheduler that may spend 0.002 USD on average."""
        return lambda: LagrangeScheduler(Aim(usd_per_query=0.002), seed=3)


class TestPriced(SchedulerContract):
    """The contract of schedulers, with a price of money."""

    @pytest.fixture
    def make_scheduler(self) -> Callable[[], Scheduler]:
        """A scheduler to which a dollar is worth 20 points of quality."""
        return lambda: LagrangeScheduler(Aim(price=20.0))


class TestTargeted(SchedulerContract):
    """The contract of schedulers, with a target."""

    @pytest.fixture
    def make_scheduler(self) -> Callable[[], Scheduler]:
        """A scheduler that wants a mean quality of 0.75."""
        return lambda: LagrangeScheduler(Aim(target_quality=0.75, latency_weight=0.01))


class TestWindowed(SchedulerContract):
    """The contract of schedulers, with a window's cap to pace."""

    @pytest.fixture
    def purse(self) -> Purse:
        """Half an hour is left, and a dollar."""
        return Purse(available_usd=1.0, renews_s=7200.0, now_s=5400.0)

    @pytest.fixture
    def make_scheduler(self) -> Callable[[], Scheduler]:
        """A scheduler without an aim of its own."""
        return LagrangeScheduler


def offers(rng: np.random.Generator) -> tuple[Estimate, ...]:
    """Three candidates for a query; the dearer ones are worth it for some queries only."""
    size = float(np.exp(0.7 * rng.standard_normal()))
    gain = rng.random(2) * (0.3, 0.2)
    return (
        estimate("small", 0.5, 0.0001 * size),
        estimate("middle", 0.5 + gain[0], 0.001 * size),
        estimate("large", 0.5 + gain.sum(), 0.01 * size),
    )


def stream(scheduler: Scheduler, queries: int, seed: int, factor: float = 1.0) -> np.ndarray:
    """Real costs of a stream of queries; real costs are noisy, and `factor` times the expected."""
    rng = np.random.default_rng(seed)
    costs = []
    for number in range(queries):
        query = Query(text="Hello", id=f"{seed} {number}")
        chances = offers(rng)
        name = scheduler.decide(query, chances, Purse(), number).ranking[0]
        chosen = next(one for one in chances if one.candidate == name)
        usd = factor * chosen.cost_usd * float(np.exp(0.5 * rng.standard_normal() - 0.125))
        scheduler.learn_one(spent(query, chosen, usd))
        costs.append(usd)
    return np.array(costs)


@pytest.mark.parametrize("budget", [0.0004, 0.001, 0.003, 0.006])
def test_spend_follows_the_budget(budget: float) -> None:
    """The mean is under the budget and close to it; no hundred queries take much more."""
    costs = stream(LagrangeScheduler(Aim(usd_per_query=budget)), 2500, seed=1)
    late = costs[500:]
    assert 0.95 * budget <= late.mean() <= budget
    assert np.convolve(costs, np.ones(100) / 100, "valid").max() <= 1.35 * budget


def test_a_thrifty_past_is_not_overspent_later() -> None:
    """After a time in which money bought nothing, no more is spent later than a bucket holds."""
    scheduler = LagrangeScheduler(Aim(usd_per_query=0.001))
    dull = (estimate("small", 0.9, 0.0001), estimate("large", 0.5, 0.01))
    for number in range(1000):
        scheduler.decide(Query(text="Hello", id=f"dull {number}"), dull, Purse(), number)
    assert stream(scheduler, 1500, seed=2).mean() <= 0.001 * (1 + 20 / 1500)


def test_costs_that_are_higher_than_expected_are_paid_for() -> None:
    """If calls cost twice what is expected of them, fewer dear ones are made."""
    costs = stream(LagrangeScheduler(Aim(usd_per_query=0.001)), 2500, seed=3, factor=2.0)
    assert 0.93 * 0.001 <= costs[500:].mean() <= 1.005 * 0.001


def test_cached_answers_leave_their_share_to_others() -> None:
    """With every second query answered from the cache the others may cost twice as much."""
    scheduler = LagrangeScheduler(Aim(usd_per_query=0.001))
    rng, costs = np.random.default_rng(4), []
    for number in range(3000):
        query = Query(text="Hello", id=str(number))
        if number % 2:
            scheduler.skip(query)
            continue
        chances = offers(rng)
        name = scheduler.decide(query, chances, Purse(), number).ranking[0]
        chosen = next(one for one in chances if one.candidate == name)
        scheduler.learn_one(spent(query, chosen, chosen.cost_usd))
        costs.append(chosen.cost_usd)
    assert 0.95 * 0.002 <= np.mean(costs[200:]) <= 0.00201


def test_a_price_decides_alone() -> None:
    """At a given price the choice maximises quality less price times cost."""
    sure = tuple(estimate(one.candidate, one.quality, one.cost_usd, 1e-9) for one in ESTIMATES)
    for price, best in ((0.0, "large"), (50.0, "middle"), (1000.0, "small")):
        scheduler = LagrangeScheduler(Aim(price=price))
        choice = scheduler.decide(Query(text="Hello", id="1"), sure, Purse(), 1)
        assert choice.ranking[0] == best
        assert choice.price == price
        assert choice.propensity == 1.0


def test_a_target_is_reached_and_not_overpaid() -> None:
    """The mean quality comes out near the target, whatever seed."""
    scheduler, rng = LagrangeScheduler(Aim(target_quality=0.62)), np.random.default_rng(6)
    qualities = []
    for number in range(1500):
        query, chances = Query(text="Hello", id=str(number)), offers(rng)
        name = scheduler.decide(query, chances, Purse(), number).ranking[0]
        chosen = next(one for one in chances if one.candidate == name)
        scheduler.learn_one(spent(query, chosen, chosen.cost_usd, chosen.quality))
        qualities.append(chosen.quality)
    assert 0.61 <= np.mean(qualities[300:]) <= 0.64


def test_a_target_is_that_of_calls_however_many_answers_are_stored() -> None:
    """With six queries of ten from the cache the calls are as good, and as cheap, as without."""
    quality, usd = {}, {}
    for share in (0.0, 0.6):
        scheduler, rng = LagrangeScheduler(Aim(target_quality=0.62)), np.random.default_rng(6)
        chosen: list[Estimate] = []
        for number in range(2500):
            query, chances = Query(text="Hello", id=str(number)), offers(rng)
            if rng.random() < share:
                scheduler.skip(query)
                continue
            name = scheduler.decide(query, chances, Purse(), number).ranking[0]
            chosen.append(next(one for one in chances if one.candidate == name))
            scheduler.learn_one(spent(query, chosen[-1], chosen[-1].cost_usd, chosen[-1].quality))
        quality[share] = float(np.mean([one.quality for one in chosen[200:]]))
        usd[share] = float(np.mean([one.cost_usd for one in chosen[200:]]))
    assert quality[0.6] == pytest.approx(quality[0.0], abs=0.01)
    assert usd[0.6] < 1.2 * usd[0.0]


def test_a_target_out_of_reach_is_told_with_what_can_be_reached() -> None:
    """The reason of each decision says so, once enough queries are known; else it does not."""
    both = (estimate("cheap", 0.5, 0.0001, 1e-6), estimate("dear", 0.75, 0.01, 1e-6))
    for target, told in ((0.9, True), (0.7, False)):
        scheduler = LagrangeScheduler(Aim(target_quality=target))
        for number in range(60):
            query = Query(text="Hello", id=str(number))
            choice = scheduler.decide(query, both, Purse(), number)
        assert ("the target of 0.9 is out of reach: all best bring 0.750" in choice.why) is told


def test_thrift_gives_away_as_little_with_a_cache() -> None:
    """What a call says may be stored for many: it is no worse because others need none."""
    lost = {}
    for share in (0.0, 0.8):
        scheduler, rng, gaps = LagrangeScheduler(), np.random.default_rng(6), []
        for number in range(2000):
            query, chances = Query(text="Hello", id=str(number)), offers(rng)
            if rng.random() < share:
                scheduler.skip(query)
                continue
            name = scheduler.decide(query, chances, Purse(), number).ranking[0]
            chosen = next(one for one in chances if one.candidate == name)
            gaps.append(max(one.quality for one in chances) - chosen.quality)
            scheduler.learn_one(spent(query, chosen, chosen.cost_usd, chosen.quality))
        lost[share] = float(np.mean(gaps[50:]))
    assert lost[0.8] < lost[0.0] + 0.01


def test_thrift_gives_little_quality_away() -> None:
    """Without an aim, the cheap one is taken when the dear one is hardly better."""
    alike = (estimate("cheap", 0.895, 0.0001, 1e-6), estimate("dear", 0.9, 0.01, 1e-6))
    apart = (estimate("cheap", 0.5, 0.0001, 1e-6), estimate("dear", 0.9, 0.01, 1e-6))
    scheduler = LagrangeScheduler()
    assert scheduler.decide(Query(text="a", id="1"), alike, Purse(), 1).ranking[0] == "cheap"
    assert LagrangeScheduler().decide(Query(text="a", id="1"), apart, Purse(), 1).ranking[0] == (
        "dear"
    )


def test_propensities_are_true() -> None:
    """Over many seeds, each candidate is chosen as often as its propensity says."""
    close = (estimate("a", 0.60, 0.001, 0.3), estimate("b", 0.62, 0.001, 0.3))
    state = LagrangeScheduler(Aim(price=1.0)).save()
    chosen, told = Counter[str](), {}
    for seed in range(4000):
        scheduler = LagrangeScheduler(Aim(price=1.0))
        scheduler.load(state)
        choice = scheduler.decide(Query(text="Hello", id="1"), close, Purse(), seed)
        chosen[choice.ranking[0]] += 1
        told[choice.ranking[0]] = choice.propensity
    assert sum(told.values()) == pytest.approx(1.0)
    for name, propensity in told.items():
        assert chosen[name] / 4000 == pytest.approx(propensity, abs=0.03)


def test_who_is_explored_is_told() -> None:
    """The receipt says when the choice was not the best value."""
    close = (estimate("a", 0.60, 0.001, 0.5), estimate("b", 0.62, 0.001, 0.5))
    whys = {}
    for seed in range(60):
        scheduler = LagrangeScheduler(Aim(price=1.0))
        choice = scheduler.decide(Query(text="Hello", id="1"), close, Purse(), seed)
        whys[choice.ranking[0]] = choice.why
    assert whys["a"].startswith("explored")
    assert whys["b"].startswith("best value")


def test_factory_reads_the_aim() -> None:
    """Options are the aim's fields; others, and two aims at once, are refused by name."""
    context = Context(clock=lambda: 0.0)
    assert make(context, {"price": 300, "usd_per_query": None}).aim == Aim(price=300.0)
    for options, key in (
        ({"prize": 3}, "prize"),
        ({"price": "dear"}, "price"),
        ({"usd_per_query": -1.0}, "usd_per_query"),
        ({"target_quality": 1.5}, "target_quality"),
        ({"price": 1.0, "target_quality": 0.5}, "target_quality"),
    ):
        with pytest.raises(SettingsError, match=key):
            make(context, options)


def test_a_price_below_nothing_is_explained() -> None:
    """While money would be left over, the reason says so, and what a dollar may lose."""
    few = [
        Estimate(
            candidate="small", quality=0.5, quality_sd=0.02, cost_usd=1e-6, cost_high_usd=2e-6
        ),
        Estimate(
            candidate="large", quality=0.5, quality_sd=0.02, cost_usd=1e-3, cost_high_usd=2e-3
        ),
    ]
    scheduler = LagrangeScheduler(Aim(usd_per_query=0.01))
    for number in range(60):
        choice = scheduler.decide(Query(text="a", id=str(number)), few, Purse(), number)
    assert choice.price < 0.0
    assert "money would be left over" in choice.why


def test_exploring_has_an_account() -> None:
    """What explored decisions were expected to cost beyond the best value is added up."""
    scheduler = LagrangeScheduler(Aim(price=1.0))
    extra, explored = 0.0, 0
    for number in range(300):
        query = Query(text="a", id=str(number))
        choice = scheduler.decide(query, ESTIMATES, Purse(), number * 7919)
        decision = Decision(
            id=query.id,
            query_id=query.id,
            candidate=choice.ranking[0],
            ranking=choice.ranking,
            estimates=ESTIMATES,
            propensity=choice.propensity,
            price=choice.price,
            seed=number * 7919,
            why=choice.why,
            created_s=0.0,
            terms=choice.terms,
        )
        usd = explored_usd(decision)
        assert (usd is None) == choice.why.startswith("best value")
        explored += usd is not None
        extra += max(usd or 0.0, 0.0)
    assert scheduler.explored.decisions == 300
    assert scheduler.explored.calls == explored > 0
    assert scheduler.explored.usd == pytest.approx(extra)
    again = LagrangeScheduler(Aim(price=1.0))
    again.load(scheduler.save())
    assert again.explored == scheduler.explored
