"""Queries as arrays, and the labels that batch predictors are fitted to, checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sls_plugins.errors import InputError, InvalidFeedbackError, InvalidQueryError
from sls_plugins.predictor.batch.surface import surface, words
from sls_plugins.predictor.features import Floats, describe, key_of, pattern_of, tokens_of
from sls_plugins.types import Query

__all__ = ["Expected", "Keys", "Labels", "Rows", "labels_of", "rows_of"]

Keys: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """n queries: `text` (n, TEXT_WIDTH), `surface` (n, 17), `words` (n, WORDS), `vectors` (n, d).

    Keys (n,) are stable names of the task, the pattern (words with digits masked), the exact text.
    """

    text: Floats
    surface: Floats
    words: NDArray[np.float32]
    vectors: NDArray[np.float32]
    task: Keys
    pattern: Keys
    exact: Keys

    def __len__(self) -> int:
        """Number of queries."""
        return len(self.task)

    def take(self, places: NDArray[np.integer] | NDArray[np.bool_]) -> Rows:
        """Some of the rows."""
        return Rows(*(getattr(self, one.name)[places] for one in fields(self)))

    def distinct(self) -> tuple[Rows, NDArray[np.intp]]:
        """One row for each distinct exact text, and where each query's is."""
        _, first, places = np.unique(self.exact, return_index=True, return_inverse=True)
        return self.take(first), places.reshape(-1)


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Expected quality and its standard deviation, shape (n, m); NaN where nothing is known."""

    mean: Floats
    sd: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Quality 0…1 of candidates for queries, shape (n, m); NaN where there is no label.

    `cards` (m, CARD_WIDTH) describe the candidates, for those who predict from that too.
    """

    rows: Rows
    candidates: tuple[str, ...]
    quality: Floats
    cards: Floats | None = None

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which pairs have a label, shape (n, m)."""
        return ~np.isnan(self.quality)

    def take(self, places: NDArray[np.integer] | NDArray[np.bool_]) -> Labels:
        """The labels of some of the rows."""
        return replace(self, rows=self.rows.take(places), quality=self.quality[places])


def rows_of(queries: Sequence[Query], vectors: ArrayLike, dimension: int) -> Rows:
    """Describe queries. Raises InvalidQueryError for vectors of another shape or with NaN."""
    unit = np.asarray(vectors, dtype=np.float32)
    if unit.shape != (len(queries), dimension):
        raise InvalidQueryError(
            f"{len(queries)} queries came with vectors of shape {unit.shape}; "
            f"({len(queries)}, {dimension}) is needed"
        )
    wrong = ~np.isfinite(unit).all(axis=1)
    if wrong.any():
        place = int(wrong.argmax())
        name = queries[place].id or f"number {place}"
        raise InvalidQueryError(f"query {name} came with a vector that has NaN")
    return Rows(
        text=np.array([describe(one.text, tokens_of(one)) for one in queries]),
        surface=np.array([surface(one.text) for one in queries]),
        words=np.array([words(one.text) for one in queries], dtype=np.float32),
        vectors=unit,
        task=_keys(key_of("task", one.task) for one in queries),
        pattern=_keys(key_of("pattern", one.task, pattern_of(one.text)) for one in queries),
        exact=_keys(key_of("exact", one.task, one.text) for one in queries),
    )


def _keys(numbers: Iterable[int]) -> Keys:
    return np.fromiter(numbers, dtype=np.int64)


def labels_of(
    rows: Rows, candidates: Sequence[str], quality: ArrayLike, known: ArrayLike | None = None
) -> Labels:
    """Check labels of shape (n, m). `known` (n, m) tells which there are, if not all.

    Raises InputError for no labels at all, another shape or a candidate twice, and
    InvalidFeedbackError that names the first quality which is NaN or outside 0…1.
    """
    names = tuple(candidates)
    values = np.array(quality, dtype=np.float64)
    if values.shape != (len(rows), len(names)):
        raise InputError(
            f"labels have the shape {values.shape}; there are {len(rows)} queries "
            f"and {len(names)} candidates"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"candidate {twice[0]!r} has two columns of labels")
    there = np.ones(values.shape, bool) if known is None else np.asarray(known, dtype=bool)
    if there.shape != values.shape:
        raise InputError(f"known has the shape {there.shape}, the labels {values.shape}")
    if not there.any():
        raise InputError("there is nothing to fit: no query has a label")
    wrong = there & ~((values >= 0.0) & (values <= 1.0))
    if wrong.any():
        row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
        raise InvalidFeedbackError(
            f"quality of {names[int(column)]!r} for query number {int(row)} must be within 0…1, "
            f"not {values[row, column]}"
        )
    values[~there] = np.nan
    return Labels(rows, names, values)
