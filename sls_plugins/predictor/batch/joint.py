"""SLS-like: one model over joined numbers of query and candidate.

Of the published system only the abstract's wording is known, so this is our reading of it: boosted
trees over the embedding, surface features and tokens of the query, joined to the candidate's card
(prices, running quality, length and latency) and its number. A candidate without any outcome has a
card, too: it is predicted before its first call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from sklearn.ensemble import GradientBoostingRegressor

from sls_plugins.predictor.batch.cards import CARD_WIDTH
from sls_plugins.predictor.batch.rows import Expected, Labels, Rows
from sls_plugins.predictor.batch.serving import FittedPredictor
from sls_plugins.predictor.batch.trees import Grove, grove_of
from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.protocols import Context
from sls_plugins.types import State

__all__ = ["Joint", "JointOptions", "make"]

DIRECTIONS = 32
"""Directions of the embedding that are looked at."""

LOW, HIGH = 0.02, 0.25
"""Variance of an expectation where much, and where nothing, was seen."""


class JointOptions(BaseModel):
    """Sizes of the boosted trees; each looks at a share of the rows and of the numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trees: Annotated[int, Field(ge=1)] = 150
    depth: Annotated[int, Field(ge=1)] = 4
    rate: Annotated[float, Field(gt=0, le=1)] = 0.08
    share: Annotated[float, Field(gt=0, le=1)] = 0.5


class Joint:
    """Expected quality from query and card; the doubt falls with a candidate's labels."""

    def __init__(self, options: JointOptions | None = None, seed: int = 0) -> None:
        """`seed` draws what the trees draw."""
        self.options = options if options is not None else JointOptions()
        self.seed = seed
        self._grove: Grove | None = None
        self._start = 0.0
        self._seen: Floats = np.zeros(0)
        self._centre: Floats = np.zeros(0)
        self._directions: Floats = np.zeros((0, 0))

    def fit(self, labels: Labels) -> None:
        """Learn from every labelled pair; labels without cards have blank ones."""
        cards = labels.cards
        if cards is None:
            cards = np.zeros((len(labels.candidates), CARD_WIDTH))
        self._turn(labels.rows)
        rows, columns = np.nonzero(labels.known)
        self._seen = np.bincount(columns, minlength=len(labels.candidates)).astype(np.float64)
        target = labels.quality[rows, columns]
        self._start = float(target.mean())
        numbers = np.column_stack((self._of(labels.rows)[rows], cards[columns], columns))
        boosting = GradientBoostingRegressor(
            n_estimators=self.options.trees,
            max_depth=self.options.depth,
            learning_rate=self.options.rate,
            subsample=self.options.share,
            max_features=self.options.share,
            min_samples_leaf=3,
            random_state=self.seed,
            init="zero",
        )
        boosting.fit(numbers, target - self._start)
        self._grove = grove_of(one.tree_ for one in boosting.estimators_[:, 0])

    def _turn(self, rows: Rows) -> None:
        """Take the directions in which these embeddings differ most."""
        vectors = np.asarray(rows.vectors, dtype=np.float64)
        self._centre = vectors.mean(axis=0)
        _, _, found = np.linalg.svd(vectors - self._centre, full_matrices=False)
        self._directions = found[:DIRECTIONS]

    def _of(self, rows: Rows) -> Floats:
        turned = (rows.vectors - self._centre) @ self._directions.T
        return np.column_stack((turned, rows.text, np.log1p(rows.surface)))

    def expect(self, rows: Rows, cards: Floats | None = None) -> Expected:
        """Quality of every candidate that has a card; shape (n, len(cards))."""
        width = len(self._seen) if cards is None else len(cards)
        if self._grove is None:
            blank = np.full((len(rows), width), np.nan)
            return Expected(blank, blank.copy())
        if cards is None:
            cards = np.zeros((width, CARD_WIDTH))
        seen = np.concatenate((self._seen, np.zeros(max(width - len(self._seen), 0))))
        numbers = self._of(rows)
        mean = np.empty((len(rows), width))
        for column in range(width):
            own = np.full(len(rows), column if seen[column] > 0 else -1)
            card = np.tile(cards[column], (len(rows), 1))
            joined = np.column_stack((numbers, card, own))
            steps = self._grove.values(joined).sum(axis=1)
            mean[:, column] = np.clip(self._start + self.options.rate * steps, 0.0, 1.0)
        doubt = LOW / 4 + (HIGH - LOW / 4) / (1.0 + seen[:width] / 4.0)
        return Expected(mean, np.tile(np.sqrt(doubt), (len(rows), 1)))

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        state: dict[str, Arrays] = {
            f"{name}.start": np.array([self._start]),
            f"{name}.seen": self._seen.copy(),
            f"{name}.centre": self._centre.copy(),
            f"{name}.directions": self._directions.copy(),
        }
        return state | (self._grove.save(f"{name}.grove") if self._grove is not None else {})

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self._start = float(state[f"{name}.start"][0])
        self._seen = np.array(state[f"{name}.seen"], dtype=np.float64)
        self._centre = np.array(state[f"{name}.centre"], dtype=np.float64)
        self._directions = np.array(state[f"{name}.directions"], dtype=np.float64)
        there = f"{name}.grove.roots" in state
        self._grove = Grove.load(f"{name}.grove", state) if there else None


def make(context: Context, options: Mapping[str, object]) -> FittedPredictor:
    """The factory; options are those of `JointOptions`."""
    checked = JointOptions.model_validate(options)
    return FittedPredictor(
        lambda: Joint(checked, context.seed), context.dimension, context.candidates
    )
