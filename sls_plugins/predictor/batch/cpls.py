"""CPLS's transfer: labels of one task carried to another by surface features (ICSME 2024).

Seventeen numbers describe a text. The published code scales each text by its own numbers, which
throws their size away; mended, each number is scaled over the texts. The source whose numbers are
spread most like the target's is chosen, its covariance is turned into the target's (CORAL), and
boosted trees are fitted for each candidate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from sklearn.ensemble import GradientBoostingRegressor

from sls_plugins.predictor.batch.rows import Expected, Labels, Rows
from sls_plugins.predictor.batch.store import filled, load_rows, opened, save_rows
from sls_plugins.predictor.batch.trees import Grove, grove_of
from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State

__all__ = ["CPLS", "CPLSOptions", "aligned", "scaled"]

ENOUGH = 20
"""Texts of a target from which on its spread is known."""

MOST = 2000
"""Labelled texts from which a query that comes alone is predicted."""

SAMPLE = 300
"""Texts of a task that are compared to choose a source."""


class CPLSOptions(BaseModel):
    """`scaling`: "feature" (mended) or "row" (as published). Trees are boosted on squared error.

    The paper boosts 1,000 trees of depth 10 with XGBoost; at its rate of 0.3 trees after the first
    hundred hardly change anything.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scaling: Literal["feature", "row"] = "feature"
    trees: Annotated[int, Field(ge=1)] = 100
    depth: Annotated[int, Field(ge=1)] = 10
    rate: Annotated[float, Field(gt=0, le=1)] = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Boosted:
    """The trees of every candidate that had labels: start and the sum of small steps."""

    grove: Grove
    starts: Floats
    columns: Floats

    def expect(self, numbers: Floats, width: int, rate: float) -> Floats:
        """Quality 0…1, shape (n, width); NaN for candidates without labels."""
        said = np.full((len(numbers), width), np.nan)
        steps = self.grove.values(numbers).reshape(len(numbers), len(self.starts), -1).sum(axis=2)
        columns = self.columns.astype(np.intp)
        said[:, columns] = np.clip(self.starts + rate * steps, 0.0, 1.0)
        return said


