"""Embeddings, learnt arrays, and the index entries made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["IndexEntry", "Matrix", "Neighbour", "Space", "State", "Vector", "unit_rows", "zeroed"]

Vector: TypeAlias = NDArray[np.float32]
"""One embedding, shape (d,), unit length."""

Matrix: TypeAlias = NDArray[np.float32]
"""Embeddings row by row, shape (n, d), unit length."""

State: TypeAlias = Mapping[str, NDArray[np.generic]]
"""Learnt state: named arrays without objects, so that it is saved without pickle."""


@dataclass(frozen=True, slots=True, order=True)
class Space:
    """The walls of the cache: answers are shared inside one tenant and scope only."""

    tenant: str = ""
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A stored entry near a query: its id and the cosine similarity, -1…1."""

    id: str
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """What an index keeps of a cache row: id, space and unit vector; never text."""

    id: str
    space: Space
    vector: Vector


def unit_rows(rows: Sequence[Sequence[float]] | NDArray[np.floating]) -> Matrix:
    """Rows scaled to unit length as float32, shape (n, d); a zero row stays zero."""
    matrix = np.asarray(rows, dtype=np.float32)
    norms = np.linalg.norm(matrix, axis=-1, keepdims=True)
    return np.asarray(matrix / np.where(norms > 0, norms, 1.0), dtype=np.float32)


def zeroed(state: State, vectors: frozenset[bytes]) -> State | None:
    """A state with zeros in the place of these embeddings (as bytes); None if it holds none."""
    lengths = {len(vector) for vector in vectors}
    changed: dict[str, NDArray[np.generic]] = {}
    for name, array in state.items():
        if array.ndim != 2 or array.dtype != np.float32 or array.shape[1] * 4 not in lengths:
            continue
        rows = [at for at, row in enumerate(array) if row.tobytes() in vectors]
        if rows:
            changed[name] = array.copy()
            changed[name][rows] = 0.0
    return {**state, **changed} if changed else None
