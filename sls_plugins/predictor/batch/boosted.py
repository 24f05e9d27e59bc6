"""Boosted trees in plain NumPy, on a text's form with the main directions of its embedding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.predictor.batch.rows import Rows
from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State

__all__ = ["Boosted"]

DIRECTIONS = 40

LOOKED_AT = 4000
"""Rows that one tree is grown on, at most."""

BINS = 24
"""Values that a number is told apart into, equally often each."""

ROUNDS, DEPTH, RATE = 250, 4, 0.03

EACH = 2
"""Rows for each tree at least, so that few rows grow few trees."""

CALM = 40.0
"""Rows of average quality that every leaf is imagined to hold besides its own."""

SHARE = 0.4
"""Share of the numbers that one tree may ask about."""

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """`numbers`, `cuts` (trees, DEPTH): go right above a cut; `values` (trees, leaves, m)."""

    numbers: Whole
    cuts: Whole
    values: Floats

    def expect(self, binned: Whole) -> Floats:
        """Sum over trees, shape (n, m)."""
        said = np.zeros((len(binned), self.values.shape[2]))
        for numbers, cuts, values in zip(self.numbers, self.cuts, self.values, strict=True):
            said += values[leaves(binned, numbers, cuts)]
        return said


class Boosted:
    """Each tree asks DEPTH questions, the same in all of its branches (as in CatBoost).

    What all candidates have in common is learnt by trees of its own, beside those for how they
    differ: difficulty is much the larger, and would take all the questions.
    """

    def __init__(self, seed: int = 0) -> None:
        """`seed` draws each tree's rows and numbers."""
        self.seed = seed
        self.centre: Floats = np.zeros(0)
        self.directions: Floats = np.zeros((0, 0))
        self.edges: Floats = np.zeros((0, 0))
        self.trees: tuple[Trees, ...] = ()

    def fit(self, rows: Rows, targets: Floats) -> None:
        """Targets (n, m) are centred, NaN where unknown."""
        wide = np.asarray(rows.vectors, dtype=np.float64)
        self.centre = wide.mean(axis=0)
        count = min(DIRECTIONS, len(rows) // 8, wide.shape[1])
        _, directions = np.linalg.eigh((wide - self.centre).T @ (wide - self.centre))
        self.directions = directions[:, ::-1][:, :count].T.copy()
        numbers = self._numbers(rows)
        steps = np.linspace(0.0, 1.0, BINS + 1)[1:-1]
        self.edges = np.quantile(numbers, steps, axis=0).T
        known = ~np.isnan(targets)
        seen = known.sum(axis=1, keepdims=True)
        common = np.nan_to_num(targets).sum(axis=1, keepdims=True) / np.maximum(seen, 1)
        apart = np.where(known & (seen > 1), targets - common, 0.0)
        binned = self._binned(numbers)
        self.trees = (
            grown(binned, common, seen > 0, np.random.default_rng(self.seed)),
            grown(binned, apart, known & (seen > 1), np.random.default_rng(self.seed)),
        )

    def _numbers(self, rows: Rows) -> Floats:
        """What questions are about: the text's form, then the embedding's main directions."""
        directed = (rows.vectors - self.centre) @ self.directions.T
        return np.hstack((np.log1p(rows.surface), rows.text[:, 1:], directed))

    def _binned(self, numbers: Floats) -> Whole:
        columns = zip(self.edges, numbers.T, strict=True)
        found = [np.searchsorted(edges, column, side="right") for edges, column in columns]
        return np.asarray(np.stack(found, axis=1), dtype=np.int64)

    def expect(self, rows: Rows) -> Floats:
        """Shape (n, m)."""
        binned = self._binned(self._numbers(rows))
        common, apart = (trees.expect(binned) for trees in self.trees)
        return common + apart

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        state: dict[str, Arrays] = {
            f"{name}.centre": self.centre.copy(),
            f"{name}.directions": self.directions.copy(),
            f"{name}.edges": self.edges.copy(),
            f"{name}.kinds": np.array([len(self.trees)]),
        }
        for place, trees in enumerate(self.trees):
            state[f"{name}.{place}.numbers"] = trees.numbers.copy()
            state[f"{name}.{place}.cuts"] = trees.cuts.copy()
            state[f"{name}.{place}.values"] = trees.values.copy()
        return state

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.centre = np.array(state[f"{name}.centre"], dtype=np.float64)
        self.directions = np.array(state[f"{name}.directions"], dtype=np.float64)
        self.edges = np.array(state[f"{name}.edges"], dtype=np.float64)
        self.trees = tuple(
            Trees(
                np.array(state[f"{name}.{place}.numbers"], dtype=np.int64),
                np.array(state[f"{name}.{place}.cuts"], dtype=np.int64),
                np.array(state[f"{name}.{place}.values"], dtype=np.float64),
            )
            for place in range(int(state[f"{name}.kinds"][0]))
        )


def leaves(binned: Whole, numbers: Whole, cuts: Whole) -> Whole:
    """The leaf of each row in one tree, shape (n,)."""
    found = np.zeros(len(binned), dtype=np.int64)
    for number, cut in zip(numbers, cuts, strict=True):
        found = 2 * found + (binned[:, number] > cut)
    return found


def grown(
    binned: Whole, targets: Floats, known: NDArray[np.bool_], rng: np.random.Generator
) -> Trees:
    """Boosting by squared error: each tree learns what those before it have left over."""
    rest = targets.copy()
    trees = []
    asked = max(int(SHARE * binned.shape[1]), 1)
    for _ in range(min(ROUNDS, -(-len(binned) // EACH))):
        columns = np.sort(rng.permutation(binned.shape[1])[:asked])
        some = rng.permutation(len(binned))[: min(LOOKED_AT, max(int(0.7 * len(binned)), 1))]
        numbers, cuts = questions(binned[some], rest[some], columns)
        leaf = leaves(binned, numbers, cuts)
        belongs = np.eye(2**DEPTH)[leaf[some]].T
        values = RATE * (belongs @ rest[some]) / (belongs @ known[some] + CALM)
        rest -= np.where(known, values[leaf], 0.0)
        trees.append((numbers, cuts, values))
    return Trees(*(np.array(part) for part in zip(*trees, strict=True)))


def questions(binned: Whole, rest: Floats, columns: Whole) -> tuple[Whole, Whole]:
    """The numbers to ask about with their cuts, found one after the other."""
    leaf = np.zeros(len(binned), dtype=np.int64)
    numbers, cuts = np.zeros(DEPTH, dtype=np.int64), np.zeros(DEPTH, dtype=np.int64)
    placed = binned[:, columns] + BINS * np.arange(len(columns))
    for step in range(DEPTH):
        found = gains(placed + (leaf * BINS * len(columns))[:, None], rest, 2**step)
        best, cut = np.unravel_index(int(found.argmax()), found.shape)
        numbers[step], cuts[step] = columns[best], cut
        leaf = 2 * leaf + (binned[:, numbers[step]] > cut)
    return numbers, cuts


def gains(cells: Whole, rest: Floats, parts: int) -> Floats:
    """How much each cut of each number would explain if made in all `parts` of the tree at once.

    `cells` (n, f) are bins counted on through all numbers of all parts. Shape (f, BINS-1).
    """
    count = cells.shape[1]
    flat = cells.ravel()

    def counted(weights: Floats | None) -> Floats:
        sums = np.bincount(flat, weights, parts * count * BINS)
        return np.asarray(sums.reshape(parts, count, BINS).cumsum(axis=2), dtype=np.float64)

    seen = counted(None)
    left, right = seen[:, :, :-1] + CALM, seen[:, :, -1:] - seen[:, :, :-1] + CALM
    total = np.zeros((count, BINS - 1))
    for column in rest.T:
        sums = counted(np.repeat(column, count))
        below = sums[:, :, :-1]
        total += (below**2 / left + (sums[:, :, -1:] - below) ** 2 / right).sum(axis=0)
    return total
