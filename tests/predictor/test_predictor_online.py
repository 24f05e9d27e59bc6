"""The online predictor keeps its contract, and learns what only it promises to learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sls_plugins.errors import SettingsError
from sls_plugins.predictor import OnlinePredictor
from sls_plugins.predictor.online import make
from sls_plugins.protocols import Context, Predictor
from sls_plugins.testing.contracts.predictor import (
    CANDIDATES,
    DIMENSION,
    PredictorContract,
    outcome,
    vector_of,
)
from sls_plugins.types import Candidate, OutcomeKind, Query, Usage


class TestOnlinePredictor(PredictorContract):
    """The contract of predictors."""

    @pytest.fixture
    def make_predictor(self) -> Callable[[], Predictor]:
        """A new online predictor."""
        return lambda: OnlinePredictor(DIMENSION, CANDIDATES)


def test_memory_is_bounded() -> None:
    """More outcomes take no more room, once the tables are in use."""
    predictor, sizes = OnlinePredictor(DIMENSION, CANDIDATES), []
    for start, end in ((0, 1100), (1100, 1400)):
        for number in range(start, end):
            query = Query(text=f"Question {number % 5}", id=f"q{number}")
            told = replace(outcome(number, CANDIDATES[number % 3].name), query=query)
            predictor.learn_one(told)
        sizes.append(sum(array.nbytes for array in predictor.save().values()))
    assert sizes[0] == sizes[1]


def test_factory_takes_no_options() -> None:
    """An option that does not exist is named."""
    context = Context(candidates=CANDIDATES, dimension=DIMENSION, clock=lambda: 0.0)
    assert make(context, {}).dimension == DIMENSION
    with pytest.raises(SettingsError, match="speed"):
        make(context, {"speed": 3})


def test_declared_quality_is_believed_at_first() -> None:
    """A candidate's quality_prior is its expected quality before any outcome."""
    declared = Candidate(name="tuned", input_usd_per_mtok=1.0, quality_prior=0.9)
    predictor = OnlinePredictor(DIMENSION, (declared, *CANDIDATES))
    estimates = predictor.predict_one(Query(text="Hi"), vector_of(1), (declared, *CANDIDATES))
    assert estimates[0].quality == pytest.approx(0.9, abs=0.01)


def test_dearer_is_expected_to_be_better_at_first() -> None:
    """Price is the only hint there is, and it is taken."""
    estimates = OnlinePredictor(DIMENSION, CANDIDATES).predict_one(
        Query(text="Hi"), vector_of(1), CANDIDATES
    )
    qualities = [one.quality for one in estimates]
    assert qualities == sorted(qualities)


def test_a_wrong_answer_counts_most_on_its_own_pattern() -> None:
    """After two wrong answers to a log line its like expects less; another line hardly does."""
    predictor = OnlinePredictor(DIMENSION, CANDIDATES)
    for number in range(200):
        line = f"job {number} of host{number} done" if number % 2 else f"disk {number} is full"
        predictor.learn_one(
            replace(outcome(0), query=Query(text=line, id=str(number)), quality=float(number % 2))
        )
    fine, bad = (
        predictor.predict_one(Query(text="job 7 of host9 done"), vector_of(0), CANDIDATES),
        (predictor.predict_one(Query(text="disk 123 is full"), vector_of(0), CANDIDATES)),
    )
    assert fine[0].quality > 0.8
    assert bad[0].quality < 0.2


def test_failures_are_no_zeros() -> None:
    """A call that failed costs a candidate a little trust in its health, not its quality."""
    predictor = OnlinePredictor(DIMENSION, CANDIDATES)
    for number in range(50):
        predictor.learn_one(outcome(number))
    query = Query(text="Hello")
    before = predictor.predict_one(query, vector_of(3), CANDIDATES)[0].quality
    for number in range(20):
        failed = replace(outcome(number), kind=OutcomeKind.FAILED, quality=None, error="timeout")
        predictor.learn_one(failed)
    after = predictor.predict_one(query, vector_of(3), CANDIDATES)[0].quality
    assert before - 0.1 < after < before


def test_cost_is_learnt_from_what_calls_cost() -> None:
    """Ten times dearer than by list price is soon expected, with most calls under the quantile."""
    predictor = OnlinePredictor(DIMENSION, CANDIDATES)
    rng = np.random.default_rng(5)
    costs = 0.002 * np.exp(0.5 * rng.standard_normal(400))
    query = Query(text="Hello there")
    under = 0
    for number, cost in enumerate(costs):
        high = predictor.predict_one(query, vector_of(number), CANDIDATES)[0].cost_high_usd
        under += number >= 100 and cost <= high
        predictor.learn_one(replace(outcome(number), query=query, cost_usd=float(cost)))
    mean = predictor.predict_one(query, vector_of(1), CANDIDATES)[0].cost_usd
    assert mean == pytest.approx(costs.mean(), rel=0.25)
    assert 0.85 <= under / 300 <= 0.95


