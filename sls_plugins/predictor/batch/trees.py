"""Regression trees as flat arrays: quick for one query, saved without pickle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State

__all__ = ["Grove", "grove_of"]

Numbers: TypeAlias = NDArray[np.int32]

CELLS = 4_000_000
"""Pairs of query and tree that are looked at together."""


@dataclass(frozen=True, slots=True, eq=False)
class Grove:
    """T trees whose nodes stand one after another.

    A node sends a query left if its number `feature` is at most `threshold`; a leaf sends it to
    itself. `depth` steps bring every query to a leaf.
    """

    feature: Numbers
    threshold: Floats
    left: Numbers
    right: Numbers
    value: Floats
    roots: Numbers
    depth: int

    def values(self, numbers: NDArray[np.floating]) -> Floats:
        """What each tree says of each query: numbers (n, f) → shape (n, T)."""
        single = np.asarray(numbers, dtype=np.float32)
        said = np.empty((len(single), len(self.roots)))
        step = max(CELLS // max(len(self.roots), 1), 1)
        for first in range(0, len(single), step):
            said[first : first + step] = self._walk(single[first : first + step])
        return said

    def _walk(self, single: NDArray[np.float32]) -> Floats:
        nodes = np.broadcast_to(self.roots, (len(single), len(self.roots)))
        places = np.arange(len(single))[:, None]
        for _ in range(self.depth):
            left = single[places, self.feature[nodes]] <= self.threshold[nodes]
            nodes = np.where(left, self.left[nodes], self.right[nodes])
        return self.value[nodes]

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return {
            f"{name}.feature": self.feature.copy(),
            f"{name}.threshold": self.threshold.copy(),
            f"{name}.left": self.left.copy(),
            f"{name}.right": self.right.copy(),
            f"{name}.value": self.value.copy(),
            f"{name}.roots": self.roots.copy(),
            f"{name}.depth": np.array([self.depth]),
        }

    @classmethod
    def load(cls, name: str, state: State) -> Grove:
        """What `save` gave."""
        return cls(
            feature=np.array(state[f"{name}.feature"], dtype=np.int32),
            threshold=np.array(state[f"{name}.threshold"], dtype=np.float64),
            left=np.array(state[f"{name}.left"], dtype=np.int32),
            right=np.array(state[f"{name}.right"], dtype=np.int32),
            value=np.array(state[f"{name}.value"], dtype=np.float64),
            roots=np.array(state[f"{name}.roots"], dtype=np.int32),
            depth=int(state[f"{name}.depth"][0]),
        )


def grove_of(trees: Iterable[Any]) -> Grove:
    """From scikit-learn's fitted trees (`estimator.tree_`), one output each."""
    parts: list[tuple[NDArray[Any], ...]] = []
    roots, size, depth = [], 0, 0
    for tree in trees:
        here = np.arange(tree.node_count)
        leaf = tree.children_left < 0
        parts.append(
            (
                np.where(leaf, 0, tree.feature),
                np.where(leaf, 0.0, tree.threshold),
                np.where(leaf, here, tree.children_left) + size,
                np.where(leaf, here, tree.children_right) + size,
                tree.value[:, 0, 0],
            )
        )
        roots.append(size)
        size += tree.node_count
        depth = max(depth, tree.max_depth)
    feature, threshold, left, right, value = (
        np.concatenate(each) for each in zip(*parts, strict=True)
    )
    return Grove(
        feature=feature.astype(np.int32),
        threshold=threshold.astype(np.float64),
        left=left.astype(np.int32),
        right=right.astype(np.int32),
        value=value.astype(np.float64),
        roots=np.array(roots, dtype=np.int32),
        depth=depth,
    )
