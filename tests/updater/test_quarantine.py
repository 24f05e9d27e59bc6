"""A fallen candidate is probed, and comes back when it has recovered."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from sls_plugins.predictor import OnlinePredictor
from sls_plugins.scheduler import Aim, LagrangeScheduler
from sls_plugins.scheduler.selection import choose_again
from sls_plugins.testing.contracts.predictor import (
    CANDIDATES,
    DIMENSION,
    outcome,
    vector_of,
)
from sls_plugins.testing.contracts.scheduler import ESTIMATES
from sls_plugins.types import Decision, Event, Outcome, Purse, Query
from sls_plugins.updater import Alarm, Reactions
from sls_plugins.updater.quarantine import HOPED, PROBES, Ward


def graded(number: int, candidate: str, quality: float) -> Outcome:
    """An answer of this quality."""
    return replace(outcome(number, candidate), quality=quality)


def coins(chance: float, number: int, seed: int) -> Iterator[float]:
    """Grades of answers of which so many are good."""
    draw = random.Random(seed)
    return (float(draw.random() < chance) for _ in range(number))


def test_a_recovered_candidate_is_known_by_few_probes() -> None:
    """Half of those that recover are known within 40 probes; who stays bad is hardly ever."""
    needed, false = [], 0
    for seed in range(40):
        ward = Ward.after(0.0, -0.2)
        for number, grade in enumerate(coins(0.9, 200, seed)):
            ward.probe(grade, 0.9)
            if ward.recovered:
                needed.append(number)
                break
        ward = Ward.after(0.0, -0.2)
        for grade in coins(0.7, 40, seed):
            ward.probe(grade, 0.9)
        false += ward.recovered
    assert sorted(needed)[20] <= 40
    assert false <= 4


def test_probes_are_more_while_it_looks_recovered_and_fewer_as_time_goes_by() -> None:
    """The share follows the evidence."""
    ward = Ward.after(0.0, -0.3)
    for _ in range(25):
        ward.probe(1.0, 0.8)
    assert ward.share == HOPED
    for _ in range(200):
        ward.probe(0.0, 0.8)
    assert ward.share < PROBES


def test_a_candidate_that_still_leads_is_let_out() -> None:
    """Nobody is left aside who is better than the others even so."""
    ward = Ward.after(0.0, -0.2)
    for _ in range(20):
        ward.probe(0.75, 0.95)
        ward.other(0.5)
    assert not ward.recovered
    assert ward.leading


@pytest.mark.parametrize("aim", [Aim(), Aim(price=20.0), Aim(usd_per_query=0.002)])
def test_quarantine_leaves_probes_and_nothing_else(aim: Aim) -> None:
    """Its share is that of the probes, at the propensity told; receipts give the same again."""
    scheduler = LagrangeScheduler(aim, seed=1)
    best = max(ESTIMATES, key=lambda one: one.quality).candidate
    scheduler.quarantine(best, 0.1)
    chosen, told = Counter[str](), []
    for number in range(2000):
        query = Query(text="Hi", id=str(number))
        choice = scheduler.decide(query, ESTIMATES, Purse(), number)
        first = choice.ranking[0]
        chosen[first] += 1
        if first == best:
            told.append(choice.propensity)
        receipt = Decision(
            id=str(number), query_id=query.id, candidate=first, ranking=choice.ranking,
            estimates=ESTIMATES, propensity=choice.propensity, price=choice.price, seed=number,
            why=choice.why, created_s=0.0, terms=choice.terms,
        )  # fmt: skip
        assert choose_again(receipt) == (choice.ranking, choice.propensity)
    assert chosen[best] <= 0.13 * 2000
    assert told == [pytest.approx(0.1)] * len(told)
    scheduler.load(scheduler.save())
    scheduler.quarantine(best, 0.0)
    assert "held.names" not in scheduler.save()


def test_who_is_alone_is_asked_in_quarantine_too() -> None:
    """With nobody else left a candidate in quarantine answers."""
    scheduler = LagrangeScheduler(Aim())
    scheduler.quarantine(ESTIMATES[0].candidate, 0.05)
    choice = scheduler.decide(Query(text="Hi", id="q"), ESTIMATES[:1], Purse(), 1)
    assert choice.ranking == (ESTIMATES[0].candidate,)


def test_what_was_set_aside_is_known_again() -> None:
    """After a fall is over the same is expected as before it; also from a snapshot."""
    predictor = OnlinePredictor(DIMENSION, CANDIDATES)
    who = CANDIDATES[0].name
    for number in range(60):
        predictor.learn_one(graded(number, who, 0.9))
    query, vector = Query(text="Question 3", id="q"), vector_of(3)

    def expected(of: OnlinePredictor) -> float:
        return of.predict_one(query, vector, CANDIDATES)[0].quality

    before, steady = expected(predictor), predictor.steady(outcome(3, who))
    predictor.set_aside(who)
    predictor.forget(who, 0.98)
    for number in range(30):
        predictor.learn_one(graded(number, who, 0.0))
    assert expected(predictor) < before - 0.3
    assert predictor.steady(outcome(3, who)) == pytest.approx(steady, abs=0.35)
    other = OnlinePredictor(DIMENSION, CANDIDATES)
    other.load(predictor.save())
    for one in (predictor, other):
        one.put_back(who, recall=True)
    assert expected(predictor) > before - 0.2
    assert expected(other) == expected(predictor)


def test_what_was_learnt_of_a_fall_before_the_alarm_is_not_set_aside() -> None:
    """A fall that is noticed late is not taken for what the candidate was; also from a snapshot."""
    predictor = OnlinePredictor(DIMENSION, CANDIDATES)
    who = CANDIDATES[0].name
    for number in range(250):
        predictor.learn_one(graded(number, who, 0.9))
    for number in range(80):
        predictor.learn_one(graded(number, who, 0.2))
    query, vector = Query(text="Question 3", id="q"), vector_of(3)
    fallen = predictor.predict_one(query, vector, CANDIDATES)[0].quality
    other = OnlinePredictor(DIMENSION, CANDIDATES)
    other.load(predictor.save())
    learnt = predictor.steady(outcome(3, who))
    for one in (predictor, other):
        one.set_aside(who)
        assert one.steady(outcome(3, who)) > learnt + 0.1
        one.forget(who, 0.98)
        one.put_back(who, recall=True)
        found = one.predict_one(query, vector, CANDIDATES)[0].quality
        assert found > fallen + 0.1
    assert other.predict_one(query, vector, CANDIDATES)[0].quality == found


def test_the_updater_tells_of_quarantine_and_return() -> None:
    """One event when a candidate is left alone, one when it is back; state survives."""
    told: list[Event] = []
    predictor, scheduler = OnlinePredictor(DIMENSION, CANDIDATES), LagrangeScheduler(Aim())
    reactions = Reactions(predictor, scheduler, told.append)
    restarted: list[str] = []
    reactions.restart = restarted.append
    who = CANDIDATES[0].name
    for number in range(60):
        predictor.learn_one(graded(number, who, 0.9))
    for seq in (60, 90):  # the second is no news: it is in quarantine
        reactions.alarmed = False
        reactions.alarm(
            Alarm(
                candidate=who, task="", measure="quality", direction=-1, normal=0.0, recent=-0.4,
                seq=seq,
            )
        )  # fmt: skip
        assert reactions.alarmed == (seq == 60)
    assert [event.kind for event in told] == ["drift", "quarantined"]
    again = Reactions(predictor, scheduler, told.append)
    again.load(reactions.save())
    assert all(np.array_equal(one, again.save()[name]) for name, one in reactions.save().items())
    for number in range(61, 200):
        if told[-1].kind == "reinstated":
            break
        reactions.learn_one(graded(number, who, 0.95))
    assert told[-1].kind == "reinstated"
    assert restarted == [who]
    assert "ward_names" not in reactions.save()
