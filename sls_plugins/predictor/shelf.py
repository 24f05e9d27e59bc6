"""Sets aside what was learnt of a candidate that has changed, to know it again if it recovers."""

from __future__ import annotations

import numpy as np

from sls_plugins.predictor.counts import Counts
from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.predictor.linear import LinearBank
from sls_plugins.predictor.neighbours import Neighbours

__all__ = ["put_back", "set_aside"]


def set_aside(
    banks: dict[str, LinearBank], tables: dict[str, Counts], near: Neighbours, row: int
) -> dict[str, Arrays]:
    """Copies of all that is known of one candidate."""
    kept: dict[str, Arrays] = {}
    for name, bank in banks.items():
        kept[f"{name}.weights"] = bank.weights[row].copy()
        kept[f"{name}.covariance"] = bank.covariance[row].copy()
    for name, table in tables.items():
        seen = np.flatnonzero(table.weights[:, row])
        kept[f"{name}.keys"] = table.keys[seen]
        kept[f"{name}.cells"] = np.stack((table.sums[seen, row], table.weights[seen, row]))
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
