"""A trace with all its labels as arrays, for studies of batch predictors."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.encoder.shelf import ShelfEncoder
from sls_plugins.evaluation.metrics import mean_interval
from sls_plugins.evaluation.rounds import World, load_world
from sls_plugins.evaluation.study import StudySetup
from sls_plugins.plugins import Plugins
from sls_plugins.predictor.batch import Labels, Rows, labels_of, rows_of
from sls_plugins.protocols import Context, Encoder
from sls_plugins.scheduler.batch import Tradeoffs
from sls_plugins.types import Matrix, Query

__all__ = ["Labelled", "Reached", "cost_of", "interval", "load_labelled", "reached"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

BATCH = 256

POINTS = 400
"""Assignments of a front that are looked at, evenly spread."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """All rows of a trace: `quality` and `cost_usd` have shape (n, m); `tasks` are (n,) texts."""

    world: World
    rows: Rows
    quality: Floats
    cost_usd: Floats
    characters: Floats
    tasks: NDArray[np.str_]

    @property
    def names(self) -> tuple[str, ...]:
        """The candidates, column by column."""
        return self.world.outcomes.names

    def labels(self, places: Places, known: NDArray[np.bool_] | None = None) -> Labels:
        """The labels of some rows; `known` (len(places), m) hides the others."""
        return labels_of(self.rows.take(places), self.names, self.quality[places], known)


def load_labelled(setup: StudySetup, name: str) -> Labelled:
    """Read and embed a trace. Raises TraceError, SettingsError or InputError."""
    world = load_world(setup.trace(name), setup.limit)
    texts = [row.prompt for row in world.rows]
    context = Context(candidates=world.candidates, clock=time.time)
    encoder: Encoder = Plugins.load(names=()).make("encoder", setup.encoder, context, {})  # type: ignore[assignment]
    shelf = ShelfEncoder(encoder, setup.embeddings)
    try:
        vectors = _embedded(texts, shelf)
    finally:
        shelf.close()
    queries = [Query(text=row.prompt, task=row.task, id=row.query_id) for row in world.rows]
    return Labelled(
        world=world,
        rows=rows_of(queries, vectors, encoder.dimension),
        quality=world.outcomes.quality,
        cost_usd=world.outcomes.cost_usd,
        characters=np.array([float(len(text)) for text in texts]),
        tasks=np.array([row.task for row in world.rows]),
    )


def _embedded(texts: Sequence[str], encoder: Encoder) -> Matrix:
    """Every distinct text is embedded once; shape (n, d)."""
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    distinct = list(places)
    parts = [
        encoder.encode(distinct[first : first + BATCH]) for first in range(0, len(distinct), BATCH)
    ]
    matrix: Matrix = np.concatenate(parts)[[places[text] for text in texts]]
    return matrix


def cost_of(given: Labelled, train: Places, test: Places) -> Floats:
    """Expected cost in USD, shape (len(test), m): a line through the length, on labelled rows."""
    known = np.column_stack((np.ones(len(train)), given.characters[train]))
    asked = np.column_stack((np.ones(len(test)), given.characters[test]))
    lines, *_ = np.linalg.lstsq(known, given.cost_usd[train], rcond=None)
    floor = 0.1 * given.cost_usd[train].mean(axis=0)
    return np.asarray(np.maximum(asked @ lines, floor), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What a set of assignments reaches in truth: most quality, and USD to match some quality."""

    quality: float
    usd: float | None


def reached(found: Tradeoffs, quality: Floats, cost_usd: Floats, target: float) -> Reached:
    """Look at the assignments in hindsight, as OptLLM's authors do: mean quality, sum of USD."""
    places = np.unique(np.linspace(0, len(found) - 1, POINTS).astype(np.intp))
    rows = np.arange(len(quality))
    points = []
    for place in places:
        columns = found.columns(int(place))
        points.append((float(quality[rows, columns].mean()), float(cost_usd[rows, columns].sum())))
    matching = [usd for mean, usd in points if mean >= target]
    return Reached(quality=max(mean for mean, _ in points), usd=min(matching) if matching else None)


def interval(values: Sequence[float]) -> str:
    """Mean with half the width of its 95 % interval, for people."""
    found = mean_interval(values)
    if found.low is None or found.high is None:
        return f"{found.mean:.4f}"
    return f"{found.mean:.4f} ± {(found.high - found.low) / 2:.4f}"
