"""Rival policies and figures, against brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from sls_plugins.errors import InputError, PriceUnknownError
from sls_plugins.evaluation.baselines import (
    Outcomes,
    best_mix,
    compare,
    oracle,
    oracle_at,
    random_policy,
    singles,
    table_of,
)
from sls_plugins.evaluation.charges import ASSUMED_OUTPUT_TOKENS, charge
from sls_plugins.evaluation.figures import figures_of, policy_of
from sls_plugins.evaluation.gains import gains_of
from sls_plugins.evaluation.metrics import calibration_error, log_r2, mean_interval
from sls_plugins.evaluation.neighbours import knn_policy
from sls_plugins.evaluation.results import Decided
from sls_plugins.evaluation.traces import RecordedOutcome, RoutingRow
from sls_plugins.types import Candidate, Source, unit_rows


def made_up(seed: int, rows: int = 6, models: int = 3) -> Outcomes:
    rng = np.random.default_rng(seed)
    names = tuple(f"m{j}" for j in range(models))
    scale = np.array([1.0, 4.0, 20.0])[:models]
    return Outcomes(names, rng.random((rows, models)).round(1), rng.random((rows, models)) * scale)


@pytest.mark.parametrize("seed", range(8))
def test_the_mix_is_the_best_of_all_mixes(seed: int) -> None:
    """No pair and share on a fine grid spends as little and answers better."""
    outcomes = made_up(seed)
    quality, cost = outcomes.quality.mean(axis=0), outcomes.cost_usd.mean(axis=0)
    for spend in np.linspace(cost.min(), cost.max() * 1.1, 7):
        best = max(
            share * quality[i] + (1 - share) * quality[j]
            for i, j in itertools.product(range(3), repeat=2)
            for share in np.linspace(0, 1, 401)
            if share * cost[i] + (1 - share) * cost[j] <= spend + 1e-12
        )
        mix = best_mix(outcomes, float(spend))
        assert mix.usd_per_query <= spend + 1e-12
        assert best - 1e-12 <= mix.quality <= best + 0.005


def test_a_spend_below_the_cheapest_gives_the_cheapest() -> None:
    """A cache can spend less than any model: then the mix is the cheapest model."""
    outcomes = made_up(1)
    cost = outcomes.cost_usd.mean(axis=0)
    mix = best_mix(outcomes, 0.0)
    assert mix.usd_per_query == pytest.approx(cost.min())
    assert mix.share == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_the_oracle_takes_the_best_and_then_the_cheapest(seed: int) -> None:
    """Per query no answer is better, and no equally good one is cheaper."""
    outcomes = made_up(seed)
    pairs = [
        max(zip(q, -c, strict=True))
        for q, c in zip(outcomes.quality, outcomes.cost_usd, strict=True)
    ]
    policy = oracle(outcomes)
    assert policy.quality == pytest.approx(np.mean([q for q, _ in pairs]))
    assert policy.cost_usd == pytest.approx(-sum(c for _, c in pairs))
    assert policy.hindsight


@pytest.mark.parametrize("seed", range(5))
def test_the_oracle_at_a_spend_keeps_to_it(seed: int) -> None:
    """It spends no more, and comes within one query's step of the best assignment of all."""
    outcomes = made_up(seed)
    rows, models = outcomes.quality.shape
    at = np.arange(rows)
    spend = float(np.median(outcomes.cost_usd.mean(axis=0)))
    best = max(
        outcomes.quality[at, list(chosen)].mean()
        for chosen in itertools.product(range(models), repeat=rows)
        if outcomes.cost_usd[at, list(chosen)].mean() <= spend
    )
    policy = oracle_at(outcomes, spend)
    assert policy.usd_per_query <= spend
    assert best - 1 / rows <= policy.quality <= best + 1e-12


def test_an_oracle_with_money_to_spare_is_the_oracle() -> None:
    """When money is no object, the price of money is nil."""
    outcomes = made_up(3)
    rich, free = oracle_at(outcomes, 1e6), oracle(outcomes)
    assert (rich.quality, rich.cost_usd) == pytest.approx((free.quality, free.cost_usd))


