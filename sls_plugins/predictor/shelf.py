"""Sets aside what was learnt of a candidate that has changed, to know it again if it recovers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sls_plugins.predictor.counts import Counts
from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.predictor.linear import LinearBank
from sls_plugins.predictor.neighbours import Neighbours
from sls_plugins.types import State

__all__ = ["Earlier", "put_back", "set_aside"]

EVERY, COPIES = 100, 3
"""Grades of a candidate between two copies; copies kept: the oldest is from before most falls."""


class Earlier:
    """What was known of each candidate 200 to 300 of its grades ago.

    A fall is noticed only after some grades, which were learnt as if nothing had happened: what is
    set aside must be older than that.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.grades: dict[int, int] = {}
        self.copies: dict[int, list[dict[str, Arrays]]] = {}

    def learnt(self, row: int, banks: Mapping[str, LinearBank], tasks: Counts) -> None:
        """One more grade of a candidate was learnt."""
        self.grades[row] = self.grades.get(row, 0) + 1
        if self.grades[row] % EVERY == 0:
            copies = self.copies.setdefault(row, [])
            copies.append(_copied(banks, {"tasks": tasks}, row))
            del copies[:-COPIES]

    def oldest(self, row: int) -> dict[str, Arrays]:
        """The oldest copy there is; empty if there is none."""
        copies = self.copies.get(row)
        return copies[0] if copies else {}

    def drop(self, row: int) -> None:
        """Begin anew with this candidate."""
        self.grades.pop(row, None)
        self.copies.pop(row, None)

    def clear(self) -> None:
        """Begin anew with all."""
        self.grades.clear()
        self.copies.clear()

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        state: dict[str, Arrays] = {
            f"{name}.grades": np.array(list(self.grades.items()), dtype=np.int64).reshape(-1, 2)
        }
        for row, copies in self.copies.items():
            for place, copy in enumerate(copies):
                state |= {f"{name}/{row}/{place}/{key}": one.copy() for key, one in copy.items()}
        return state

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.clear()
        self.grades = {int(row): int(count) for row, count in state[f"{name}.grades"].tolist()}
        found: dict[int, dict[int, dict[str, Arrays]]] = {}
        for path in [path for path in state if path.startswith(f"{name}/")]:
            row, place, key = path.removeprefix(f"{name}/").split("/", 2)
            copies = found.setdefault(int(row), {})
            copies.setdefault(int(place), {})[key] = np.array(state[path])
        self.copies = {row: [one for _, one in sorted(all_.items())] for row, all_ in found.items()}


def set_aside(
    banks: dict[str, LinearBank], tables: dict[str, Counts], near: Neighbours, row: int
) -> dict[str, Arrays]:
    """Copies of all that is known of one candidate."""
    kept = _copied(banks, tables, row)
    kept["near.weights"] = np.where(near.columns == row, near.facts[:, 2], 0.0)
    kept["near.added"] = np.array([near.added])
    return kept


def put_back(
    banks: dict[str, LinearBank],
    tables: dict[str, Counts],
    near: Neighbours,
    row: int,
    kept: dict[str, Arrays],
) -> None:
    """Know of the candidate what was known then; what was seen of it since counts no longer."""
    for name, bank in banks.items():
        if bank.weights[row].shape == kept[f"{name}.weights"].shape:
            bank.weights[row] = kept[f"{name}.weights"]
            bank.covariance[row] = kept[f"{name}.covariance"]
    for name, table in tables.items():
        table.sums[:, row] = 0.0
        table.weights[:, row] = 0.0
        cells: Floats = np.asarray(kept[f"{name}.cells"], dtype=np.float64)
        for key, quality, weight in zip(kept[f"{name}.keys"].tolist(), *cells, strict=True):
            place = table.find(int(key))
            if place is not None:
                table.sums[place, row] = quality
                table.weights[place, row] = weight
    since = np.arange(int(kept["near.added"][0]), near.added) % near.size
    weights: Floats = np.array(kept["near.weights"], dtype=np.float64)
    weights[since] = 0.0
    mine = near.columns == row
    near.facts[mine, 2] = weights[mine]


def _copied(
    banks: Mapping[str, LinearBank], tables: Mapping[str, Counts], row: int
) -> dict[str, Arrays]:
    kept: dict[str, Arrays] = {}
    for name, bank in banks.items():
        kept[f"{name}.weights"] = bank.weights[row].copy()
        kept[f"{name}.covariance"] = bank.covariance[row].copy()
    for name, table in tables.items():
        seen = np.flatnonzero(table.weights[:, row])
        kept[f"{name}.keys"] = table.keys[seen]
        kept[f"{name}.cells"] = np.stack((table.sums[seen, row], table.weights[seen, row]))
    return kept