def test_cost_follows_from_usage_when_nobody_tells_it() -> None:
    """Without a cost, tokens at list price are what was paid."""
    predictor = OnlinePredictor(DIMENSION, CANDIDATES)
    usage = Usage(input_tokens=1000, output_tokens=2000)
    for number in range(60):
        predictor.learn_one(replace(outcome(number, "large"), usage=usage, cost_usd=None))
    large = predictor.predict_one(Query(text="Hello"), vector_of(1), CANDIDATES)[2]
    assert large.cost_usd == pytest.approx((10.0 * 1000 + 30.0 * 2000) / 1e6, rel=0.3)
    assert large.output_tokens == pytest.approx(2000, rel=0.3)


def test_free_candidates_are_expected_to_cost_nothing() -> None:
    """A local model without prices is free, before and after it was used."""
    local = Candidate(name="local")
    predictor = OnlinePredictor(DIMENSION, (local,))
    query = Query(text="Hello")
    assert predictor.predict_one(query, vector_of(1), (local,))[0].cost_usd == 0.0
    for number in range(30):
        predictor.learn_one(replace(outcome(number, "local"), cost_usd=0.0))
    assert predictor.predict_one(query, vector_of(1), (local,))[0].cost_usd < 1e-7


def test_latency_is_robust() -> None:
    """One call that took an hour does not make a fast candidate slow."""
    predictor = OnlinePredictor(DIMENSION, CANDIDATES)
    for number in range(30):
        predictor.learn_one(replace(outcome(number), latency_s=3600.0 if number == 20 else 0.5))
    latency = predictor.predict_one(Query(text="Hello"), vector_of(1), CANDIDATES)[0].latency_s
    assert latency == pytest.approx(0.5, rel=0.2)


def test_odd_texts_are_described() -> None:
    """Half a surrogate pair, control characters or a megabyte are no trouble."""
    predictor = OnlinePredictor(DIMENSION, CANDIDATES)
    for text in ("half a pair \ud83d", "\x00", "x" * 1_000_000, "🚀", "7"):
        query = Query(text=text)
        estimates = predictor.predict_one(query, vector_of(1), CANDIDATES)
        assert all(np.isfinite(one.quality) and np.isfinite(one.cost_usd) for one in estimates)
        predictor.learn_one(replace(outcome(1), query=query))


def test_state_of_another_dimension_is_refused() -> None:
    """State learnt from another encoder's vectors is named as such."""
    state = OnlinePredictor(8, CANDIDATES).save()
    with pytest.raises(SettingsError, match="length 8, not 24"):
        OnlinePredictor(DIMENSION, CANDIDATES).load(state)


def test_prices_declared_now_win_over_saved_ones() -> None:
    """A price change in the settings is believed after a restart."""
    saved = OnlinePredictor(DIMENSION, CANDIDATES).save()
    dearer = tuple(
        replace(one, output_usd_per_mtok=10 * (one.output_usd_per_mtok or 0)) for one in CANDIDATES
    )
    predictor = OnlinePredictor(DIMENSION, dearer)
    expected = predictor.predict_one(Query(text="Hi"), vector_of(1), dearer)
    predictor.load(saved)
    restored = predictor.predict_one(Query(text="Hi"), vector_of(1), dearer)
    assert [one.cost_usd for one in restored] == [one.cost_usd for one in expected]


def test_wide_vectors_are_folded() -> None:
    """An encoder of thousands of dimensions is learnt from as well, in bounded space."""
    rng = np.random.default_rng(3)
    direction = rng.standard_normal(3000)
    predictor = OnlinePredictor(3000, CANDIDATES)
    hits = 0
    for number in range(300):
        vector = rng.standard_normal(3000).astype(np.float32)
        good = float(direction @ vector > 0)
        vector = (vector + (2 * good - 1) * direction * 0.5).astype(np.float32)
        vector /= np.linalg.norm(vector)
        query = Query(text="Hello", id=str(number))
        expected = predictor.predict_one(query, vector, CANDIDATES)[0].quality
        hits += number >= 200 and (expected > 0.5) == bool(good)
        predictor.learn_one(replace(outcome(number), query=query, vector=vector, quality=good))
    assert hits > 70
    assert sum(array.nbytes for array in predictor.save().values()) < 3e7