def test_singles_and_random_are_means() -> None:
    """One policy per model, and the mean of all of them."""
    outcomes = made_up(4)
    policies = singles(outcomes)
    assert [policy.name for policy in policies] == ["always m0", "always m1", "always m2"]
    assert [policy.quality for policy in policies] == pytest.approx(outcomes.quality.mean(axis=0))
    assert random_policy(outcomes).cost_usd == pytest.approx(outcomes.cost_usd.sum() / 3)
    rivals = compare(outcomes, 1.0)
    assert rivals.singles[0].quality == max(policy.quality for policy in policies)
    assert {policy.hindsight for policy in (rivals.mix, rivals.oracle_at_spend)} == {True}


PRICED = Candidate(name="a", input_usd_per_mtok=2.0, output_usd_per_mtok=10.0, usd_per_query=0.5)


def bill(**recorded: object) -> tuple[float, int, int]:
    outcome = RecordedOutcome.model_validate({"score": 1, **recorded})
    charged = charge(outcome, PRICED, "four words are here", lambda text: len(text.split()))
    return charged.cost_usd, charged.usage.input_tokens, charged.usage.output_tokens


def test_recorded_costs_are_charged() -> None:
    """What was recorded counts, whatever the list prices say."""
    assert bill(cost_usd=0.25, input_tokens=7, output_tokens=9) == (0.25, 7, 9)


def test_missing_costs_follow_from_tokens() -> None:
    """Without a cost, list prices times recorded tokens are charged."""
    assert bill(input_tokens=1_000_000, output_tokens=100_000) == (pytest.approx(3.5), 10**6, 10**5)


def test_scores_alone_are_charged_for_a_stated_answer_length() -> None:
    """With scores only, the query is counted and the answer has the stated length."""
    expected = 0.5 + 4 * 2e-6 + ASSUMED_OUTPUT_TOKENS * 1e-5
    assert bill() == (pytest.approx(expected), 4, ASSUMED_OUTPUT_TOKENS)


def test_missing_tokens_follow_from_the_cost() -> None:
    """Where the cost is known, the output is what it pays for; a recorded answer is counted."""
    assert bill(cost_usd=8e-6 + 3e-4)[1:] == (4, 30)
    assert bill(cost_usd=1.0, response="two words")[1:] == (4, 2)


def test_neither_cost_nor_price_is_an_error() -> None:
    """A call that nobody can price is refused by name."""
    with pytest.raises(PriceUnknownError, match="'free'"):
        charge(RecordedOutcome(score=1), Candidate(name="free"), "x", len)


def test_the_table_is_billed_like_a_replay() -> None:
    """Quality and cost of every row and candidate stand in their places."""
    outcomes = {
        "a": RecordedOutcome(score=0.5, cost_usd=3),
        "b": RecordedOutcome(score=1, cost_usd=4),
    }
    row = RoutingRow(query_id="1", prompt="x", outcomes=outcomes)
    table = table_of([row], [Candidate(name="b"), Candidate(name="a")], len)
    assert table.names == ("b", "a")
    assert table.quality.tolist() == [[1.0, 0.5]]
    assert table.cost_usd.tolist() == [[4.0, 3.0]]


def test_the_interval_covers_the_mean() -> None:
    """Simulated means fall into 95 % intervals about 95 times in a hundred."""
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(400):
        interval = mean_interval(rng.random(60))
        assert interval.low is not None
        assert interval.high is not None
        inside += interval.low <= 0.5 <= interval.high
    assert 0.92 <= inside / 400 <= 0.98
    assert mean_interval([0.25]).low is None


def test_calibration_error_sees_a_shift() -> None:
    """True probabilities are calibrated; the same ones moved by 0.2 are off by 0.2."""
    rng = np.random.default_rng(6)
    chances = rng.uniform(0.2, 0.8, 20_000)
    came = (rng.random(20_000) < chances).astype(float)
    good = calibration_error(chances.tolist(), came.tolist())
    shifted = calibration_error((chances + 0.2).tolist(), came.tolist())
    assert good == pytest.approx(0, abs=0.02)
    assert shifted == pytest.approx(0.2, abs=0.02)
    assert calibration_error([], []) is None


def test_log_r2_is_about_ratios() -> None:
    """1 for the truth, 0 for the geometric mean; costs of nothing are left out."""
    costs = [1e-4, 1e-3, 1e-2, 0.0]
    assert log_r2(costs, costs) == pytest.approx(1)
    assert log_r2([1e-3] * 4, costs) == pytest.approx(0)
    assert log_r2([1.0], [1.0]) is None
    assert log_r2([1.0, 2.0], [3.0, 3.0]) is None


