"""Forecasts for a stream of which nothing is served, so that any bar can be tried in hindsight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.cache.features import Pair, pair_of
from sls_plugins.cache.guards import DEFAULT_GUARDS
from sls_plugins.cache.keys import pattern_of
from sls_plugins.cache.labels import Label
from sls_plugins.cache.neighbourhood import evidence_of
from sls_plugins.cache.risk import RiskModel
from sls_plugins.evaluation.traces import CacheRow
from sls_plugins.types import Answer, CacheEntry, Matrix, Query, Space

__all__ = ["Look", "Unserved", "best_share", "shuffled"]

NEIGHBOURS, LEAST = 10, 0.6

_NOTHING_NEAR = 2.0
"""Risk of a row that no bar would serve."""


@dataclass(frozen=True, slots=True)
class Look:
    """A row beside its nearest: the forecasts of both models, the truth, and if it was possible.

    `told` is False where nothing stored is near enough to be compared.
    """

    risk: float
    informed: float
    right: bool
    possible: bool
    told: bool


class Unserved:
    """Reads rows in order, stores all of them, and learns from each label, as on misses."""

    def __init__(self, rows: Sequence[CacheRow], vectors: Matrix, informed: RiskModel) -> None:
        """`informed` forecasts beside the model that learns, and knows what comes."""
        self._rows, self._vectors, self._informed = rows, vectors, informed
        self._model = RiskModel()
        self._entries = [_entry(row) for row in rows]
        streams = {row.stream: place for place, row in enumerate(rows)}
        self._streams = np.array([streams[row.stream] for row in rows])

    def looks(self) -> Iterator[Look]:
        """The forecasts of each row before its label was known."""
        seen: set[str] = set()
        for place, row in enumerate(self._rows):
            found = self._pair(place, np.arange(place))
            possible = row.group in seen
            seen.add(row.group)
            yield self._look(found, possible=possible)
            self._model.note(pattern_of(row.text))
            if found is not None:
                pair, right = found
                label = Label(right=right, weight=1.0)
                self._model.learn(pair, self._model.see(pair), label, row.query_id)

    def again(self, count: int) -> list[Look]:
        """The first rows once more, each beside all others of them, as the model sees them now."""
        others = np.arange(count)
        return [
            self._look(self._pair(place, others[others != place]), possible=True)
            for place in range(count)
        ]

    def _look(self, found: tuple[Pair, bool] | None, *, possible: bool) -> Look:
        if found is None:
            return Look(_NOTHING_NEAR, _NOTHING_NEAR, right=False, possible=possible, told=False)
        pair, right = found
        risk, informed = self._model.see(pair).risk, self._informed.see(pair).risk
        return Look(risk, informed, right=right, possible=possible, told=True)

    def _pair(self, place: int, stored: NDArray[np.intp]) -> tuple[Pair, bool] | None:
        """A row beside those stored in its stream, and whether the nearest would be right."""
        stored = stored[self._streams[stored] == self._streams[place]]
        similarities = self._vectors[stored] @ self._vectors[place]
        nearest = np.argsort(-similarities, kind="stable")[:NEIGHBOURS]
        near = [
            (self._entries[stored[at]], float(similarities[at]))
            for at in nearest
            if similarities[at] >= LEAST
        ]
        if not near:
            return None
        row, mine = self._rows[place], self._entries[place]
        query = Query(text=row.text, id=row.query_id, task=mine.task)
        pair = pair_of(query, *near[0], evidence_of(near), DEFAULT_GUARDS)
        return pair, near[0][0].answer == mine.answer


def best_share(looks: Sequence[Look], risks: Sequence[float], max_error: float) -> float | None:
    """Share of the possible hits that the best bar on these risks finds, in hindsight.

    None if nothing was possible.
    """
    possible = sum(look.possible for look in looks)
    if not possible:
        return None
    order = np.argsort(np.array(risks), kind="stable")
    right = np.array([look.right for look in looks])[order]
    told = np.array([look.told for look in looks])[order]
    hits, found = np.cumsum(told), np.cumsum(right)
    kept = found[(hits - found <= max_error * hits) & told]
    return float(kept.max(initial=0) / possible)


def shuffled(rows: Sequence[CacheRow], seed: int) -> tuple[CacheRow, ...]:
    """The rows in another order; in their own for seed 0."""
    if seed == 0:
        return tuple(rows)
    order = np.random.default_rng(seed).permutation(len(rows))
    return tuple(rows[place] for place in order)


def _entry(row: CacheRow) -> CacheEntry:
    return CacheEntry(
        id=row.query_id,
        space=Space(),
        key=row.query_id,
        query_id=row.query_id,
        text=row.text,
        answer=Answer(text=row.group),
        task=f"cache/{row.stream}" if row.stream else "",
        good=1.0,
    )
