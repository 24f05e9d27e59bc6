"""Fills what a point of the front leaves over with single moves of other queries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sls_plugins.scheduler.batch.arrays import Batch, Columns, Floats, blocks

__all__ = ["buy", "reach", "save"]

PASSES = 8
LONGEST = 4096
"""The best so many moves of a pass are tried; what the others could add is below notice."""


@dataclass(frozen=True, slots=True, eq=False)
class _Moves:
    """One move per row, best first: what it gains, what it takes of the room."""

    row: Columns
    to: Columns
    gain: Floats
    takes: Floats


def buy(batch: Batch, columns: Columns, room_usd: float) -> Columns:
    """Raise quality while the extra cost stays within the room; the largest gain that fits first.

    Returns another assignment; the given one is left as it is.
    """
    return _fill(batch, columns, room_usd, saving=False)


def save(batch: Batch, columns: Columns, room: float) -> Columns:
    """Lower cost while the quality lost stays within the room; the largest saving first."""
    return _fill(batch, columns, room, saving=True)


def reach(batch: Batch, columns: Columns, missing: float) -> Columns | None:
    """The cheapest single move that raises quality by what is missing; None if there is none."""
    least, best = np.inf, None
    for first, last in blocks(batch.rows):
        better, dearer = _differences(batch, columns, (first, last))
        dearer[better < missing] = np.inf
        row, to = np.unravel_index(int(dearer.argmin()), dearer.shape)
        if dearer[row, to] < least:
            least, best = dearer[row, to], (first + int(row), int(to))
    if best is None:
        return None
    moved = columns.copy()
    moved[best[0]] = best[1]
    return moved


def _fill(batch: Batch, columns: Columns, room: float, *, saving: bool) -> Columns:
    columns = columns.copy()
    for _ in range(PASSES):
        moves = _moves(batch, columns, room, saving=saving)
        if not len(moves.row):
            break
        fits = np.arange(len(moves.row))
        while len(fits):
            move = fits[0]
            columns[moves.row[move]] = moves.to[move]
            room -= moves.takes[move]
            fits = fits[1:][moves.takes[fits[1:]] <= room]
    return columns


def _moves(batch: Batch, columns: Columns, room: float, *, saving: bool) -> _Moves:
    """Each row's best move that fits, of the rows with the largest gains."""
    parts = [_of_block(batch, columns, room, span, saving=saving) for span in blocks(batch.rows)]
    row, to, gain, takes = (np.concatenate(each) for each in zip(*parts, strict=True))
    best = np.argsort(-gain, kind="stable")[:LONGEST]
    return _Moves(row[best], to[best], gain[best], takes[best])


def _of_block(
    batch: Batch, columns: Columns, room: float, span: tuple[int, int], *, saving: bool
) -> tuple[Columns, Columns, Floats, Floats]:
    better, dearer = _differences(batch, columns, span)
    gains, takes = (-dearer, -better) if saving else (better, dearer)
    gains[takes > room] = 0.0
    to = gains.argmax(axis=1)
    rows = np.arange(len(to))
    gain = gains[rows, to]
    good = np.flatnonzero(gain > 0)
    return good + span[0], to[good], gain[good], takes[good, to[good]]


def _differences(batch: Batch, columns: Columns, span: tuple[int, int]) -> tuple[Floats, Floats]:
    """What each pair would add to quality, to cost, instead of the chosen one."""
    quality, cost = batch.scores(*span)
    here = columns[span[0] : span[1], None]
    better = quality - np.take_along_axis(quality, here, axis=1)
    return better, cost - np.take_along_axis(cost, here, axis=1)
