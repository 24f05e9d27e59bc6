"""Finds the nearest vectors in memory by looking at all of them.

Exact, and faster than any approximate index up to about 50,000 entries of one space. Rows are
written once and only ever marked dead, so a search needs no lock while it multiplies.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sls_plugins.errors import EncoderMismatchError
from sls_plugins.types import IndexEntry, Matrix, Neighbour, Space, Vector

__all__ = ["MemoryIndex"]

_FIRST_ROWS = 4
_SAME = 0.9999

_Shelf: TypeAlias = "tuple[Matrix, NDArray[np.bool_], list[str], int]"


class _Rows:
    """The vectors of one space: a matrix that grows, and which of its rows are alive."""

    __slots__ = ("alive", "count", "dead", "ids", "matrix")

    def __init__(self, dimension: int) -> None:
        self.matrix: Matrix = np.empty((_FIRST_ROWS, dimension), dtype=np.float32)
        self.alive: NDArray[np.bool_] = np.zeros(_FIRST_ROWS, dtype=np.bool_)
        self.ids: list[str] = []
        self.count = 0
        self.dead = 0

    def append(self, entry_id: str, vector: Vector) -> int:
        if self.count == len(self.matrix):
            self._move(np.arange(self.count), 2 * self.count)
        row = self.count
        self.matrix[row] = vector
        self.alive[row] = True
        self.ids.append(entry_id)
        self.count += 1
        return row

    def bury(self, row: int) -> None:
        self.alive[row] = False
        self.dead += 1

    def compact(self) -> None:
        """Drop dead rows; the order of the others stays."""
        keep = np.flatnonzero(self.alive[: self.count])
        self._move(keep, max(_FIRST_ROWS, 2 * len(keep)))
        self.dead = 0

    def _move(self, keep: NDArray[np.intp], room: int) -> None:
        matrix = np.empty((room, self.matrix.shape[1]), dtype=np.float32)
        alive = np.zeros(room, dtype=np.bool_)
        matrix[: len(keep)] = self.matrix[keep]
        alive[: len(keep)] = self.alive[keep]
        self.ids = [self.ids[row] for row in keep]
        self.matrix, self.alive, self.count = matrix, alive, len(keep)

    def shelf(self) -> _Shelf:
        """What a search may read without a lock: a later move makes new arrays."""
        return self.matrix, self.alive, self.ids, self.count


class MemoryIndex:
    """An `Index` that lives in this process and keeps nothing. Threads may share it."""

    def __init__(self, dimension: int = 0) -> None:
        """`dimension` is checked if given; otherwise the first vector sets it."""
        self._dimension = dimension
        self._spaces: dict[Space, _Rows] = {}
        self._places: dict[str, tuple[Space, int]] = {}
        self._lock = threading.Lock()

    def add(self, entries: Sequence[IndexEntry]) -> None:
        """Take in entries; an id that is known is replaced.

        Raises EncoderMismatchError for a vector of another dimension and ValueError for one with a
        value that is not finite; then nothing is taken in.
        """
        for entry in entries:
            self._check(entry.vector)
            if not np.all(np.isfinite(entry.vector)):
                raise ValueError(
                    f"the vector of entry {entry.id!r} holds a value that is not finite"
                )
        with self._lock:
            for entry in entries:
                self._bury(entry.id)
                rows = self._spaces.get(entry.space)
                if rows is None:
                    rows = self._spaces[entry.space] = _Rows(self._dimension)
                self._places[entry.id] = (entry.space, rows.append(entry.id, entry.vector))

    def remove(self, ids: Sequence[str]) -> None:
        """Drop entries; unknown ids are ignored."""
        with self._lock:
            for entry_id in ids:
                self._bury(entry_id)

    def search(self, space: Space, vector: Vector, k: int) -> Sequence[Neighbour]:
        """Up to k nearest live entries, most similar first, the older first among equals."""
        with self._lock:
            rows = self._spaces.get(space)
            shelf = rows.shelf() if rows is not None else None
        if shelf is None or k < 1:
            return ()
        self._check(vector)
        return _nearest(shelf, vector, k)

    def ids(self) -> frozenset[str]:
        """All ids that are held."""
        with self._lock:
            return frozenset(self._places)

    def entries(self) -> Iterator[IndexEntry]:
        """All entries as they are now, with vectors of their own."""
        with self._lock:
            places = [(entry_id, space, row) for entry_id, (space, row) in self._places.items()]
            matrices = {space: rows.matrix for space, rows in self._spaces.items()}
        for entry_id, space, row in places:
            yield IndexEntry(id=entry_id, space=space, vector=matrices[space][row].copy())

    def rebuild(self, live: Iterable[IndexEntry]) -> None:
        """Hold exactly these entries."""
        wanted = {entry.id: entry for entry in live}
        self.remove(sorted(self.ids() - wanted.keys()))
        with self._lock:
            known = {entry_id: space for entry_id, (space, _) in self._places.items()}
        self.add([entry for entry in wanted.values() if known.get(entry.id) != entry.space])
        with self._lock:
            for space in [*self._spaces]:
                self._compact(space)

    def recall(self, sample: int) -> float:
        """The share of (so many) entries that are found by their own vectors."""
        chosen = list(islice(self.entries(), sample))
        found = sum(
            any(one.similarity > _SAME for one in self.search(entry.space, entry.vector, 1))
            for entry in chosen
        )
        return found / len(chosen) if chosen else 1.0

    def flush(self) -> None:
        """Nothing is kept, so there is nothing to wait for."""

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._spaces.clear()
            self._places.clear()

    def _check(self, vector: Vector) -> None:
        if self._dimension == 0:
            self._dimension = int(vector.shape[0])
        if vector.shape != (self._dimension,):
            raise EncoderMismatchError(
                "the index in memory",
                f"with {self._dimension} dimensions",
                f"with shape {vector.shape}",
                "One index holds the vectors of one encoder; start a new one for another.",
            )

    def _bury(self, entry_id: str) -> None:
        space, row = self._places.pop(entry_id, (None, -1))
        if space is None:
            return
        rows = self._spaces[space]
        rows.bury(row)
        if rows.dead == rows.count:
            del self._spaces[space]
        elif rows.dead > _FIRST_ROWS and 2 * rows.dead > rows.count:
            self._compact(space)

    def _compact(self, space: Space) -> None:
        rows = self._spaces[space]
        rows.compact()
        self._places.update((one, (space, at)) for at, one in enumerate(rows.ids))


def _nearest(shelf: _Shelf, vector: Vector, k: int) -> tuple[Neighbour, ...]:
    matrix, alive, ids, count = shelf
    similarities = matrix[:count] @ vector
    similarities[~alive[:count]] = -np.inf
    if k == 1:
        best = np.array([int(np.argmax(similarities))])
    else:
        part = np.arange(count)
        if k < count:
            part = np.sort(np.argpartition(similarities, count - k)[count - k :])
        best = part[np.argsort(-similarities[part], kind="stable")]
    return tuple(
        Neighbour(ids[row], float(min(1.0, max(-1.0, similarities[row]))))
        for row in best
        if np.isfinite(similarities[row])
    )
