"""What an answer will cost: tokens learnt from everybody, prices from the list, errors by rank."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sls_plugins.predictor import OnlinePredictor
from sls_plugins.predictor.conformal import Conformal
from sls_plugins.predictor.slots import Slots
from sls_plugins.predictor.tariff import Tariff
from sls_plugins.testing.contracts.predictor import CANDIDATES, DIMENSION, outcome, vector_of
from sls_plugins.types import Candidate, Query, Usage


def test_who_was_never_called_is_expected_to_answer_as_briefly_as_the_others() -> None:
    """After answers of one token, a candidate that was never called is not priced for 200."""
    predictor = OnlinePredictor(DIMENSION, CANDIDATES)
    query = Query(text="Yes or no?", input_tokens=50)
    usage = Usage(input_tokens=50, output_tokens=1)
    for number in range(40):
        told = replace(outcome(number), query=query, usage=usage, cost_usd=None)
        predictor.learn_one(told)
    large = predictor.predict_one(query, vector_of(1), CANDIDATES)[2]
    assert large.cost_usd == pytest.approx((10.0 * 50 + 30.0 * 1) / 1e6, rel=0.3)


def test_answers_are_as_long_as_their_task_makes_them() -> None:
    """The same words cost more where the task asks for essays."""
    predictor = OnlinePredictor(DIMENSION, CANDIDATES)
    for number in range(200):
        task, tokens = ("essay", 900) if number % 2 else ("label", 3)
        query = Query(text="Go on, please", task=task, id=str(number))
        usage = Usage(input_tokens=5, output_tokens=tokens)
        predictor.learn_one(replace(outcome(number), query=query, usage=usage, cost_usd=None))
    essay, label = (
        predictor.predict_one(Query(text="Go on, please", task=task), vector_of(7), CANDIDATES)[0]
        for task in ("essay", "label")
    )
    assert essay.output_tokens == pytest.approx(900, rel=0.4)
    assert label.output_tokens == pytest.approx(3, rel=0.4)


def test_cached_and_reasoning_tokens_have_prices_of_their_own() -> None:
    """Shares of such tokens are learnt, and expected at their own prices next time."""
    candidate = Candidate(
        name="thinker",
        input_usd_per_mtok=10.0,
        cached_input_usd_per_mtok=1.0,
        output_usd_per_mtok=20.0,
        reasoning_usd_per_mtok=5.0,
    )
    tariff = Tariff()
    tariff.grow(1)
    tariff.declare(0, candidate)
    usage = Usage(input_tokens=100, cached_tokens=80, output_tokens=50, reasoning_tokens=40)
    assert tariff.billed_usd(0, usage) == pytest.approx((200 + 80 + 200 + 200) / 1e6)
    assert tariff.expected_usd([0], 100, np.array([50.0]))[0] == pytest.approx(2000 / 1e6)
    for _ in range(200):
        tariff.learn(0, usage)
    assert tariff.expected_usd([0], 100, np.array([50.0]))[0] == pytest.approx(680 / 1e6, rel=0.1)


@pytest.mark.parametrize("draw", ["normal", "lognormal", "steps"])
def test_the_quantile_holds_whatever_the_errors_are(draw: str) -> None:
    """Nine in ten errors stay under the bound that was told before them."""
    rng = np.random.default_rng(6)
    errors = {
        "normal": rng.normal(size=4000),
        "lognormal": rng.lognormal(size=4000),
        "steps": rng.integers(0, 20, 4000).astype(float),
    }[draw]
    bound = Conformal(512, 0.9, start=1.0)
    bound.grow(1)
    under = 0
    for number, error in enumerate(errors):
        under += number >= 500 and error <= bound.high[0]
        bound.learn(0, float(error))
    assert 0.88 <= under / 3500 <= 0.95


def test_tasks_beyond_the_last_column_share_it() -> None:
    """The first tasks have a column each, the rest have one together; unknown ones have none."""
    slots = Slots(3)
    for key in (11, 12, 11):
        slots.learn(key)
    assert slots.apply(11).tolist() == [1.0, 0.0, 0.0]
    assert slots.apply(13).tolist() == [0.0, 0.0, 0.0]
    for key in (13, 14):
        slots.learn(key)
    assert slots.apply(14).tolist() == slots.apply(13).tolist() == [0.0, 0.0, 1.0]
    other = Slots(3)
    other.load("s", slots.save("s"))
    assert other.apply(12).tolist() == [0.0, 1.0, 0.0]


def test_long_answers_take_longer_and_the_slow_ones_are_foreseen() -> None:
    """Latency follows the expected length; nineteen in twenty calls end before the quantile."""
    predictor, rng = OnlinePredictor(DIMENSION, CANDIDATES), np.random.default_rng(8)
    under = 0
    for number in range(900):
        task, tokens = ("essay", 900) if number % 2 else ("label", 9)
        query = Query(text="Go on, please", task=task, id=str(number))
        seconds = 0.01 * tokens * float(rng.lognormal(sigma=0.5))
        high_s = predictor.predict_one(query, vector_of(number), CANDIDATES)[0].latency_high_s
        under += number >= 300 and high_s is not None and seconds <= high_s
        usage = Usage(input_tokens=5, output_tokens=tokens)
        told = replace(outcome(number), query=query, usage=usage, latency_s=seconds)
        predictor.learn_one(told)
    essay, label = (
        predictor.predict_one(Query(text="Go on, please", task=task), vector_of(7), CANDIDATES)[0]
        for task in ("essay", "label")
    )
    assert essay.latency_s == pytest.approx(9.0, rel=0.5)
    assert label.latency_s == pytest.approx(0.09, rel=0.5)
    assert 0.92 <= under / 600 <= 0.985
