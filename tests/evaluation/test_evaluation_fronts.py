"""Indicators against values worked out by hand, and methods beside each other."""

from __future__ import annotations

import numpy as np
import pytest

from sls_plugins.evaluation.fronts import box_of, compare
from sls_plugins.evaluation.indicators import (
    Box,
    hypervolume,
    inverted_distance,
    paper_reference,
    paper_spread,
    spread,
)
from sls_plugins.scheduler.batch import Effort, batch_of, front_of


@pytest.mark.parametrize(
    ("points", "area"),
    [
        ([], 0.0),
        ([(0.0, 1.0)], 1.0),
        ([(0.0, 0.5), (0.5, 1.0)], 0.75),
        ([(0.5, 1.0), (0.0, 0.5)], 0.75),
        ([(0.0, 0.5), (0.25, 0.25), (0.5, 1.0), (0.5, 0.75)], 0.75),
        ([(0.0, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 3.0), (0.1, 0.0)], 0.75),
    ],
)
def test_hypervolume_is_the_area_that_is_beaten(points: list, area: float) -> None:
    """Order, beaten points and points outside the reference make no difference."""
    assert hypervolume(points, (1.0, 0.0)) == pytest.approx(area)


def test_the_default_reference_lies_outside_the_box() -> None:
    """The ideal point alone beats 1.1 × 1.1."""
    assert hypervolume([(0.0, 1.0)]) == pytest.approx(1.21)


def test_inverted_distance_is_a_mean_over_the_reference() -> None:
    """Two reference points at distances 0 and 5 from the only one found."""
    assert inverted_distance([(0, 0)], [(0, 0), (3, 4)]) == pytest.approx(2.5)
    assert inverted_distance([(0, 0), (3, 4)], [(0, 0)]) == 0.0


def test_spread_of_even_points_is_nothing() -> None:
    """Even points that reach both ends have Δ = 0; uneven ones by hand 0.5; one point 1."""
    line = [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (3.0, 0.0), (4.0, 0.0)]
    assert spread(line, line) == 0.0
    assert spread([(0, 0), (1, 0), (4, 0)], line) == pytest.approx(2 / 4)
    assert spread([(1, 0), (3, 0)], line) == pytest.approx(2 / 4)
    assert spread([(0, 0)], line) == 1.0


def test_the_papers_spread_depends_on_the_order() -> None:
    """Nearest-neighbour distances against the mean step as stored: 0 in order, else not."""
    line = [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (3.0, 0.0)]
    assert paper_spread(line, line) == 0.0
    mixed = [line[0], line[2], line[1], line[3]]
    assert paper_spread(mixed, line) == pytest.approx(4 * (5 / 3 - 1) / 5)
    assert paper_spread(line[:1], line) == 1.0


def test_the_papers_reference_goes_by_whole_cost() -> None:
    """Wrong queries go to their cheapest right candidate, the least dear of these first."""
    correct = [[0, 1, 1], [0, 0, 1], [1, 1, 1], [0, 0, 0]]
    cost = [[1, 2, 9], [1, 2, 4], [1, 2, 3], [1, 2, 3]]
    expected = [(4, 0.25), (5, 0.5), (8, 0.75)]
    assert paper_reference(correct, cost).tolist() == [list(point) for point in expected]


def test_normalised_axes_run_from_the_cheapest_to_the_best() -> None:
    """The ends of the exact front become (0, 0) and (1, 1); an axis without extent does no harm."""
    box = box_of(front_of(batch_of([[0.1, 0.5, 0.9]], [[1.0, 2.0, 3.0]])))
    np.testing.assert_allclose(box.normalised([(1, 0.1), (3, 0.9)]), [(0, 0), (1, 1)])
    flat = Box(cost_low=1, cost_high=1, quality_low=0, quality_high=1)
    assert flat.normalised([(1, 0.5)]).tolist() == [[0, 0.5]]


def test_the_exact_front_stands_first() -> None:
    """No method has more hypervolume, or comes nearer; OptLLM and CPLS lie on the front."""
    rng = np.random.default_rng(0)
    batch = batch_of(rng.random((60, 4)), rng.random((60, 4)))
    told: list[str] = []
    standings = compare(
        batch,
        ("exact", "optllm", "cpls", "nsga2"),
        effort=Effort(population=10, generations=3),
        watch=told.append,
    )
    exact, optllm, cpls, nsga2 = standings
    assert told == [one.method for one in standings]
    assert exact.distance == pytest.approx(0.0, abs=1e-12)
    assert exact.shortfall == pytest.approx(0.0, abs=1e-12)
    assert optllm.shortfall == pytest.approx(0.0, abs=1e-9)
    assert cpls.shortfall < 0.01
    assert exact.hypervolume > optllm.hypervolume > nsga2.hypervolume
    assert nsga2.distance > optllm.distance > 0
    assert nsga2.shortfall > 0.05
    assert exact.best_quality == pytest.approx(batch.quality.max(axis=1).mean())
    assert set(exact.facts()) >= {"method", "seconds", "points", "hypervolume", "distance"}
