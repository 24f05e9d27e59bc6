"""How alike queries are, in twelve ways; how much each way counts is learnt from labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sls_plugins.predictor.batch.rows import Rows
from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State

__all__ = ["Kinship", "Problem", "left_out", "surprise", "tuned"]

WAYS = 12

LEVELS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
"""What a way may count."""

NOISES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""What the variance of a label may be, in the same units."""

ROUNDS = 2

Loss: TypeAlias = Callable[["Problem", Floats], float]


@dataclass(frozen=True, slots=True, eq=False)
class Kinship:
    """Weights of the ways, the noise of one label, and the scale of the surface's numbers."""

    weights: Floats
    noise: float
    centre: Floats
    scale: Floats

    @classmethod
    def unlearnt(cls, rows: Rows) -> Kinship:
        """Every way counts alike; the scale is that of these rows."""
        logs = np.log1p(rows.surface)
        scale = logs.std(axis=0)
        return cls(np.full(WAYS, 0.1), 0.3, logs.mean(axis=0), np.where(scale > 1e-9, scale, 1.0))

    def ways(self, one: Rows, other: Rows) -> list[Floats]:
        """Similarity of each pair in each way, shape (n, k) each; 1 for the same query.

        The same for all, task, pattern, text; embedding: linear, near, wide, near in one task;
        surface, surface in one task; words, words nearly the same.
        """
        cosine = np.asarray(one.vectors @ other.vectors.T, dtype=np.float64)
        task = _same(one.task, other.task)
        near, wide = np.exp((cosine - 1.0) / 0.1), np.exp((cosine - 1.0) / 0.4)
        form = np.exp(-_apart(self._scaled(one), self._scaled(other)))
        words = np.asarray(one.words @ other.words.T, dtype=np.float64)
        same = (task, _same(one.pattern, other.pattern), _same(one.exact, other.exact))
        embedding = (cosine, near, wide, task * near)
        return [np.ones_like(task), *same, *embedding, form, form * task, words, words**4]

    def between(self, one: Rows, other: Rows) -> Floats:
        """Covariance of each pair, shape (n, k)."""
        return mixed(self.weights, self.ways(one, other))

    def _scaled(self, rows: Rows) -> Floats:
        return np.asarray((np.log1p(rows.surface) - self.centre) / self.scale)

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return {
            f"{name}.weights": self.weights.copy(),
            f"{name}.noise": np.array([self.noise]),
            f"{name}.centre": self.centre.copy(),
            f"{name}.scale": self.scale.copy(),
        }

    @classmethod
    def load(cls, name: str, state: State) -> Kinship:
        """What `save` gave."""
        weights, noise, centre, scale = (
            np.array(state[f"{name}.{key}"], dtype=np.float64)
            for key in ("weights", "noise", "centre", "scale")
        )
        return cls(weights, float(noise[0]), centre, scale)


def _same(one: NDArray[np.int64], other: NDArray[np.int64]) -> Floats:
    return np.asarray(one[:, None] == other[None, :], dtype=np.float64)


def _apart(one: Floats, other: Floats) -> Floats:
    """Mean squared difference of the numbers of each pair."""
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None, :] - 2 * one @ other.T
    return np.asarray(np.maximum(squares, 0.0) / one.shape[1])


def mixed(weights: Floats, ways: Sequence[Floats]) -> Floats:
    """The ways added up by their weights."""
    total = np.zeros_like(ways[0])
    for weight, way in zip(weights, ways, strict=True):
        if weight > 0.0:
            total += weight * way
    return total


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What the weights are tuned on: similarities of n queries, and their centred labels.

    `targets` has shape (n, m), `counts` (n,) says how many labels each row stands for, `groups`
    are the rows of each task.
    """

    ways: list[Floats]
    targets: Floats
    counts: Floats
    groups: tuple[NDArray[np.intp], ...]

    def covariance(self, setting: Floats) -> Floats:
        """Of the labels, at weights and noise (the last number)."""
        covariance = mixed(setting[:-1], self.ways)
        covariance.flat[:: len(covariance) + 1] += setting[-1] / self.counts
        return covariance

    def moved(self, covariance: Floats, place: int, step: float) -> Floats:
        """The covariance after one number of the setting has changed by `step`."""
        if place < WAYS:
            return np.asarray(covariance + step * self.ways[place])
        changed = covariance.copy()
        changed.flat[:: len(changed) + 1] += step / self.counts
        return changed


def surprise(problem: Problem, covariance: Floats) -> float:
    """Negative log likelihood of a label, up to its scale (which is left to the labels)."""
    factor = np.linalg.cholesky(covariance)
    whitened = np.linalg.solve(factor, problem.targets)
    scale = float((whitened**2).mean())
    return 0.5 * math.log(max(scale, 1e-12)) + float(np.log(np.diag(factor)).mean())


def left_out(problem: Problem, covariance: Floats) -> float:
    """Mean squared error on each task's labels when that whole task is left out."""
    inverse = np.linalg.inv(covariance)
    spread = inverse @ problem.targets
    losses = [
        (np.linalg.solve(inverse[np.ix_(group, group)], spread[group]) ** 2).mean()
        for group in problem.groups
    ]
    return float(np.mean(losses))


def tuned(start: Kinship, problem: Problem, loss: Loss) -> Kinship:
    """The weights of least loss, found one at a time."""
    best = np.append(start.weights, start.noise)
    here = problem.covariance(best)
    least = loss(problem, here)
    for _ in range(ROUNDS):
        before = least
        for place in range(best.size):
            for level in NOISES if place == WAYS else LEVELS:
                if level == best[place]:
                    continue
                moved = problem.moved(here, place, level - best[place])
                lost = loss(problem, moved)
                if lost < least - 1e-6:
                    best[place], here, least = level, moved, lost
        if least == before:
            break
    return Kinship(best[:-1], float(best[-1]), start.centre, start.scale)
