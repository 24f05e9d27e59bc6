"""OptLLM's predictor: bootstraps of one random forest per candidate (ICWS 2024, arXiv 2405.15130).

The published code compares its validation predictions with something else than the validation
labels, so that its weights are noise; here they are what the paper means: the share of labels that
a resample's forests get right. A grade between 0 and 1 is fitted as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from sklearn.ensemble import RandomForestRegressor

from sls_plugins.predictor.batch.rows import Expected, Labels, Rows
from sls_plugins.predictor.batch.serving import FittedPredictor
from sls_plugins.predictor.batch.trees import Grove, grove_of
from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.protocols import Context
from sls_plugins.types import State

__all__ = ["Forest", "ForestOptions", "make"]


class ForestOptions(BaseModel):
    """Sizes; the paper's are 100 resamples of 100 trees, which take 80,000 trees for 8 candidates.

    `validation` is the share of the labelled queries that only weigh the resamples (the paper: half
    of them), `alpha` how many deviations are added to the mean (the paper: 1).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    resamples: Annotated[int, Field(ge=1)] = 10
    trees: Annotated[int, Field(ge=1)] = 20
    depth: Annotated[int, Field(ge=1)] = 10
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.5
    alpha: Annotated[float, Field(ge=-5, le=5)] = 0.0


class Forest:
    """Weighted mean over resamples; their standard deviation is the doubt."""

    def __init__(self, options: ForestOptions | None = None, seed: int = 0) -> None:
        """`seed` draws the split, the resamples and the trees."""
        self.options = options if options is not None else ForestOptions()
        self.seed = seed
        self._grove: Grove | None = None
        self._weights: Floats = np.zeros(0)
        self._columns = np.zeros(0, dtype=np.int64)
        self._width = 0

    def fit(self, labels: Labels) -> None:
        """Learn from labels; a candidate without any stays unknown."""
        rng = np.random.default_rng(self.seed)
        order = rng.permutation(len(labels.rows))
        held = int(self.options.validation * len(order))
        train, validation = labels.take(order[held:]), labels.take(order[:held])
        self._columns = np.flatnonzero(train.known.any(axis=0))
        self._width = len(labels.candidates)
        trees = []
        for _ in range(self.options.resamples):
            drawn = train.take(rng.integers(0, len(train.rows), len(train.rows)))
            for column in self._columns:
                source = drawn if drawn.known[:, column].any() else train
                trees.extend(self._trees(source, int(column), int(rng.integers(2**31))))
        self._grove = grove_of(trees)
        self._weights = np.ones(self.options.resamples)
        if len(validation.rows):
            self._weights = self._shares_right(validation)

    def _trees(self, labels: Labels, column: int, seed: int) -> list[object]:
        known = labels.known[:, column]
        forest = RandomForestRegressor(
            n_estimators=self.options.trees,
            max_depth=self.options.depth,
            max_features="sqrt",
            random_state=seed,
        )
        forest.fit(labels.rows.vectors[known], labels.quality[known, column])
        return [one.tree_ for one in forest.estimators_]

    def _shares_right(self, labels: Labels) -> Floats:
        """For each resample the share of validation labels that its rounded predictions meet."""
        said = np.round(self._resampled(labels.rows))
        real = labels.quality[:, self._columns]
        known = ~np.isnan(real)
        if not known.any():
            return np.ones(self.options.resamples)
        apart = np.abs(said - np.where(known, real, 0.0)[:, None, :])
        wrong = (apart * known[:, None, :]).sum(axis=(0, 2)) / known.sum()
        return np.asarray(np.maximum(1.0 - wrong, 1e-3), dtype=np.float64)

    def _resampled(self, rows: Rows) -> Floats:
        """Mean of each resample's trees, shape (n, resamples, known candidates)."""
        assert self._grove is not None
        shape = (len(rows), self.options.resamples, len(self._columns), self.options.trees)
        return np.asarray(self._grove.values(rows.vectors).reshape(shape).mean(axis=3))

    def expect(self, rows: Rows, cards: Floats | None = None) -> Expected:  # noqa: ARG002
        """Quality as `mean + alpha·sd` with the deviation over resamples, shape (n, m) each."""
        blank = np.full((len(rows), self._width), np.nan)
        expected = Expected(blank, blank.copy())
        if self._grove is None or not len(rows):
            return expected
        single, places = rows.distinct()
        said = self._resampled(single)
        mean = np.einsum("u,nuk->nk", self._weights / self._weights.sum(), said)
        sd = said.std(axis=1)
        robust = np.clip(mean + self.options.alpha * sd, 0.0, 1.0)
        expected.mean[:, self._columns] = robust[places]
        expected.sd[:, self._columns] = sd[places]
        return expected

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        state: dict[str, Arrays] = {
            f"{name}.weights": self._weights.copy(),
            f"{name}.columns": self._columns.copy(),
            f"{name}.width": np.array([self._width]),
        }
        return state | (self._grove.save(f"{name}.grove") if self._grove is not None else {})

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self._weights = np.array(state[f"{name}.weights"], dtype=np.float64)
        self._columns = np.array(state[f"{name}.columns"], dtype=np.int64)
        self._width = int(state[f"{name}.width"][0])
        there = f"{name}.grove.roots" in state
        self._grove = Grove.load(f"{name}.grove", state) if there else None


def make(context: Context, options: Mapping[str, object]) -> FittedPredictor:
    """The factory; options are those of `ForestOptions`."""
    checked = ForestOptions.model_validate(options)
    return FittedPredictor(
        lambda: Forest(checked, context.seed), context.dimension, context.candidates
    )