class CPLS:
    """For a batch of a task without labels; a task with labels of its own needs no transfer.

    Single queries of a new task are predicted from all sources, unaligned.
    """

    def __init__(self, options: CPLSOptions | None = None, seed: int = 0) -> None:
        """`seed` draws what the trees draw."""
        self.options = options if options is not None else CPLSOptions()
        self.seed = seed
        self._labels: Labels | None = None
        self._base: Boosted | None = None
        self._spread: Floats = np.zeros((2, 0))

    def fit(self, labels: Labels) -> None:
        """Keep the sources; trees are grown when it is known for whom."""
        self._labels, self._base = labels, None
        self._spread = np.stack((labels.rows.surface.mean(axis=0), labels.rows.surface.std(axis=0)))

    def _numbers(self, rows: Rows) -> Floats:
        return scaled(rows.surface, self.options.scaling, self._spread)

    def _boosted(self, numbers: Floats, quality: Floats) -> Boosted:
        columns = np.flatnonzero((~np.isnan(quality)).any(axis=0))
        trees: list[object] = []
        starts: list[float] = []
        for column in columns:
            known = ~np.isnan(quality[:, column])
            target = quality[known, column]
            boosting = GradientBoostingRegressor(
                n_estimators=self.options.trees,
                max_depth=self.options.depth,
                learning_rate=self.options.rate,
                random_state=self.seed,
                init="zero",
            )
            starts.append(float(target.mean()))
            boosting.fit(numbers[known], target - starts[-1])
            trees.extend(one.tree_ for one in boosting.estimators_[:, 0])
        return Boosted(grove_of(trees), np.array(starts), columns.astype(np.float64))

    def source_of(self, rows: Rows) -> int:
        """The key of the task whose numbers are spread most like these (least MMD)."""
        assert self._labels is not None
        rng = np.random.default_rng(self.seed)
        target = _sample(self._numbers(rows), rng)
        numbers, task = self._numbers(self._labels.rows), self._labels.rows.task
        sources = np.unique(task)
        distances = [_discrepancy(_sample(numbers[task == one], rng), target) for one in sources]
        return int(sources[int(np.argmin(distances))])

    def expect(self, rows: Rows, cards: Floats | None = None) -> Expected:  # noqa: ARG002
        """Expected quality, shape (n, m); the method knows no doubt, so its deviation is its own.

        A probability p is taken to be as doubtful as one answer is: sqrt(p·(1-p)).
        """
        if self._labels is None:
            blank = np.full((len(rows), 0), np.nan)
            return Expected(blank, blank)
        width = len(self._labels.candidates)
        mean = np.full((len(rows), width), np.nan)
        for task in np.unique(rows.task):
            places = np.flatnonzero(rows.task == task)
            part = rows.take(places)
            if len(places) >= ENOUGH and task not in self._labels.rows.task:
                mean[places] = self._carried(part)
            else:
                mean[places] = self._common(self._labels, part)
        return Expected(mean, np.sqrt(np.clip(mean * (1.0 - mean), 1e-4, None)))

    def _common(self, labels: Labels, rows: Rows) -> Floats:
        """From some of all sources, unaligned."""
        if self._base is None:
            order = np.random.default_rng(self.seed).permutation(len(labels.rows))
            some = labels.take(order[:MOST])
            self._base = self._boosted(self._numbers(some.rows), some.quality)
        return self._base.expect(self._numbers(rows), len(labels.candidates), self.options.rate)

    def _carried(self, rows: Rows) -> Floats:
        """From the one most similar source, aligned."""
        assert self._labels is not None
        source = self._labels.take(self._labels.rows.task == self.source_of(rows))
        target = self._numbers(rows)
        model = self._boosted(aligned(self._numbers(source.rows), target), source.quality)
        return model.expect(target, len(source.candidates), self.options.rate)

    def save(self, name: str) -> dict[str, Arrays]:
        """The labels under names that start with `name`: from them everything is learnt again."""
        state: dict[str, Arrays] = {f"{name}.spread": self._spread.copy()}
        if self._labels is not None:
            state |= save_rows(f"{name}.rows", self._labels.rows)
            state[f"{name}.quality"] = filled(self._labels.quality)
            state[f"{name}.candidates"] = np.array(self._labels.candidates, dtype=np.str_)
        return state

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self._spread = np.array(state[f"{name}.spread"], dtype=np.float64)
        self._labels = self._base = None
        if f"{name}.quality" in state:
            names = tuple(str(one) for one in state[f"{name}.candidates"])
            quality = opened(state[f"{name}.quality"])
            self._labels = Labels(load_rows(f"{name}.rows", state), names, quality)


def scaled(surface: Floats, scaling: str, spread: Floats) -> Floats:
    """Numbers (n, 17) scaled over the texts, or ("row", as published) each text by itself."""
    if scaling == "row":
        centre, scale = surface.mean(axis=1, keepdims=True), surface.std(axis=1, keepdims=True)
    else:
        centre, scale = spread[0], spread[1]
    return np.asarray((surface - centre) / np.where(scale > 1e-9, scale, 1.0))


def aligned(source: Floats, target: Floats) -> Floats:
    """CORAL: the source's numbers with the target's covariance."""
    unit = np.eye(source.shape[1])
    return np.asarray(
        source
        @ _power(np.cov(source, rowvar=False) + unit, -0.5)
        @ _power(np.cov(target, rowvar=False) + unit, 0.5)
    )


def _power(matrix: Floats, exponent: float) -> Floats:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 1e-9) ** exponent) @ vectors.T)


def _sample(numbers: Floats, rng: np.random.Generator) -> Floats:
    return numbers[rng.permutation(len(numbers))[:SAMPLE]]


def _discrepancy(one: Floats, other: Floats) -> float:
    """Squared maximum mean discrepancy with a Gaussian kernel of the numbers' own width."""

    def kernel(a: Floats, b: Floats) -> float:
        squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
        return float(np.exp(-np.maximum(squares, 0.0) / a.shape[1]).mean())

    return kernel(one, one) + kernel(other, other) - 2 * kernel(one, other)
