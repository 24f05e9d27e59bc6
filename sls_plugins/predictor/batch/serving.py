"""Serves a batch learner query by query, fitted anew now and then from a bounded window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sls_plugins.errors import UnknownCandidateError
from sls_plugins.predictor.batch.cards import cards_of
from sls_plugins.predictor.batch.rows import Expected, Labels, Rows, labels_of, rows_of
from sls_plugins.predictor.batch.store import filled, load_rows, opened, save_rows
from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.predictor.online import OnlinePredictor
from sls_plugins.types import Candidate, Estimate, Outcome, Query, Source, State, Vector

__all__ = ["FittedPredictor", "Learner"]

WINDOW = 2000
"""Graded outcomes that are remembered; what a batch fit is given may be more."""

FIRST = 50
"""Graded outcomes before the first fit."""

EVERY = 200
"""Graded outcomes between fits at least; with many remembered, a quarter of them."""

PRIOR = 5.0
"""How many outcomes a fit's expectation is worth when it is corrected by what came since."""


class Learner(Protocol):
    """What learns from labels all at once."""

    def fit(self, labels: Labels) -> None:
        """Learn from labels, forgetting what was before."""

    def expect(self, rows: Rows, cards: Floats | None = None) -> Expected:
        """Quality, shape (n, m); NaN for candidates it knows nothing of."""

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""


Make: TypeAlias = Callable[[], Learner]


