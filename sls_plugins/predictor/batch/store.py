"""Saves rows and labels as arrays; where there is no label stands a number that none can be."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from sls_plugins.predictor.batch.rows import Rows
from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State

__all__ = ["filled", "load_rows", "opened", "save_rows"]

NOTHING = -9.0


def save_rows(name: str, rows: Rows) -> dict[str, Arrays]:
    """The arrays under names that start with `name`."""
    return {f"{name}.{one.name}": np.array(getattr(rows, one.name)) for one in fields(Rows)}


def load_rows(name: str, state: State) -> Rows:
    """What `save_rows` gave."""
    return Rows(*(np.array(state[f"{name}.{one.name}"]) for one in fields(Rows)))  # type: ignore[arg-type]


def filled(values: Floats) -> Floats:
    """The same without NaN, so that equal states are equal."""
    return np.where(np.isnan(values), NOTHING, values)


def opened(values: Arrays) -> Floats:
    """What `filled` was given."""
    numbers = np.array(values, dtype=np.float64)
    return np.where(numbers == NOTHING, np.nan, numbers)
