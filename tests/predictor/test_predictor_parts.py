"""The predictor's small parts: regression, shrinkage, tables."""

from __future__ import annotations

import numpy as np

from sls_plugins.predictor.blend import Belief, Calibration, Evidence, Shrinkage, Stack
from sls_plugins.predictor.counts import Counts
from sls_plugins.predictor.features import pattern_of
from sls_plugins.predictor.linear import LinearBank, WideLinear
from sls_plugins.predictor.neighbours import Neighbours


def ridge(rows: np.ndarray, targets: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """The answer by the book."""
    return np.linalg.solve(rows.T @ rows + np.diag(1.0 / prior), rows.T @ targets)


def test_one_by_one_equals_the_closed_form() -> None:
    """Both regressions give exactly the ridge solution when nothing is forgotten."""
    rng = np.random.default_rng(1)
    rows, targets, prior = rng.standard_normal((70, 6)), rng.standard_normal(70), np.full(6, 0.3)
    bank, wide = LinearBank(prior, drift=0.0), WideLinear(prior, drift=0.0)
    bank.grow(2)
    for row, target in zip(rows, targets, strict=True):
        bank.learn(1, row, float(target))
        wide.learn(row, np.array([target]))
    assert np.allclose(bank.weights[1], ridge(rows, targets, prior))
    assert np.allclose(wide.weights[0], ridge(rows, targets, prior), atol=1e-5)
    assert np.allclose(bank.weights[0], 0.0)
    covariance = np.linalg.inv(rows.T @ rows + np.diag(1.0 / prior))
    assert np.allclose(bank.variance(rows[0])[1], rows[0] @ covariance @ rows[0])


def test_a_weight_counts_like_repetition() -> None:
    """One observation of weight 3 is three observations."""
    prior, z = np.full(3, 0.5), np.array([1.0, -2.0, 0.5])
    once, thrice = LinearBank(prior, drift=0.0), LinearBank(prior, drift=0.0)
    for bank, times, weight in ((once, 1, 3.0), (thrice, 3, 1.0)):
        bank.grow(1)
        for _ in range(times):
            bank.learn(0, z, 0.8, weight)
    assert np.allclose(once.weights, thrice.weights)
    assert np.allclose(once.covariance, thrice.covariance)


def test_short_memory_relearns() -> None:
    """After a change the model of short memory is right long before the one of long memory."""
    rng = np.random.default_rng(2)
    fast, slow = LinearBank(np.full(2, 0.5), drift=1e-2), LinearBank(np.full(2, 0.5), drift=0.0)
    for bank in (fast, slow):
        bank.grow(1)
    for number in range(1200):
        z = np.array([1.0, rng.standard_normal()])
        for bank in (fast, slow):
            bank.learn(0, z, 1.0 if number < 1000 else 0.0)
    probe = np.array([1.0, 0.0])
    assert fast.mean(probe)[0] < 0.1
    assert slow.mean(probe)[0] > 0.7


def test_shrinkage_learns_to_trust_places_that_repeat_themselves() -> None:
    """Where every place is always right or always wrong, one look is soon enough."""
    trust, rng = Shrinkage(fade=0.0, local=True), np.random.default_rng(3)
    before = Belief(np.array([0.5]), np.array([0.01]))
    once = Evidence(np.array([1.0]), np.array([1.0]), np.array([0.5, 1.0]))
    cautious = trust.apply(before, once, 0.2).mean[0]
    for _ in range(200):
        good = float(rng.random() < 0.5)
        seen = Evidence(np.array([good]), np.array([1.0]), np.array([good - 0.5, 1.0]))
        trust.learn(0.5, seen, good, 0.2)
    assert cautious < 0.8
    assert trust.apply(before, once, 0.2).mean[0] > 0.9


def test_shrinkage_learns_to_ignore_places_without_meaning() -> None:
    """Where places tell nothing, their evidence is left out."""
    trust, rng = Shrinkage(fade=0.0), np.random.default_rng(4)
    before = Belief(np.array([0.5]), np.array([0.01]))
    for _ in range(1500):
        said, good = float(rng.random() < 0.5), float(rng.random() < 0.5)
        seen = Evidence(np.array([said]), np.array([1.0]), np.array([said - 0.5, 1.0]))
        trust.learn(0.5, seen, good, 0.2)
    once = Evidence(np.array([1.0]), np.array([1.0]), np.array([0.5, 1.0]))
    assert abs(trust.apply(before, once, 0.2).mean[0] - 0.5) < 0.06


def test_stack_finds_the_better_expert() -> None:
    """Weight goes to the expert whose predictions come true; weights always sum to 1."""
    stack, rng = Stack((0.5, 0.5), trust=0.2, drift=0.0), np.random.default_rng(5)
    for _ in range(500):
        truth = rng.random()
        quality = float(rng.random() < truth)
        stack.learn(np.array([truth, rng.random()]), quality, 1.0)
    assert stack.weights[0] > 0.85
    assert abs(stack.weights.sum() - 1.0) < 1e-9


def test_calibration_takes_out_the_optimism_of_all_and_of_one() -> None:
    """All are a little worse than expected, one much worse: each is corrected by what it is off."""
    calibration, rng = Calibration(), np.random.default_rng(6)
    calibration.grow(3)
    for number in range(9000):
        row = number % 3
        calibration.learn(row, 0.8, float(rng.random() < (0.75, 0.75, 0.6)[row]), 1.0)
    found = calibration.apply(np.full(3, 0.8), [0, 1, 2])
    assert np.allclose(found, (0.75, 0.75, 0.6), atol=0.03)
    untouched = calibration.apply(np.array([0.2]), [0])
    assert abs(untouched[0] - 0.2) < 0.02


def test_full_table_forgets_the_oldest_key() -> None:
    """The table is bounded; what came first makes room."""
    table = Counts(4, fade=0.0)
    table.grow(2)
    for key in range(6):
        table.learn(key, 1, 1.0, 0.0, 1.0)
    assert table.find(0) is None
    assert table.find(1) is None
    place = table.find(2)
    assert place is not None
    assert table.weights[place].tolist() == [0.0, 1.0]


def test_near_outcomes_are_summed_by_candidate() -> None:
    """Only similar queries count, each for its own candidate."""
    ring = Neighbours(8, 2, sharpness=25.0, floor=0.7)
    ring.add(np.array([1.0, 0.0], dtype=np.float32), 0, (1.0, 0.5, 1.0))
    ring.add(np.array([0.0, 1.0], dtype=np.float32), 1, (1.0, 0.5, 1.0))
    sums, weights, common = ring.near(np.array([1.0, 0.0], dtype=np.float32), 2)
    assert sums.tolist() == [1.0, 0.0]
    assert weights.tolist() == [1.0, 0.0]
    assert common.tolist() == [0.5, 1.0]


def test_pattern_masks_what_varies() -> None:
    """Words with digits vary; the rest is the pattern."""
    assert pattern_of("node-17 at 10.0.0.1:80 is up") == pattern_of("node-3 at 10.9.9.9:81 is up")
    assert pattern_of("node-17 is up") != pattern_of("node-17 is down")
