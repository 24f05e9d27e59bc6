"""What every predictor must do: inherit the suite and say in a fixture how yours is made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sls_plugins.errors import InputError, UnknownCandidateError
from sls_plugins.protocols import Predictor
from sls_plugins.types import (
    Candidate,
    Matrix,
    Outcome,
    OutcomeKind,
    Query,
    Source,
    State,
    Usage,
    Vector,
    unit_rows,
)

__all__ = ["CANDIDATES", "DIMENSION", "PredictorContract", "outcome", "same_state"]

DIMENSION = 24

CANDIDATES = (
    Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.2),
    Candidate(name="middle", input_usd_per_mtok=1.0, output_usd_per_mtok=2.0),
    Candidate(name="large", input_usd_per_mtok=10.0, output_usd_per_mtok=30.0),
)

STRANGER = Candidate(name="stranger", input_usd_per_mtok=0.5, output_usd_per_mtok=0.5)


def vector_of(number: int) -> Vector:
    """A unit vector that is different for each number, shape (DIMENSION,)."""
    rows: Matrix = unit_rows(np.random.default_rng(number).standard_normal((1, DIMENSION)))
    return np.asarray(rows[0], dtype=np.float32)


def outcome(number: int, candidate: str = "small") -> Outcome:
    """An answer to query `number` which is graded 1."""
    text = f"Question {'word ' * (number % 7)}number {number}"
    return Outcome(
        decision_id=f"d{number}",
        query=Query(text=text, id=f"q{number}"),
        vector=vector_of(number),
        candidate=candidate,
        kind=OutcomeKind.ANSWERED,
        quality=1.0,
        usage=Usage(input_tokens=20, output_tokens=50 + number % 11),
        cost_usd=0.0001,
        latency_s=0.5,
    )


def same_state(one: State, other: State) -> bool:
    """Whether two states are equal bit for bit."""
    return one.keys() == other.keys() and all(
        np.asarray(one[key]).dtype == np.asarray(other[key]).dtype
        and np.array_equal(one[key], other[key])
        for key in one
    )


class PredictorRefusals:
    """What a predictor must not learn from; part of `PredictorContract`."""

    @pytest.fixture
    def make_predictor(self) -> Callable[[], Predictor]:
        """Makes an empty predictor for CANDIDATES and vectors of length DIMENSION."""
        raise NotImplementedError

    @pytest.fixture
    def predictor(self, make_predictor: Callable[[], Predictor]) -> Predictor:
        """An empty predictor."""
        return make_predictor()

    @pytest.fixture
    def taught(self, make_predictor: Callable[[], Predictor]) -> Predictor:
        """A predictor that has learnt sixty outcomes."""
        predictor = make_predictor()
        for number in range(60):
            name = CANDIDATES[number % 3].name
            predictor.learn_one(replace(outcome(number, name), quality=float(number % 3 != 0)))
        return predictor

    def test_cached_answers_teach_nothing(self, taught: Predictor) -> None:
        """An outcome of the cache says nothing of a candidate."""
        before = taught.save()
        taught.learn_one(
            replace(outcome(7), quality=0.0, source=Source.CACHE, kind=OutcomeKind.GRADED)
        )
        assert same_state(before, taught.save())

    def test_a_vector_with_nan_is_refused(self, taught: Predictor) -> None:
        """A vector that is not all numbers is an error of the caller; nothing is learnt."""
        before = taught.save()
        broken = vector_of(7).copy()
        broken[3] = math.nan
        with pytest.raises(InputError, match="NaN"):
            taught.learn_one(replace(outcome(7), vector=broken))
        with pytest.raises(InputError, match="NaN"):
            taught.predict_one(Query(text="Hello"), broken, CANDIDATES)
        assert same_state(before, taught.save())

    @pytest.mark.parametrize("weight", [math.nan, -1.0, 0.0, math.inf])
    def test_bad_weight_is_refused(self, taught: Predictor, weight: float) -> None:
        """A weight that is not a positive number is named; nothing is learnt."""
        before = taught.save()
        with pytest.raises(InputError, match=str(weight)):
            taught.learn_one(replace(outcome(7), weight=weight))
        assert same_state(before, taught.save())

    @pytest.mark.parametrize("quality", [math.nan, -0.1, 1.1, math.inf])
    def test_bad_quality_is_refused(self, taught: Predictor, quality: float) -> None:
        """A quality outside 0…1 is an error of the caller that names it; nothing is learnt."""
        before = taught.save()
        with pytest.raises(InputError, match=str(quality)):
            taught.learn_one(replace(outcome(7), quality=quality))
        assert same_state(before, taught.save())

    def test_unknown_candidate_is_refused(self, taught: Predictor) -> None:
        """A name that was never declared is named; nothing is learnt."""
        before = taught.save()
        with pytest.raises(UnknownCandidateError, match="nobody"):
            taught.learn_one(outcome(7, "nobody"))
        assert same_state(before, taught.save())

    def test_wrong_length_is_refused(self, taught: Predictor) -> None:
        """A vector of another length is an error that tells both lengths; nothing is learnt."""
        before = taught.save()
        short = vector_of(0)[:-1]
        with pytest.raises(InputError, match=rf"{DIMENSION - 1}.*{DIMENSION}"):
            taught.learn_one(replace(outcome(7), vector=short))
        with pytest.raises(InputError, match=rf"{DIMENSION - 1}.*{DIMENSION}"):
            taught.predict_one(Query(text="Hello"), short, CANDIDATES)
        assert same_state(before, taught.save())


class PredictorMemory(PredictorRefusals):
    """What a predictor keeps, and what it does not; part of `PredictorContract`."""

    def test_state_comes_back_bit_for_bit(
        self, taught: Predictor, make_predictor: Callable[[], Predictor]
    ) -> None:
        """A restored predictor expects the same, and goes on learning the same."""
        other = make_predictor()
        other.load(taught.save())
        assert same_state(other.save(), taught.save())
        for one in (taught, other):
            one.learn_one(replace(outcome(70, "large"), quality=0.5))
        query = Query(text="Hello")
        assert other.predict_one(query, vector_of(5), CANDIDATES) == taught.predict_one(
            query, vector_of(5), CANDIDATES
        )
        assert same_state(other.save(), taught.save())

    def test_state_has_no_objects(self, taught: Predictor) -> None:
        """State is arrays that can be saved without pickle."""
        assert all(not np.asarray(array).dtype.hasobject for array in taught.save().values())

    def test_same_outcomes_same_estimates(self, make_predictor: Callable[[], Predictor]) -> None:
        """Two predictors that were told the same expect the same, to the last bit."""
        found = []
        for predictor in (make_predictor(), make_predictor()):
            for number in range(40):
                predictor.learn_one(outcome(number, CANDIDATES[number % 3].name))
            found.append(predictor.predict_one(Query(text="Hi"), vector_of(3), CANDIDATES))
        assert found[0] == found[1]

    def test_the_callers_vector_stays_the_callers(self, taught: Predictor) -> None:
        """A vector is neither changed nor kept: it may be used again for something else."""
        vector = vector_of(50).copy()
        taught.learn_one(replace(outcome(50), vector=vector))
        taught.predict_one(Query(text="Hello"), vector, CANDIDATES)
        assert np.array_equal(vector, vector_of(50))
        before = taught.save()
        vector[:] = vector_of(51)
        assert same_state(before, taught.save())


class PredictorContract(PredictorMemory):
    """For a `Predictor`: override `make_predictor`, which returns a new one for CANDIDATES."""

    def test_estimates_are_sane_before_any_outcome(self, predictor: Predictor) -> None:
        """One estimate per candidate, in order, with numbers that mean something."""
        estimates = predictor.predict_one(Query(text="Hello"), vector_of(0), CANDIDATES)
        assert [one.candidate for one in estimates] == [one.name for one in CANDIDATES]
        for one in estimates:
            assert 0.0 <= one.quality <= 1.0
            assert one.quality_sd > 0.0
            assert 0.0 < one.cost_usd <= one.cost_high_usd
            assert math.isfinite(one.cost_high_usd)
            assert one.latency_s is None

    def test_list_prices_order_costs_before_any_outcome(self, predictor: Predictor) -> None:
        """A dearer candidate is expected to cost more."""
        estimates = predictor.predict_one(Query(text="Hello"), vector_of(0), CANDIDATES)
        costs = [one.cost_usd for one in estimates]
        assert costs == sorted(costs)

    def test_grades_move_the_expectation(self, taught: Predictor) -> None:
        """Who was always wrong is expected to be worse than who was always right."""
        small, middle, _ = taught.predict_one(Query(text="Hello"), vector_of(99), CANDIDATES)
        assert small.quality < middle.quality

    def test_doubt_shrinks(self, predictor: Predictor, taught: Predictor) -> None:
        """The deviation of the expected quality is smaller after outcomes than before."""
        query = Query(text="Hello")
        before = predictor.predict_one(query, vector_of(99), CANDIDATES)
        after = taught.predict_one(query, vector_of(99), CANDIDATES)
        assert all(b.quality_sd < a.quality_sd for a, b in zip(before, after, strict=True))

    def test_predicting_teaches_nothing(self, taught: Predictor) -> None:
        """The state is the same after any number of predictions."""
        before = taught.save()
        for number in range(5):
            taught.predict_one(Query(text=f"Q{number}"), vector_of(number), CANDIDATES)
        assert same_state(before, taught.save())

    def test_a_candidate_that_was_left_out_is_remembered(self, taught: Predictor) -> None:
        """Who is not asked about for a while is expected as before when it is back."""
        query, vector = Query(text="Hello"), vector_of(99)
        before = taught.predict_one(query, vector, CANDIDATES)
        taught.predict_one(query, vector, CANDIDATES[1:])
        assert taught.predict_one(query, vector, CANDIDATES) == before

    def test_candidates_come_and_go(self, taught: Predictor) -> None:
        """A new candidate is estimated and learnt; the others are untouched by its presence."""
        query, vector = Query(text="Hello"), vector_of(99)
        before = taught.predict_one(query, vector, CANDIDATES)
        longer = taught.predict_one(query, vector, (STRANGER, *CANDIDATES))
        assert longer[0].candidate == "stranger"
        for one, other in zip(longer[1:], before, strict=True):
            assert one.quality == pytest.approx(other.quality, abs=1e-9)
            assert one.cost_usd == pytest.approx(other.cost_usd)
        taught.learn_one(replace(outcome(61, "stranger"), quality=0.0))
        assert taught.predict_one(query, vector, (STRANGER,))[0].quality < longer[0].quality

    def test_lines_without_vector_or_quality_are_learnt_from(self, taught: Predictor) -> None:
        """A line may lack its vector, its quality, its cost, its usage; that is no error."""
        whole = outcome(80)
        for part in (
            replace(whole, vector=None),
            replace(whole, quality=None),
            replace(whole, usage=None),
            replace(whole, cost_usd=None),
            replace(whole, usage=None, cost_usd=None, latency_s=None),
        ):
            taught.learn_one(part)
        taught.learn_one(
            replace(outcome(90), kind=OutcomeKind.FAILED, quality=None, error="timeout")
        )
