"""Simulates the rival: a cache that answers whenever the cosine is above a fixed bar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.types import Matrix

__all__ = ["BARS", "BarFigures", "best_bar", "run_bars"]

_COARSE, _FINE = np.arange(0.5, 0.9, 0.04), np.arange(0.9, 1, 0.01)

BARS = tuple(round(float(bar), 3) for bar in (*_COARSE, *_FINE, 0.995))
"""Which bars are tried, in hindsight."""

_ROWS = 256


@dataclass(frozen=True, slots=True)
class BarFigures:
    """What a bar did: hits, wrong ones, and the share found of the hits that were possible."""

    bar: float
    hits: int
    wrong: int
    found_share: float


def run_bars(
    vectors: Matrix, groups: Sequence[str], streams: Sequence[str], bars: Sequence[float] = BARS
) -> list[BarFigures]:
    """For each bar: answer from the nearest stored row above it, else call and store.

    Streams share nothing. Reads the n rows in order; n² similarities are computed once for all.
    """
    stored = np.zeros((len(bars), len(vectors)), dtype=np.bool_)
    hits, wrong = np.zeros(len(bars), dtype=np.int64), np.zeros(len(bars), dtype=np.int64)
    levels = np.array(bars)
    for row, similarities in _rows(vectors, streams):
        best = float(similarities.max(initial=-2.0))
        above = levels <= best
        stored[~above, row] = True
        for at in np.flatnonzero(above):
            able = np.where(stored[at, :row], similarities, -2.0)
            near = int(able.argmax())
            if able[near] < levels[at]:
                stored[at, row] = True
                continue
            hits[at] += 1
            wrong[at] += groups[near] != groups[row]
    seen: set[str] = set()
    possible = 0
    for group in groups:
        possible += group in seen
        seen.add(group)
    return [
        BarFigures(bar, int(hit), int(bad), float(hit - bad) / possible if possible else 0.0)
        for bar, hit, bad in zip(bars, hits, wrong, strict=True)
    ]


def best_bar(runs: Sequence[BarFigures], max_error: float) -> BarFigures | None:
    """The bar that found most while at most `max_error` of its hits were wrong; None if none did.

    Chosen in hindsight, which nobody can follow.
    """
    fit = [run for run in runs if run.hits and run.wrong <= max_error * run.hits]
    return max(fit, key=lambda run: run.found_share, default=None)


def _rows(vectors: Matrix, streams: Sequence[str]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Each row with its similarities to all rows before it; -2 to those of other streams."""
    names = {name: number for number, name in enumerate(dict.fromkeys(streams))}
    stream = np.array([names[name] for name in streams])
    for start in range(0, len(vectors), _ROWS):
        stop = min(start + _ROWS, len(vectors))
        block = vectors[start:stop] @ vectors[:stop].T
        block[stream[start:stop, None] != stream[:stop]] = -2.0
        for place in range(stop - start):
            yield start + place, block[place, : start + place]
