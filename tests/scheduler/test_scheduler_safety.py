"""The safe arm: standings from chosen outcomes only, the duel, and who is in charge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from sls_plugins.scheduler import Aim, LagrangeScheduler
from sls_plugins.scheduler.duel import ALARM, Duel
from sls_plugins.scheduler.exploration import Scenarios
from sls_plugins.scheduler.safety import Safety
from sls_plugins.scheduler.selection import Terms, pick, terms_of
from sls_plugins.scheduler.standing import Mix, Standing, needed, surprise
from sls_plugins.testing.contracts.scheduler import estimate, spent
from sls_plugins.types import Estimate, Purse, Query

TRUTH = {"small": (0.6, 0.001), "middle": (0.8, 0.003), "large": (0.9, 0.01)}
WRONG = (
    estimate("small", 0.9, 0.001),
    estimate("middle", 0.3, 0.003),
    estimate("large", 0.9, 0.01),
)


def test_standings_come_true_where_the_predictor_is_wrong() -> None:
    """Means are corrected by the errors seen, each weighted by one over its propensity."""
    standing, rng = Standing(), np.random.default_rng(1)
    rows = standing.rows(["small", "middle", "large"])
    for _ in range(3000):
        standing.observe(WRONG, rows)
        at = int(rng.choice(3, p=(0.8, 0.1, 0.1)))
        quality = float(rng.random() < TRUTH[WRONG[at].candidate][0])
        standing.grade(WRONG[at], quality, (0.8, 0.1, 0.1)[at])
        standing.bill(WRONG[at], 2.0 * WRONG[at].cost_usd)
    quality, cost = standing.means(rows)
    assert quality == pytest.approx([0.6, 0.8, 0.9], abs=0.06)
    assert cost == pytest.approx([0.002, 0.006, 0.02], rel=0.01)


def test_one_outcome_that_was_hardly_to_be_seen_does_not_decide() -> None:
    """Three good answers and a bad one weigh about alike, whatever the bad one's propensity."""
    left = {}
    for propensity in (0.01, 1.0):
        standing, offer = Standing(), estimate("middle", 0.9, 0.003)
        rows = standing.rows(["middle"])
        standing.observe((offer,), rows)
        for quality, chance in ((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (0.0, propensity)):
            standing.grade(offer, quality, chance)
        left[propensity] = float(standing.means(rows)[0][0])
    assert left[1.0] == pytest.approx(0.9 - 0.6 / 8, abs=0.01)
    assert 0.6 < left[0.01] < left[1.0]


def test_what_speaks_against_somebody_does_not_fade_by_itself() -> None:
    """Bad grades count as long as nothing says that the candidate has changed."""
    standing = Standing()
    offers = (estimate("good", 0.9, 0.001), estimate("bad", 0.3, 0.001))
    rows = standing.rows(["good", "bad"])
    standing.observe(offers, rows)
    for _ in range(5):
        standing.grade(offers[1], 0.0, 1.0)
    wanted = needed(standing.means(rows), 0.0)[1]
    before = standing.against(1, wanted)
    for _ in range(3000):
        standing.grade(offers[0], 0.9, 1.0)
    assert needed(standing.means(rows), 0.0)[1] == pytest.approx(wanted, rel=0.01)
    assert standing.against(1, wanted) == before
    assert before > 5.0
    standing.forget("bad", 0.9)
    assert standing.against(1, needed(standing.means(rows), 0.0)[1]) < 0.1 * before


def test_outcomes_speak_less_where_much_could_be_gained() -> None:
    """A bad start counts half beside a best one that leaves a fifth of quality to be desired."""
    found = {}
    for best in (0.95, 0.8):
        standing = Standing()
        offers = (estimate("best", best, 0.001), estimate("new", 0.5, 0.001))
        rows = standing.rows(["best", "new"])
        standing.observe(offers, rows)
        for quality in (1.0, 0.0, 0.0, 0.0):
            standing.grade(offers[1], quality, 1.0)
        found[best] = standing.against(1, needed(standing.means(rows), 0.0)[1])
    assert found[0.95] == pytest.approx(4.0 * surprise(0.25, 0.95))
    assert found[0.8] == pytest.approx(2.0 * surprise(0.25, 0.8))


def test_the_best_mix_spends_what_is_spent() -> None:
    """Between two candidates on the hull, as much of the dearer one as can be paid."""
    standing = Standing()
    offers = tuple(estimate(name, quality, usd) for name, (quality, usd) in TRUTH.items())
    rows = standing.rows([one.candidate for one in offers])
    standing.observe(offers, rows)
    assert standing.mix(rows, 0.002) == Mix("small", "middle", pytest.approx(0.5))
    assert standing.mix(rows, 1.0) == Mix("large", "large", 0.0)
    assert standing.mix(rows, 0.0001) == Mix("small", "middle", 0.0)
    assert Mix("small", "middle", 0.25).shares(["middle", "large"]).tolist() == [1.0, 0.0]


def duel(mean: float, queries: int, seed: int) -> Duel:
    """A duel whose differences have this mean, and come as they do when few go to the mix."""
    found, rng = Duel(), np.random.default_rng(seed)
    for _ in range(queries):
        seldom = rng.random() < 0.02
        noise = float(rng.normal()) * (10.0 if seldom else 0.3)
        found.learn(mean + float(np.clip(noise, -50, 1.5)), -51.0, 2.0)
    return found


def test_a_worse_policy_loses_the_duel_and_an_equal_one_hardly_ever() -> None:
    """The alarm is rung when the policy is worse, and by chance no more often than is promised."""
    assert duel(-0.3, 4000, 1).handed
    assert not duel(-0.3, 4000, 1).proven
    assert duel(0.5, 4000, 2).proven
    false = sum(duel(0.1, 400, seed).handed for seed in range(40))
    assert false <= 40 / ALARM + 2


def test_a_policy_that_gets_better_is_given_back_its_charge() -> None:
    """The mix is in charge only until the other bet is won."""
    found, rng = duel(-0.3, 4000, 3), np.random.default_rng(3)
    assert found.handed
    for _ in range(6000):
        found.learn(float(np.clip(0.3 + rng.normal(), -2.0, 11.0)), -2.0, 11.0)
    assert not found.handed


@pytest.mark.slow
def test_traffic_is_handed_to_the_mix_and_little_is_lost() -> None:
    """With a predictor that is wrong throughout, the mix takes over and quality comes back."""
    scheduler, rng = LagrangeScheduler(Aim(price=1.0), seed=1), np.random.default_rng(4)
    twisted = (estimate("good", 0.5, 0.001), estimate("bad", 0.8, 0.001))
    truth = {"good": 0.9, "bad": 0.5}
    qualities = []
    for number in range(4000):
        query = Query(text="Hello", id=str(number))
        name = scheduler.decide(query, twisted, Purse(), number * 7919).ranking[0]
        chosen = next(one for one in twisted if one.candidate == name)
        quality = float(rng.random() < truth[name])
        scheduler.learn_one(spent(query, chosen, chosen.cost_usd, quality))
        qualities.append(quality)
    assert np.mean(qualities[:200]) < 0.65
    assert np.mean(qualities[-1500:]) > 0.8


def test_somebody_new_is_tried_while_the_mix_is_in_charge() -> None:
    """Trials leave the policy a share even then, so that one grade does not decide the duel."""
    scheduler, rng = LagrangeScheduler(Aim(price=100.0), seed=1), np.random.default_rng(4)
    offers = (estimate("good", 0.5, 0.001), estimate("bad", 0.8, 0.001))
    truth = {"good": 0.9, "bad": 0.5, "new": 0.7}
    propensities = []
    for number in range(1500):
        if number == 1200:
            assert scheduler._safety.duel.handed
            offers = (*offers, estimate("new", 0.7, 0.0009))
        query = Query(text="Hello", id=str(number))
        choice = scheduler.decide(query, offers, Purse(), number * 7919)
        chosen = next(one for one in offers if one.candidate == choice.ranking[0])
        quality = float(rng.random() < truth[chosen.candidate])
        scheduler.learn_one(spent(query, chosen, chosen.cost_usd, quality))
        propensities.append(choice.propensity)
        assert scheduler._safety.duel.moments[1] < 1e5
    assert scheduler._safety.standing.asked[scheduler._safety.standing._row("new")] >= 8
    assert min(propensities) > 0.0


def test_terms_give_the_choice_again() -> None:
    """Flattened terms come back equal, and with them the same ranking and propensity."""
    scenarios, rng = Scenarios(5), np.random.default_rng(5)
    for seed in range(300):
        offers = tuple(
            Estimate(
                candidate=name,
                quality=float(rng.random()),
                quality_sd=0.2,
                cost_usd=float(rng.random()),
                cost_high_usd=float(1.0 + rng.random()),
                latency_s=float(rng.random()),
            )
            for name in "abcd"
        )
        terms = Terms(
            price=float(rng.normal()),
            purse_usd=1.7,
            latency_weight=0.1,
            deadline_s=0.8,
            safe=0.3,
            scenarios=5,
            curiosity={"a": 0.5, "d": 0.2},
            mix={"a": 0.4, "b": 0.6},
            trial={"c": 0.1},
        )
        again = terms_of(terms.flat())
        assert again == terms
        one, other = pick(offers, terms, scenarios, seed), pick(offers, again, scenarios, seed)
        assert (one.ranking, one.propensity) == (other.ranking, other.propensity)
        assert 0.0 < one.propensity <= 1.0
        assert len({found.candidate for found in one.ranking}) == 4


def test_propensities_are_true_with_mix_and_trials() -> None:
    """Over many seeds each candidate is chosen as often as its propensity says."""
    offers = (estimate("a", 0.6, 0.1, 0.2), estimate("b", 0.62, 0.1, 0.2), estimate("c", 0.1, 0.2))
    terms = Terms(
        price=0.0,
        purse_usd=9.0,
        safe=0.2,
        curiosity={"a": 1.0, "b": 1.0},
        mix={"b": 0.7, "c": 0.3},
        trial={"c": 0.1},
    )
    told: dict[str, float] = {}
    counts = dict.fromkeys("abc", 0)
    for seed in range(6000):
        picked = (
            pick(offers, terms, Scenarios(0), seed * 104729)
            if not seed
            else pick(offers, terms, SCENARIOS, seed * 104729)
        )
        counts[picked.ranking[0].candidate] += 1
        told[picked.ranking[0].candidate] = picked.propensity
    assert sum(told.values()) == pytest.approx(1.0)
    for name, count in counts.items():
        assert count / 6000 == pytest.approx(told[name], abs=0.025)


SCENARIOS = Scenarios(0)


def test_deadlines_and_waiting_count() -> None:
    """Who is too slow is asked last; a second of waiting costs the quality that was said."""
    fast = Estimate(
        candidate="fast", quality=0.7, quality_sd=0.01, cost_usd=0.1, cost_high_usd=0.1, latency_s=1
    )
    slow = Estimate(
        candidate="slow", quality=0.8, quality_sd=0.01, cost_usd=0.1, cost_high_usd=0.1, latency_s=9
    )

    def first(aim: Aim, query: Query) -> str:
        return LagrangeScheduler(aim).decide(query, (fast, slow), Purse(), 1).ranking[0]

    plain = Query(text="Hello", id="1")
    assert first(Aim(price=0.0), plain) == "slow"
    assert first(Aim(price=0.0, latency_weight=0.05), plain) == "fast"
    assert first(Aim(price=0.0, deadline_s=5.0), plain) == "fast"
    assert first(Aim(price=0.0), Query(text="Hello", id="1", deadline_s=5.0)) == "fast"


def test_exploring_has_its_own_budget() -> None:
    """Dear candidates are tried no more than the share for exploring pays for."""
    offers = (estimate("cheap", 0.8, 0.001, 0.3), estimate("dear", 0.3, 0.1, 0.3))
    for share, most in ((0.0, 0), (0.05, 4)):
        scheduler, asked = LagrangeScheduler(Aim(price=1.0, exploration=share)), 0
        for number in range(3000):
            query = Query(text="Hello", id=str(number))
            name = scheduler.decide(query, offers, Purse(), number * 7919).ranking[0]
            chosen = next(one for one in offers if one.candidate == name)
            asked += name == "dear"
            scheduler.learn_one(spent(query, chosen, chosen.cost_usd, chosen.quality))
        assert asked <= most


def test_exploring_gives_away_no_more_quality_than_it_is_granted() -> None:
    """Cheap candidates of which much is hoped and little comes are tried less and less."""
    offers = (estimate("cheap", 0.7, 0.001, 0.3), estimate("dear", 0.9, 0.001, 0.3))
    lost = {}
    for share in (0.0, 0.05):
        scheduler, lost[share] = LagrangeScheduler(Aim(price=1.0, exploration=share)), 0.0
        for number in range(2000):
            query = Query(text="Hello", id=str(number))
            name = scheduler.decide(query, offers, Purse(), number * 7919).ranking[0]
            lost[share] += 0.2 * (name == "cheap")
        scheduler.load(scheduler.save())
    granted = 2.0 + 2000 * 0.05 * share + 0.2
    assert 0.0 < lost[0.0] < 3.0
    assert lost[0.0] <= lost[0.05] <= granted


def test_a_bad_start_hides_nobody() -> None:
    """Who may yet be the best is tried eight times, and slowly more; who cannot be, three times."""
    safety = Safety(Aim())
    offers = (estimate("best", 0.9, 0.001), estimate("unlucky", 0.8, 0.001),
              estimate("bad", 0.1, 0.001))  # fmt: skip
    tries: dict[str, int] = {"best": 50, "unlucky": 0, "bad": 0}
    for _ in range(50):
        safety.standing.ask("best")
    for queries, most in ((1, 8), (1800, 24)):
        safety.seen, safety.fund_usd = queries - 1, 1.0
        safety.observe(offers, 0.0)
        while tried := safety.trial(offers, 0.01):
            (name,) = tried
            ask(safety, offers, name)
            tries[name] += 1
        assert tries == {"best": 50, "unlucky": most, "bad": 3}


def ask(safety: Safety, offers: Sequence[Estimate], name: str, *, graded: bool = True) -> None:
    """Ask somebody, who is as good as expected."""
    safety.standing.ask(name)
    for one in offers:
        if one.candidate == name and graded:
            safety.standing.grade(one, one.quality, 1.0)


def test_where_no_grades_come_nobody_is_tried_on() -> None:
    """Three tries that taught nothing are not followed by others."""
    safety = Safety(Aim())
    offers = (estimate("best", 0.9, 0.001), estimate("other", 0.8, 0.001))
    safety.seen, safety.fund_usd, order = 1800, 1.0, ""
    safety.observe(offers, 0.0)
    while tried := safety.trial(offers, 0.01):
        (name,) = tried
        ask(safety, offers, name, graded=False)
        order += name[0]
    assert order == "bbbooo"


def test_whoever_was_tried_least_is_tried_next() -> None:
    """The first trials go to the cheapest; after them tries are shared out evenly."""
    safety = Safety(Aim())
    safety.fund_usd = 1.0
    offers = tuple(estimate(name, 0.8, 0.001 * (i + 1)) for i, name in enumerate("abc"))
    safety.observe(offers, 0.0)
    order = ""
    while tried := safety.trial(offers, 1.0):
        (name,) = tried
        ask(safety, offers, name)
        order += name
    assert order == "aaabbbccc" + "abc" * 5


def test_while_money_for_exploring_lacks_only_the_cheap_are_explored() -> None:
    """Neither dear candidates win then, nor does the best value lose to them by its own doubt."""
    safety = Safety(Aim())
    offers = (estimate("small", 0.6, 0.001), estimate("middle", 0.8, 0.003),
              estimate("large", 0.81, 0.01))  # fmt: skip
    assert set(safety.curiosity(offers, 10.0)) == {"small", "middle", "large"}
    safety.fund_usd = -1.0
    assert set(safety.curiosity(offers, 10.0)) == {"small"}
    safety.credit = -0.1
    assert safety.curiosity(offers, 10.0) == {}


def test_exploring_the_cheap_is_charged_less_what_it_saves() -> None:
    """Quality given up for money that buys as much elsewhere is not given away."""
    offers = (estimate("small", 0.5, 0.1), estimate("large", 0.9, 0.9))
    left = {}
    for price in (0.4, 0.0):
        terms = Terms(price=price, purse_usd=9.0, trial={"small": 1.0})
        safety = Safety(Aim(price=price, exploration=0.0))
        picked = pick(offers, terms, SCENARIOS, 1)
        assert picked.best is offers[1]
        safety.chosen("1", picked, terms)
        left[price] = safety.credit
    assert left == pytest.approx({0.4: 2.0 - (0.4 - 0.4 * 0.8), 0.0: 2.0 - 0.4})


def test_who_may_cost_tens_of_budgets_is_tried_only_where_there_is_room() -> None:
    """Money left over lets a dear candidate be tried, unless its worst case fills the window."""
    safety = Safety(Aim(usd_per_query=0.001))
    offers = (estimate("small", 0.6, 0.001), estimate("large", 0.9, 0.01))
    safety.standing.rows(["small", "large"])
    safety.fund_usd = 1.0
    hopeful = offers[1:]
    most_usd = 1.5 * offers[1].cost_high_usd
    for _ in range(8):
        safety.standing.ask("small")
    assert safety.trial(offers, 0.011, hopeful, room_usd=1.0) == {}, "it was never asked"
    for _ in range(3):
        safety.standing.ask("large")
    assert safety.trial(offers, 0.011, hopeful, room_usd=most_usd) == pytest.approx(
        {"large": 0.198}
    )
    assert safety.trial(offers, 0.011, hopeful, room_usd=0.9 * most_usd) == {}
    assert safety.trial(offers, 0.009, hopeful, room_usd=most_usd) == {}
    few, cheap = offers[0], Safety(Aim(usd_per_query=0.001))
    cheap.fund_usd = 1.0
    cheap.observe(offers, 0.0)
    for name in ("small", "large"):
        for _ in range(9):
            cheap.standing.ask(name)
    for _ in range(9):
        cheap.standing.grade(few, 0.0, 1.0)
    named = cheap.trial(offers, 0.02, offers, room_usd=1.0)
    assert set(named) == {"large"}, "cheap, and beyond doubt not the best"


def test_surprise_is_what_outcomes_speak_against_somebody() -> None:
    """Nothing if as much was seen, more the farther it is away, and no end of it above 1."""
    found = [surprise(0.5, real) for real in (0.4, 0.6, 0.9, 1.1)]
    assert found[0] == pytest.approx(0.0)
    assert found[1] == pytest.approx(0.5 * np.log(0.5 / 0.6) + 0.5 * np.log(0.5 / 0.4))
    assert found[1] < found[2] < 10.0 < found[3]
