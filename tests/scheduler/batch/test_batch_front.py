"""The exact front against every assignment there is, and against itself in large."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from sls_plugins.errors import InputError
from sls_plugins.scheduler.batch import Front, batch_of, front_of
from sls_plugins.scheduler.batch.arrays import BLOCK, worth
from sls_plugins.scheduler.batch.order import falling

INSTANCES = 2000


def instance(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A small batch: with ties, zero costs and ineligible pairs more often than life has them."""
    shape = (rng.integers(1, 7), rng.integers(1, 6))
    quality = rng.choice([rng.random(shape), rng.integers(0, 2, shape), rng.integers(0, 5, shape)])
    cost = rng.choice([rng.random(shape), rng.integers(0, 4, shape) / 4, rng.integers(1, 3, shape)])
    quality, cost = quality.astype(float), cost.astype(float)
    shut = rng.random(shape) < rng.choice([0, 0.3])
    shut[np.arange(shape[0]), rng.integers(0, shape[1], shape[0])] = False
    hidden = rng.choice([True, False], shape)
    quality[shut & hidden], cost[shut & ~hidden] = np.nan, np.nan
    return quality, cost


def all_sums(quality: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """(cost, quality) of every assignment to eligible candidates, shape (k, 2)."""
    sums = np.zeros((1, 2))
    for values in np.stack((cost, quality), axis=2):
        open_ones = values[~np.isnan(values).any(axis=1)]
        sums = (sums[:, None] + open_ones[None]).reshape(-1, 2)
    return sums


def corners_by_force(quality: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Corners of the upper left hull of all assignments, from the cheapest to the best."""
    sums = all_sums(quality, cost)
    sums = sums[np.lexsort((-sums[:, 1], sums[:, 0]))]
    corners: list[np.ndarray] = []
    for point in sums:
        if corners and point[1] <= corners[-1][1] + 1e-12:
            continue
        while len(corners) > 1:
            (x0, y0), (x1, y1) = corners[-2:]
            if (point[1] - y0) * (x1 - x0) < (y1 - y0) * (point[0] - x0) - 1e-13:
                break
            corners.pop()
        corners.append(point)
    return np.array(corners)


def points(front: Front) -> np.ndarray:
    corners = front.corners()
    return np.column_stack((front.sums_usd[corners], front.sums[corners]))


@pytest.mark.parametrize("part", range(4))
def test_the_front_is_that_of_all_assignments(part: int) -> None:
    """2,000 small batches: the same corners as by enumeration, none more, none less."""
    rng = np.random.default_rng(part)
    for _ in range(INSTANCES // 4):
        quality, cost = instance(rng)
        found = points(front_of(batch_of(quality, cost)))
        expected = corners_by_force(quality, cost)
        assert found.shape == expected.shape, (quality, cost)
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_every_step_has_its_assignment() -> None:
    """After any number of steps the assignment has the sums that are promised, and is eligible."""
    rng = np.random.default_rng(5)
    for _ in range(100):
        batch = batch_of(*instance(rng))
        front = front_of(batch)
        for steps in range(len(front) + 1):
            reached = worth(batch, front.columns(steps))
            assert reached == pytest.approx((front.sums[steps], front.sums_usd[steps]), abs=1e-9)


def test_the_price_of_a_point_makes_it_the_best() -> None:
    """At a point's price no assignment has more quality - λ·cost, nor at the one before."""
    rng = np.random.default_rng(6)
    batch = batch_of(rng.random((300, 12)), rng.lognormal(size=(300, 12)))
    front = front_of(batch)
    prices = [front.price(steps) for steps in range(len(front) + 1)]
    assert prices == sorted(prices, reverse=True)
    assert prices[-1] == 0.0
    for steps in range(0, len(front) + 1, 25):
        for price in {prices[steps], prices[max(steps - 1, 0)]}:
            most = (batch.quality - price * batch.cost_usd).max(axis=1).sum()
            assert front.sums[steps] - price * front.sums_usd[steps] == pytest.approx(most)


def test_blocks_do_not_show() -> None:
    """A batch of several blocks has the points of its rows in one list, whatever the layout."""
    rng = np.random.default_rng(7)
    rows = 2 * BLOCK + 77
    quality, cost = rng.random((rows, 4)), rng.random((rows, 4))
    quality[rng.random((rows, 4)) < 0.1] = np.nan
    quality[:, 0] = 0.5
    whole = front_of(batch_of(quality, cost))
    turned = front_of(batch_of(np.asfortranarray(quality), np.asfortranarray(cost)))
    np.testing.assert_array_equal(points(whole), points(turned))
    parts = [front_of(batch_of(quality[k::3], cost[k::3])) for k in range(3)]
    rates = np.sort(np.concatenate([part.rate for part in parts]))[::-1]
    np.testing.assert_array_equal(whole.rate, rates)
    assert whole.sums[-1] == pytest.approx(sum(part.sums[-1] for part in parts))
    for steps in (0, len(whole) // 2, len(whole)):
        reached = worth(whole.batch, whole.columns(steps))
        assert reached == pytest.approx((whole.sums[steps], whole.sums_usd[steps]))


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.bool_])
def test_other_numbers_are_taken(dtype: type) -> None:
    """Small floats stay what they are, integers and truth values count as numbers."""
    rng = np.random.default_rng(8)
    quality, cost = rng.integers(0, 2, (50, 3)), rng.integers(1, 9, (50, 3))
    front = front_of(batch_of(quality.astype(dtype), cost))
    np.testing.assert_allclose(points(front), points(front_of(batch_of(quality, cost))))


def test_one_candidate_has_one_point() -> None:
    """Where there is nothing to choose, the front is a point."""
    front = front_of(batch_of([[0.5], [0.25]], [[1.0], [2.0]]))
    assert points(front).tolist() == [[3.0, 0.75]]
    assert front.columns(0).tolist() == [0, 0]
    assert front.price(0) == 0.0


def test_bounds_lie_on_the_lines_between_points() -> None:
    """Bounds of what a budget buys, of what a quality costs: exact at points, linear between."""
    front = front_of(batch_of([[0.0, 0.6, 1.0]], [[0.0, 1.0, 3.0]]))
    assert front.most_quality(1.0) == pytest.approx(0.6)
    assert front.most_quality(2.0) == pytest.approx(0.8)
    assert front.most_quality(99.0) == pytest.approx(1.0)
    assert front.most_quality(math.inf) == pytest.approx(1.0)
    assert front.least_usd(0.3) == pytest.approx(0.5)
    assert front.least_usd(-1.0) == 0.0
    assert front.least_usd(1.1) == math.inf


def test_nearly_straight_hulls_keep_their_order() -> None:
    """Steps of one row stay in order where rounding makes their rates equal."""
    for scale in (0.1, 1 / 3, 1e-9, 1e9):
        steps = np.arange(8) * scale
        front = front_of(batch_of([steps + 0.7], [steps * 0.3 + 0.1]))
        assert (np.diff(front.rate) < 0).all() or len(front) == 1
        reached = [int(front.columns(k)[0]) for k in range(len(front) + 1)]
        assert reached == sorted(reached)
        assert reached[-1] == 7
        assert len(front.corners()) == 2 or scale < 1e-3


@pytest.mark.parametrize("count", [0, 1, 2, 3, 1000, 70_000])
@pytest.mark.parametrize("kind", ["uniform", "tied", "crowded", "wide"])
def test_falling_order_is_exact_and_stable(count: int, kind: str) -> None:
    """The packed sort gives what NumPy's stable sort gives, however close the values are."""
    rng = np.random.default_rng(9)
    values = {
        "uniform": rng.random(count) + 1e-9,
        "tied": rng.integers(1, 9, count) / 8,
        "crowded": 1.0 + rng.integers(0, 1 << 12, count) * 2.0**-52,
        "wide": np.exp(rng.normal(0, 100, count)),
    }[kind]
    values[: count // 3] = np.roll(values, 1)[: count // 3]
    expected = np.argsort(-values, kind="stable")
    np.testing.assert_array_equal(falling(values), expected)


def test_memory_stays_near_the_inputs() -> None:
    """At its height the work takes no more than two more arrays of the inputs' size each."""
    rng = np.random.default_rng(10)
    cost = rng.random((100_000, 12))
    for quality in (rng.random((100_000, 12)), np.sqrt(cost)):
        tracemalloc.start()
        front_of(batch_of(quality, cost))
        height = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert height <= 2 * (quality.nbytes + cost.nbytes)


@pytest.mark.parametrize(
    ("quality", "cost", "told"),
    [
        ([[1.0, 0.5]], [[1.0, -2.0]], r"cost\[0, 1\] is negative"),
        ([[1.0], [0.5]], [[1.0], [np.inf]], r"cost\[1, 0\] is infinite"),
        ([[1.0], [-np.inf]], [[1.0], [1.0]], r"quality\[1, 0\] is infinite"),
        ([[1.0, 0.5]], [[1.0]], r"quality has the shape \(1, 2\), cost \(1, 1\)"),
        ([1.0, 0.5], [[1.0]], "quality needs two dimensions"),
        ([[1.0]], [["dear"]], "cost must hold numbers"),
        (np.zeros((0, 3)), np.zeros((0, 3)), "nothing to assign"),
        ([[1.0, 1.0], [np.nan, 1.0]], [[1.0, 1.0], [1.0, np.nan]], "row 1 has no eligible"),
    ],
)
def test_wrong_arrays_are_told(quality: object, cost: object, told: str) -> None:
    """The error names the first place that is wrong."""
    with pytest.raises(InputError, match=told):
        batch_of(quality, cost)


def test_a_wrong_place_is_found_in_any_block() -> None:
    """Rows are counted from the beginning of the batch."""
    cost = np.ones((3 * BLOCK, 2))
    cost[2 * BLOCK + 5, 1] = -1
    with pytest.raises(InputError, match=rf"cost\[{2 * BLOCK + 5}, 1\] is negative"):
        batch_of(np.ones_like(cost), cost)


def test_a_gain_too_small_for_a_rate_is_no_step() -> None:
    """A rate that rounds to 0 moves nobody, and no row for ever; an endless one counts as huge."""
    front = front_of(
        batch_of([[0.0, 1e-300, 0.0], [0.0, 1.0, 0.5]], [[0, 1e30, 2], [0, 1e-320, 1]])
    )
    assert points(front).tolist() == [[0.0, 0.0], [1e-320, 1.0]]
    assert front.columns(1).tolist() == [0, 1]
    assert np.isfinite(front.rate).all()
