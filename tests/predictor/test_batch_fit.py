"""Batch predictors: fitted to labels all at once, asked for many queries."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from sls_plugins.errors import InputError, InvalidFeedbackError, InvalidQueryError, SettingsError
from sls_plugins.plugins import Plugins
from sls_plugins.predictor.batch import FittedPredictor, Pooled, labels_of, rows_of, serving
from sls_plugins.predictor.batch.boosted import Boosted
from sls_plugins.predictor.batch.cpls import CPLS, CPLSOptions, aligned
from sls_plugins.predictor.batch.forest import Forest, ForestOptions
from sls_plugins.predictor.batch.lending import lent
from sls_plugins.predictor.batch.probes import well_chosen
from sls_plugins.predictor.batch.surface import surface
from sls_plugins.protocols import Context
from sls_plugins.testing.contracts.predictor import (
    CANDIDATES,
    DIMENSION,
    outcome,
    same_state,
    vector_of,
)
from sls_plugins.types import Candidate, Query, unit_rows

NAMES = ("stacked", "transfer", "forest", "joint")
ROWS = 120


def make(name: str, **options: object) -> FittedPredictor:
    context = Context(candidates=CANDIDATES, dimension=DIMENSION, clock=time.time)
    return Plugins.load(names=()).make("predictor", name, context, options)


def world(rows: int = ROWS, task: str = "", seed: int = 0):
    """Half of the queries point one way, where `small` is right; else only `large` is."""
    rng = np.random.default_rng(seed)
    easy = np.arange(rows) % 2 == 0
    vectors = 0.4 * rng.standard_normal((rows, DIMENSION))
    vectors[:, 0] += np.where(easy, 2.0, -2.0)
    queries = [
        Query(text=f"{'Say' if one else 'Prove'} {rng.integers(1e6)}", task=task) for one in easy
    ]
    quality = np.column_stack((easy, rng.random(rows) < 0.5, ~easy)).astype(float)
    return queries, unit_rows(vectors), quality


@pytest.mark.parametrize("name", NAMES)
def test_what_was_fitted_is_predicted(name) -> None:
    """After a fit to full labels, unseen queries of each kind are given to who is right there."""
    predictor = make(name)
    queries, vectors, quality = world()
    predictor.fit(queries, vectors, quality, CANDIDATES)
    queries, vectors, quality = world(seed=1)
    said = predictor.predict(queries, vectors, CANDIDATES)
    assert said.mean.shape == said.sd.shape == (ROWS, 3)
    assert np.isfinite(said.sd).all()
    best = said.mean.argmax(axis=1)
    assert quality[np.arange(ROWS), best].mean() > 0.9
    assert predictor.predict_one(queries[0], vectors[0], CANDIDATES)[0].quality > 0.6


@pytest.mark.parametrize("name", NAMES)
def test_a_fitted_predictor_comes_back_bit_for_bit(name) -> None:
    """What was fitted is saved as arrays and predicts the same afterwards."""
    predictor, other = make(name), make(name)
    predictor.fit(*world(), CANDIDATES)
    other.load(predictor.save())
    queries, vectors, _ = world(seed=1)
    one, two = (each.predict(queries, vectors, CANDIDATES) for each in (predictor, other))
    assert np.array_equal(one.mean, two.mean)
    assert np.array_equal(one.sd, two.sd)
    assert same_state(predictor.save(), other.save())


def with_nan(quality):
    quality[3, 1] = math.nan
    return quality


BAD = {
    "nan": (lambda q, v, y: (q, v, with_nan(y)), InvalidFeedbackError, "'middle'.*number 3.*nan"),
    "range": (lambda q, v, y: (q, v, y * 2), InvalidFeedbackError, r"within 0…1, not 2"),
    "shape": (lambda q, v, y: (q, v, y[:, :2]), InputError, r"\(120, 2\).*3 candidates"),
    "rows": (lambda q, v, y: (q[:5], v, y), InvalidQueryError, "5 queries"),
    "length": (lambda q, v, y: (q, v[:, :7], y), InvalidQueryError, r"\(120, 7\).*\(120, 24\)"),
    "vector": (lambda q, v, y: (q, v * np.nan, y), InvalidQueryError, "number 0.*NaN"),
    "empty": (lambda q, v, y: ([], v[:0], y[:0]), InputError, "nothing to fit"),
}


@pytest.mark.parametrize("case", BAD)
def test_labels_that_cannot_be_learnt_are_named(case) -> None:
    """NaN, out of range, other shapes, nothing: an error that names it; nothing is learnt."""
    change, error, message = BAD[case]
    predictor = make("transfer")
    predictor.fit(*world(), CANDIDATES)
    before = predictor.save()
    with pytest.raises(error, match=message):
        predictor.fit(*change(*world()), CANDIDATES)
    assert same_state(before, predictor.save())


def test_a_candidate_twice_or_unknown_is_named() -> None:
    """Two columns of one candidate are refused, and predicting for one that was never fitted."""
    predictor = make("transfer")
    with pytest.raises(InputError, match="'small' has two columns"):
        predictor.fit(*world(), (CANDIDATES[0], CANDIDATES[0], CANDIDATES[1]))
    predictor.fit(*world(), CANDIDATES)
    with pytest.raises(InputError, match="nobody"):
        predictor.predict(*world()[:2], (Candidate(name="nobody"),))


def test_no_label_at_all_is_nothing_to_fit() -> None:
    """A mask without a single label is refused."""
    with pytest.raises(InputError, match="no query has a label"):
        make("forest").fit(*world(), CANDIDATES, known=np.zeros((ROWS, 3), bool))


@pytest.mark.parametrize("name", NAMES)
def test_options_that_do_not_exist_are_named(name) -> None:
    """An unknown option is a settings error."""
    with pytest.raises(SettingsError, match=r"predictor\.options\.nonsense"):
        make(name, nonsense=1)


def test_memory_is_bounded(monkeypatch) -> None:
    """The state of a long stream is no larger than that of one which just filled the window."""
    monkeypatch.setattr(serving, "WINDOW", 60)

    def size(outcomes: int) -> int:
        predictor = make("joint", trees=3)
        for number in range(outcomes):
            predictor.learn_one(outcome(number, CANDIDATES[number % 3].name))
        return sum(
            np.asarray(array).nbytes
            for key, array in predictor.save().items()
            if not key.startswith("online.")
        )

    assert size(800) < 1.2 * size(300)


def test_a_new_candidate_is_predicted_before_its_first_call_by_its_card() -> None:
    """The joint model has learnt that the dearer is the better, and believes it of a newcomer."""
    predictor = make("joint")
    queries, vectors, _ = world()
    draws = np.random.default_rng(0).random((ROWS, 3))
    predictor.fit(queries, vectors, (draws < [0.2, 0.5, 0.9]).astype(float), CANDIDATES)
    dear = Candidate(name="dear", input_usd_per_mtok=10.0, output_usd_per_mtok=30.0)
    cheap = Candidate(name="cheap", input_usd_per_mtok=0.1, output_usd_per_mtok=0.2)
    one, other = predictor.predict_one(Query(text="Say 1"), vector_of(3), (dear, cheap))
    assert one.quality > other.quality + 0.2


def test_forests_of_single_answers_are_weighed_by_validation() -> None:
    """A resample that gets more validation labels right weighs more; one class is no error."""
    queries, vectors, quality = world()
    quality[:, 1] = 1.0
    labels = labels_of(rows_of(queries, vectors, DIMENSION), ("a", "b", "c"), quality)
    forest = Forest(ForestOptions(resamples=4, trees=3), seed=1)
    forest.fit(labels)
    assert forest._weights.min() > 0.6
    optimist = Forest(ForestOptions(resamples=4, trees=3, alpha=1.0), seed=1)
    optimist.fit(labels)
    said, more = forest.expect(labels.rows), optimist.expect(labels.rows)
    assert np.allclose(more.mean, np.clip(said.mean + said.sd, 0, 1))


def test_a_task_without_labels_is_predicted_from_the_others() -> None:
    """What holds in three tasks is expected of a fourth, by ours and by CPLS."""
    parts = [world(60, task, seed) for seed, task in enumerate(("a", "b", "c"))]
    queries = [query for part in parts for query in part[0]]
    vectors = np.concatenate([part[1] for part in parts])
    quality = np.concatenate([part[2] for part in parts])
    labels = labels_of(rows_of(queries, vectors, DIMENSION), ("a", "b", "c"), quality)
    queries, vectors, quality = world(60, "d", seed=9)
    rows = rows_of(queries, vectors, DIMENSION)
    for learner in (Pooled(), CPLS(), CPLS(CPLSOptions(scaling="row"))):
        learner.fit(labels)
        best = learner.expect(rows).mean.argmax(axis=1)
        assert quality[np.arange(60), best].mean() > 0.75


def test_alignment_gives_the_source_the_targets_spread() -> None:
    """After CORAL the covariances agree but for the unit that is added to both."""
    rng = np.random.default_rng(0)
    source = rng.standard_normal((4000, 3)) @ np.diag([20.0, 30.0, 40.0])
    target = rng.standard_normal((4000, 3)) @ rng.standard_normal((3, 3)) * 50
    moved = aligned(source, target)
    assert np.allclose(np.cov(moved.T), np.cov(target.T), rtol=0.02, atol=5.0)


def test_surface_numbers_are_those_of_the_text() -> None:
    """Words, distinct words, characters, … of a small text, counted by hand."""
    found = surface("ab ab c1, 22")
    assert found[:7].tolist() == [4, 3, 12, 7, 3, 5, 1]
    assert found[11:].tolist() == [3, 2, 1, 0, 2, 0]


def test_well_chosen_queries_stand_for_all_patterns() -> None:
    """As many probes as there are patterns go to one each, before any has a second."""
    queries = [Query(text=f"{word} {i}") for word in ("open", "close", "read") for i in range(9)]
    vectors = unit_rows(np.random.default_rng(0).standard_normal((27, DIMENSION)))
    rows = rows_of(queries, vectors, DIMENSION)
    chosen = well_chosen(rows, 5)
    assert len(np.unique(chosen)) == 5
    assert len(np.unique(rows.pattern[chosen[:3]])) == 3


def test_a_frequent_pattern_is_worth_a_second_probe() -> None:
    """What comes two hundred times is labelled more than once before what comes once is at all."""
    texts = [f"open file {i}" for i in range(200)] + ["quite another thing"]
    vectors = unit_rows(np.random.default_rng(0).standard_normal((201, DIMENSION)))
    rows = rows_of([Query(text=text) for text in texts], vectors, DIMENSION)
    assert (well_chosen(rows, 3) < 200).all()


def test_boosted_trees_find_what_depends_on_two_numbers_at_once() -> None:
    """Where a candidate is good only at long texts with digits, trees see it, and come back."""
    rng = np.random.default_rng(1)
    long, digits = rng.random(600) < 0.5, rng.random(600) < 0.5
    texts = [
        f"{'many words indeed ' * (9 if one else 1)}{'1234' if two else 'none'}"
        for one, two in zip(long, digits, strict=True)
    ]
    vectors = unit_rows(rng.standard_normal((600, DIMENSION)))
    rows = rows_of([Query(text=text) for text in texts], vectors, DIMENSION)
    quality = np.column_stack((long == digits, np.full(600, 0.5))).astype(float)
    trees = Boosted()
    trees.fit(rows, quality - quality.mean(axis=0))
    said = trees.expect(rows)
    assert (said[long == digits, 0] > 0.2).all()
    assert (said[long != digits, 0] < -0.2).all()
    other = Boosted()
    other.load("trees", trees.save("trees"))
    assert np.array_equal(other.expect(rows), said)


def test_a_newcomer_borrows_from_those_it_agrees_with() -> None:
    """With thirty labels that follow one of two candidates, the newcomer is read as that one."""
    queries, vectors, quality = world(400)
    rows = rows_of(queries, vectors, DIMENSION)
    labels = np.column_stack((quality[:, 0], quality[:, 2], quality[:, 0]))
    known = np.ones((400, 3), bool)
    known[30:, 2] = False
    given = labels_of(rows, ("one", "two", "new"), labels, known)
    lending = lent(given, quality[:, [0, 2, 0]] * 0.8 + 0.1, 2, np.array([0, 1]))
    assert lending.weights[0] > lending.weights[1] + 0.3
    pooled = Pooled()
    pooled.fit(given)
    said = pooled.expect(rows)
    assert abs(said.mean[:, 2] - quality[:, 0]).mean() < 0.3
    assert said.sd[:, 2].mean() > said.sd[:, 0].mean()
