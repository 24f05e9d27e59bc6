"""Predictor and scheduler together learn from nothing but the chosen candidate's outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from sls_plugins.predictor import OnlinePredictor
from sls_plugins.scheduler import Aim, LagrangeScheduler
from sls_plugins.types import Candidate, Outcome, OutcomeKind, Purse, Query, Vector

DIMENSION = 32

CANDIDATES = (
    Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4),
    Candidate(name="large", input_usd_per_mtok=3.0, output_usd_per_mtok=12.0),
    Candidate(name="dud", input_usd_per_mtok=6.0, output_usd_per_mtok=24.0),
)


@dataclass(frozen=True, slots=True)
class World:
    """Queries of two kinds; `small` is good at the one, `large` at both, `dud` at nothing."""

    topics: np.ndarray
    odds: Callable[..., float]

    def vector(self, rng: np.random.Generator, *, hard: bool) -> Vector:
        """A unit vector near its topic's."""
        vector = self.topics[int(hard)] + 0.15 * rng.standard_normal(DIMENSION)
        return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def world(odds: Callable[..., float]) -> World:
    """A world with two unrelated topics."""
    topics = np.random.default_rng(7).standard_normal((2, DIMENSION))
    return World(topics / np.linalg.norm(topics, axis=1, keepdims=True), odds)


def steady(number: int, name: str, *, hard: bool) -> float:
    """Chance of a right answer that never changes."""
    return {"small": 0.3 if hard else 0.9, "large": 0.9, "dud": 0.2}[name]


def turning(number: int, name: str, *, hard: bool) -> float:
    """After a thousand queries `large` is ruined and `dud` is fixed."""
    if name == "small":
        return 0.3
    return 0.9 if (name == "large") == (number < 1000) else 0.2


@dataclass(frozen=True, slots=True)
class Story:
    """What was chosen, what was expected, what came of it; shape (n,) each."""

    names: np.ndarray
    hard: np.ndarray
    expected: np.ndarray
    quality: np.ndarray
    cost_usd: np.ndarray


def live(place: World, aim: Aim, queries: int, seed: int) -> Story:
    """Stream queries through a new predictor and scheduler."""
    rng = np.random.default_rng(seed)
    predictor, scheduler = OnlinePredictor(DIMENSION, CANDIDATES), LagrangeScheduler(aim, seed)
    rows = []
    for number in range(queries):
        hard = bool(rng.random() < 0.5)
        vector = place.vector(rng, hard=hard)
        query = Query(text=f"Question {'about it ' * int(rng.integers(9))}", id=str(number))
        estimates = predictor.predict_one(query, vector, CANDIDATES)
        choice = scheduler.decide(query, estimates, Purse(), seed * 100_000 + number)
        chosen = next(one for one in estimates if one.candidate == choice.ranking[0])
        quality = float(rng.random() < place.odds(number, chosen.candidate, hard=hard))
        scale = {"small": 0.00005, "large": 0.0015, "dud": 0.003}[chosen.candidate]
        cost = scale * float(np.exp(0.5 * rng.standard_normal()))
        outcome = Outcome(
            decision_id=str(number),
            query=query,
            vector=vector,
            candidate=chosen.candidate,
            kind=OutcomeKind.ANSWERED,
            quality=quality,
            cost_usd=cost,
            estimate=chosen,
            propensity=choice.propensity,
        )
        predictor.learn_one(outcome)
        scheduler.learn_one(outcome)
        rows.append((chosen.candidate, hard, chosen.quality, quality, cost))
    names, hards, expected, qualities, costs = zip(*rows, strict=True)
    return Story(*(np.array(each) for each in (names, hards, expected, qualities, costs)))


def off(expected: np.ndarray, real: np.ndarray) -> float:
    """Expected calibration error over ten bins."""
    bins = np.minimum((expected * 10).astype(int), 9)
    return sum(
        abs(expected[bins == b].mean() - real[bins == b].mean()) * float((bins == b).mean())
        for b in np.unique(bins)
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_each_kind_of_query_finds_its_candidate(seed: int) -> None:
    """At a middling price easy queries go to the small candidate, hard ones to the large one."""
    story = live(world(steady), Aim(price=50.0), 1500, seed)
    late = slice(1100, None)
    easy = ~story.hard[late]
    assert np.mean(story.names[late][easy] == "small") > 0.75
    assert np.mean(story.names[late][~easy] == "large") > 0.9
    assert np.mean(story.names[late] == "dud") < 0.03


@pytest.mark.parametrize("seed", [0, 1])
def test_a_budget_buys_more_than_any_mix(seed: int) -> None:
    """With money for the large one every fourth time, hard queries get it, and no more is spent."""
    budget = 0.0005
    story = live(world(steady), Aim(usd_per_query=budget), 2500, seed)
    late = slice(700, None)
    spent = story.cost_usd[late].mean()
    share = budget / (0.0015 * np.exp(0.125))
    mixed = 0.6 + share * (0.9 - 0.6)
    assert 0.93 * budget <= spent <= 1.0 * budget
    assert story.quality[late].mean() > mixed + 0.04


@pytest.mark.parametrize("seed", [0, 1])
def test_a_changed_candidate_is_relearnt(seed: int) -> None:
    """When the best candidate is ruined and the worst one fixed, traffic follows."""
    story = live(world(turning), Aim(price=20.0), 2600, seed)
    assert np.mean(story.names[600:1000] == "large") > 0.8
    assert np.mean(story.names[1800:] == "large") < 0.1
    assert story.quality[2000:].mean() > 0.7


@pytest.mark.parametrize("seed", [0, 1])
def test_expectations_are_honest(seed: int) -> None:
    """Of choices expected to be right with some chance, that share is right."""
    story = live(world(steady), Aim(usd_per_query=0.0005), 2000, seed)
    half = slice(1000, None)
    assert abs(story.expected[half].mean() - story.quality[half].mean()) < 0.03
    assert off(story.expected[half], story.quality[half]) < 0.07