def decided(number: int, **changes: object) -> Decided:
    row: dict[str, object] = {
        "query_id": str(number),
        "source": Source.MODEL,
        "candidate": "a",
        "cost_usd": 0.5,
        "quality": 1.0,
        "predicted_quality": 0.75,
        "predicted_cost_usd": 0.5,
    }
    return Decided(**{**row, **changes})  # type: ignore[arg-type]


def test_figures_count_hits_calls_and_what_nobody_answered() -> None:
    """Hits are free and right or wrong, unanswered queries count with quality 0."""
    hit = {"source": Source.CACHE, "cost_usd": 0.0}
    rows = [
        decided(1),
        decided(2, candidate="b", quality=0.0),
        decided(3, **hit),
        decided(4, **hit, quality=0.0),
        decided(5, candidate=None, quality=0.0, cost_usd=0.0),
    ]
    figures = figures_of(rows, ["a", "b", "c"])
    assert (figures.queries, figures.calls, figures.hits, figures.unanswered) == (5, 2, 2, 1)
    assert figures.quality.mean == pytest.approx(0.4)
    assert (figures.cost_usd, figures.usd_per_query) == pytest.approx((1.0, 0.2))
    assert (figures.hit_rate, figures.wrong_hits, figures.wrong_hit_rate) == (0.4, 1, 0.5)
    assert figures.shares == {"a": 0.2, "b": 0.2, "c": 0.0}
    assert figures.predicted_quality == pytest.approx(0.75)
    assert policy_of(figures).calls == 2
    assert not math.isnan(policy_of(figures).quality)


def test_figures_of_nothing_are_refused() -> None:
    """Without rows there is no mean to tell."""
    with pytest.raises(InputError, match="no row"):
        figures_of([])


def test_knn_learns_from_earlier_rows_only() -> None:
    """With two topics it finds out which model is good at which, and never looks ahead."""
    rng = np.random.default_rng(8)
    topics = rng.integers(2, size=200)
    vectors = np.eye(4, dtype=np.float32)[topics]
    quality = np.stack([topics == 0, topics == 1], axis=1).astype(float)
    outcomes = Outcomes(("a", "b"), quality, np.ones((200, 2)))
    policy = knn_policy(outcomes, vectors, 1.0, warm=50)
    assert (policy.quality, policy.calls) == (1.0, 150)
    turned = quality.copy()
    turned[150:] = 1 - turned[150:]
    late = knn_policy(Outcomes(("a", "b"), turned, np.ones((200, 2))), vectors, 1.0, warm=50)
    assert late.quality < 0.75


@pytest.mark.parametrize("spend", [0.2, 0.5, 5.0])
def test_knn_keeps_to_the_spend(spend: float) -> None:
    """The price of money is set so that what it chose really costs no more."""
    rng = np.random.default_rng(9)
    vectors = unit_rows(rng.normal(size=(300, 8)))
    outcomes = Outcomes(("a", "b"), rng.random((300, 2)), rng.random((300, 2)) * [0.2, 4.0])
    policy = knn_policy(outcomes, vectors, spend)
    assert policy.usd_per_query <= spend
    assert policy.hindsight


def test_a_rival_that_cannot_be_so_cheap_says_so() -> None:
    """Below the cheapest candidate's cost the rivals at the same spend own up."""
    rivals = compare(made_up(2), 1e-9)
    assert "no candidate is that cheap" in rivals.mix.note
    assert "no candidate is that cheap" in rivals.oracle_at_spend.note
    assert "that cheap" not in compare(made_up(2), 1e9).mix.note


def test_gains_are_paired() -> None:
    """A run that is better by 0.1 everywhere has just that gain, whatever the queries' spread."""
    outcomes = made_up(5, rows=50, models=2)
    best = outcomes.quality.mean(axis=0).argmax()
    rows = [decided(n, quality=float(q) + 0.1) for n, q in enumerate(outcomes.quality[:, best])]
    single, mix = gains_of(rows, outcomes, 1e9)
    assert single.over == f"always m{best}"
    assert (single.quality.mean, single.quality.low, single.quality.high) == pytest.approx(
        (0.1, 0.1, 0.1)
    )
    assert mix.quality.mean == pytest.approx(0.1)
    poor = gains_of(rows, outcomes, 0.0)[1]
    assert poor.quality.mean >= 0.1
