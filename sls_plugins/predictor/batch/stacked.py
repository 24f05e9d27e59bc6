"""Our stack for full labels: pooled process, boosted trees, ridge, nearest queries, clusters.

What each counts is learnt on labels that it had not seen. What matters for a choice are differences
between candidates, so those are what the weights are fitted to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sls_plugins.predictor.batch.boosted import Boosted
from sls_plugins.predictor.batch.nearby import Clusters, Nearest, Ridge, Singles, turned
from sls_plugins.predictor.batch.pooled import Pooled
from sls_plugins.predictor.batch.rows import Expected, Labels, Rows
from sls_plugins.predictor.batch.store import filled, opened
from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State

__all__ = ["Stacked"]

FOLDS = 5

MANY = 1000
"""Labelled queries from which on one fold is enough to weigh the experts."""

APART = 0.15
"""Deviation from equal weights that is believed at first: the experts say much the same."""

PLAIN = ("ridge", "nearest", "clusters")


class Expert(Protocol):
    """Learns centred labels from vectors."""

    def fit(self, vectors: Singles, targets: Floats) -> None:
        """Targets (n, m) are centred, NaN where unknown."""

    def expect(self, vectors: Singles) -> Floats:
        """Shape (n, m)."""

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""


class Stacked:
    """Mean of experts by learnt weights; the doubt is the pooled process's."""

    def __init__(self, seed: int = 0) -> None:
        """`seed` draws the folds and all that the experts draw."""
        self.seed = seed
        self.pooled = Pooled(seed=seed)
        self.boosted = Boosted(seed=seed)
        self.plain: dict[str, Expert] = {
            "ridge": Ridge(),
            "nearest": Nearest(),
            "clusters": Clusters(),
        }
        self.weights: Floats = np.full(len(PLAIN) + 2, 1.0 / (len(PLAIN) + 2))
        self.average: Floats = np.zeros(0)
        self.centre: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    def fit(self, labels: Labels) -> None:
        """Learn from labels; a candidate without any stays unknown."""
        if len(labels.rows) >= 2 * FOLDS:
            self.weights = self._weighed(labels)
        self._fit_experts(labels)

    def _weighed(self, labels: Labels) -> Floats:
        said: list[Floats] = []
        real: list[Floats] = []
        for train, test in self._folds(len(labels.rows)):
            part = Stacked(self.seed)
            part._fit_experts(labels.take(train))
            held = labels.take(test)
            experts = part._experts(held.rows)
            known = held.known & ~np.isnan(experts).any(axis=0)
            target = held.quality - part.average
            for values, store in ((experts, said), (target[None], real)):
                store.append(_differences(values, known)[:, known])
        return _mixture(np.concatenate(said, axis=1), np.concatenate(real, axis=1)[0])

    def _folds(self, rows: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        parts = np.array_split(np.random.default_rng(self.seed).permutation(rows), FOLDS)
        for number in range(1 if rows >= MANY else FOLDS):
            rest = [part for place, part in enumerate(parts) if place != number]
            yield np.concatenate(rest), parts[number]

    def _fit_experts(self, labels: Labels) -> None:
        self.pooled.fit(labels)
        order = np.random.default_rng(self.seed).permutation(len(labels.rows))
        seen = labels.known.sum(axis=0)
        sums = np.nan_to_num(labels.quality).sum(axis=0)
        self.average = np.where(seen > 0, sums / np.maximum(seen, 1), np.nan)
        self.centre = labels.rows.vectors.mean(axis=0)
        vectors = turned(labels.rows.vectors[order], self.centre)
        targets = (labels.quality - self.average)[order]
        self.boosted.fit(labels.rows.take(order), targets)
        for expert in self.plain.values():
            expert.fit(vectors, targets)

    def _experts(self, rows: Rows) -> Floats:
        """What each expert says beyond the candidate's average, shape (experts, n, m)."""
        vectors = turned(rows.vectors, self.centre)
        plain = [self.plain[name].expect(vectors) for name in PLAIN]
        pooled = self.pooled.expect(rows).mean - self.average
        return np.stack((pooled, self.boosted.expect(rows), *plain))

    def expect(self, rows: Rows, cards: Floats | None = None) -> Expected:  # noqa: ARG002
        """Mean and deviation of the expected quality, shape (n, m) each."""
        pooled = self.pooled.expect(rows)
        if not self.average.size:
            return pooled
        mean = self.average + np.einsum("e,enm->nm", self.weights, self._experts(rows))
        return Expected(np.clip(mean, 0.0, 1.0), pooled.sd)

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        state: dict[str, Arrays] = {
            f"{name}.weights": self.weights.copy(),
            f"{name}.average": filled(self.average),
            f"{name}.centre": self.centre.copy(),
        }
        state |= self.pooled.save(f"{name}.pooled") | self.boosted.save(f"{name}.boosted")
        for expert_name, expert in self.plain.items():
            state |= expert.save(f"{name}.{expert_name}")
        return state

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.weights = np.array(state[f"{name}.weights"], dtype=np.float64)
        self.average = opened(state[f"{name}.average"])
        self.centre = np.array(state[f"{name}.centre"], dtype=np.float32)
        self.pooled.load(f"{name}.pooled", state)
        self.boosted.load(f"{name}.boosted", state)
        for expert_name, expert in self.plain.items():
            expert.load(f"{name}.{expert_name}", state)


def _differences(values: Floats, known: NDArray[np.bool_]) -> Floats:
    """Values (e, n, m) less each query's mean over its labelled candidates, if there are two."""
    count = known.sum(axis=1)
    means = np.where(known, values, 0.0).sum(axis=2) / np.maximum(count, 1)
    return np.asarray(values - np.where(count > 1, means, 0.0)[:, :, None])


def _mixture(said: Floats, real: Floats) -> Floats:
    """Weights, none negative, that fit `real` (n,) by `said` (e, n); few labels keep them equal."""
    experts = len(said)
    start = np.full(experts, 1.0 / experts)
    trust = max(float((real - start @ said).var()), 1e-9) / APART**2
    gram = said @ said.T + trust * np.eye(experts)
    moments = said @ real + trust * start
    weights = start.copy()
    for _ in range(200):
        for place in range(experts):
            rest = moments[place] - gram[place] @ weights + gram[place, place] * weights[place]
            weights[place] = max(rest / gram[place, place], 0.0)
    return weights