class FittedPredictor:
    """A `Predictor` whose expected quality comes from a batch learner.

    `fit` takes full labels, `predict` answers a batch. As part of an engine it learns from one
    outcome at a time: costs, latencies and the quality of candidates that the learner does not know
    come from an online predictor beside it; the learner is fitted anew at growing intervals, which
    takes seconds, and corrected by running averages in between. Its memory is bounded.
    """

    def __init__(self, make: Make, dimension: int, candidates: Sequence[Candidate] = ()) -> None:
        """`make` gives an empty learner."""
        self.dimension = dimension
        self._make = make
        self._learner = make()
        self._online = OnlinePredictor(dimension, candidates)
        self._candidates: dict[str, Candidate] = {one.name: one for one in candidates}
        self._fitted: dict[str, int] = {}
        self._means: Floats = np.zeros(0)
        self._graded: list[str] = []
        self._memory: Rows | None = None
        self._chosen: NDArray[np.int64] = np.zeros(WINDOW, dtype=np.int64)
        self._quality: Floats = np.zeros(WINDOW)
        self._since: Floats = np.zeros((0, 2))
        self._added = 0
        self._due = FIRST

    def fit(
        self,
        queries: Sequence[Query],
        vectors: ArrayLike,
        quality: ArrayLike,
        candidates: Sequence[Candidate],
        known: ArrayLike | None = None,
    ) -> None:
        """Learn from labels (n, m), all at once; `known` (n, m) tells which there are, if not all.

        Raises InputError (or one of its kinds) that names what is wrong; nothing is learnt then.
        """
        rows = rows_of(queries, vectors, self.dimension)
        given = {candidate.name: candidate for candidate in candidates}
        labels = labels_of(rows, [one.name for one in candidates], quality, known)
        self._fit(self._with_cards(labels, given))
        self._candidates |= given

    def predict(
        self, queries: Sequence[Query], vectors: ArrayLike, candidates: Sequence[Candidate]
    ) -> Expected:
        """Expected quality of a batch with its deviation, shape (n, m) each.

        Raises UnknownCandidateError for a candidate that was never fitted.
        """
        rows = rows_of(queries, vectors, self.dimension)
        said = self._learner.expect(rows, self._cards())
        for candidate in candidates:
            column = self._fitted.get(candidate.name)
            if column is None or (len(rows) and np.isnan(said.mean[0, column])):
                raise UnknownCandidateError(candidate.name, tuple(self._fitted), "predict")
        chosen = [self._fitted[candidate.name] for candidate in candidates]
        return Expected(said.mean[:, chosen], said.sd[:, chosen])

    def predict_one(
        self, query: Query, vector: Vector, candidates: Sequence[Candidate]
    ) -> tuple[Estimate, ...]:
        """One estimate per candidate, in order; works before anything was learnt."""
        estimates = self._online.predict_one(query, vector, candidates)
        for candidate in candidates:
            self._candidates.setdefault(candidate.name, candidate)
        if not self._fitted:
            return estimates
        rows = rows_of([query], np.asarray(vector)[None], self.dimension)
        said = self._learner.expect(rows, self._cards(candidates))
        strangers = [one.name for one in candidates if one.name not in self._fitted]
        columns = [*self._fitted, *strangers][: said.mean.shape[1]]
        places = {name: place for place, name in enumerate(columns)}
        return tuple(self._merged(one, said, places.get(one.candidate)) for one in estimates)

    def _merged(self, online: Estimate, said: Expected, column: int | None) -> Estimate:
        """The online estimate with the learner's quality, moved by what came since the fit.

        What came of a candidate that the fit did not know is the online predictor's business.
        """
        if column is None or np.isnan(said.mean[0, column]):
            return online
        quality = float(said.mean[0, column])
        if column < len(self._since):
            apart, seen = self._since[column].tolist()
            quality += apart / (seen + PRIOR)
        elif online.candidate in self._graded:
            return online
        return replace(
            online,
            quality=min(max(quality, 0.0), 1.0),
            quality_sd=max(min(float(said.sd[0, column]), online.quality_sd), 1e-4),
        )

    def learn_one(self, outcome: Outcome) -> None:
        """Learn from one line of the log, like the online predictor; fit anew when it is time."""
        self._online.learn_one(outcome)
        if outcome.source is Source.CACHE or outcome.quality is None:
            return
        vector = outcome.vector
        if vector is None:
            vector = np.zeros(self.dimension, dtype=np.float32)
        row = rows_of([outcome.query], np.asarray(vector)[None], self.dimension)
        column = self._fitted.get(outcome.candidate)
        if column is not None:
            said = float(self._learner.expect(row, self._cards()).mean[0, column])
            if not np.isnan(said):
                self._since[column] += (outcome.quality - said, 1.0)
        self._remember(row, outcome)
        if self._added >= self._due:
            self._fit(self._remembered())
            self._due = self._added + max(EVERY, min(self._added, WINDOW) // 4)

    def _remember(self, row: Rows, outcome: Outcome) -> None:
        if self._memory is None:
            self._memory = row.take(np.zeros(WINDOW, dtype=np.intp))
        place = self._added % WINDOW
        for one in fields(Rows):
            getattr(self._memory, one.name)[place] = getattr(row, one.name)[0]
        if outcome.candidate not in self._graded:
            self._graded.append(outcome.candidate)
        self._chosen[place] = self._graded.index(outcome.candidate)
        self._quality[place] = outcome.quality or 0.0
        self._added += 1

    def _remembered(self) -> Labels:
        """The window as labels, one for each query."""
        assert self._memory is not None
        used = np.arange(min(self._added, WINDOW))
        quality = np.full((len(used), len(self._graded)), np.nan)
        quality[used, self._chosen[used]] = self._quality[used]
        labels = Labels(self._memory.take(used), tuple(self._graded), quality)
        blank = {name: Candidate(name=name) for name in self._graded}
        return self._with_cards(labels, blank | self._candidates)

    def _with_cards(self, labels: Labels, given: Mapping[str, Candidate]) -> Labels:
        cards = cards_of([given[name] for name in labels.candidates], means_of(labels.quality))
        return replace(labels, cards=cards)

    def _cards(self, candidates: Sequence[Candidate] = ()) -> Floats:
        """Cards of the fitted candidates, then of those that the learner never met."""
        strangers = [one for one in candidates if one.name not in self._fitted]
        fitted = [self._candidates.get(name, Candidate(name=name)) for name in self._fitted]
        means = np.concatenate((self._means, np.full(len(strangers), np.nan)))
        return cards_of([*fitted, *strangers], means)

    def _fit(self, labels: Labels) -> None:
        learner = self._make()
        learner.fit(labels)
        self._learner = learner
        self._fitted = {name: place for place, name in enumerate(labels.candidates)}
        self._means = means_of(labels.quality)
        self._since = np.zeros((len(self._fitted), 2))

    def save(self) -> State:
        """All learnt state as arrays; bounded by the window and by what a batch fit was given."""
        used = min(self._added, WINDOW)
        state = {f"online.{key}": value for key, value in self._online.save().items()}
        state |= self._learner.save("learner")
        state |= {
            "graded": np.array(self._graded, dtype=np.str_),
            "fitted": np.array(list(self._fitted), dtype=np.str_),
            "means": filled(self._means),
            "chosen": self._chosen[:used].copy(),
            "quality": self._quality[:used].copy(),
            "since": self._since.copy(),
            "counts": np.array([self._added, self._due]),
        }
        if self._memory is not None:
            state |= save_rows("memory", self._memory.take(np.arange(used)))
        return state

    def load(self, state: State) -> None:
        """Restore what `save` gave, bit for bit. Raises SettingsError for another dimension."""
        prefix = "online."
        self._online.load(
            {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
        )
        self._learner = self._make()
        self._learner.load("learner", state)
        self._graded = [str(name) for name in state["graded"]]
        self._fitted = {str(name): place for place, name in enumerate(state["fitted"])}
        self._means = opened(state["means"])
        self._since = np.array(state["since"], dtype=np.float64)
        self._added, self._due = (int(number) for number in np.array(state["counts"]))
        used = len(np.array(state["chosen"]))
        self._chosen[:used] = state["chosen"]
        self._quality[:used] = state["quality"]
        self._memory = None
        if used:
            kept = load_rows("memory", state)
            places = np.minimum(np.arange(WINDOW), used - 1)
            self._memory = kept.take(places)


def means_of(quality: Floats) -> Floats:
    """Mean label of each candidate, shape (m,); NaN without any."""
    known = ~np.isnan(quality)
    seen = known.sum(axis=0)
    sums = np.where(known, quality, 0.0).sum(axis=0)
    return np.asarray(np.where(seen > 0, sums / np.maximum(seen, 1), np.nan))
