"""Forecasts the risk that a stored answer is wrong for a query, from labels.

One pooled logistic model, learnt by a Kalman filter's steps (a second-order method: it needs few
labels), with a deviation for each task; then counted cases of pairs alike shrink its forecast: in
the family of tasks, in the task, of this very pair of patterns. A family is what a task is named
before its "/". All state has a fixed size; nothing is refitted on the way of a query.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.cache.features import FEATURES, Pair
from sls_plugins.cache.labels import Label
from sls_plugins.cache.rarity import RARITIES, Rarity
from sls_plugins.types import State

__all__ = ["Risk", "RiskModel", "family_of", "slot_of"]

_CELLS = 1 << 14
_ENTRIES = 1 << 15
_TASKS = 1024
_COMPANY = 4
_CELL_MOST = 20.0
_WIDTH = FEATURES + 4 + RARITIES
_TEXTS = (-2.0, 1.0, 0.5, -0.5, -0.5, -1.5, -1.5, -1.5, -1.0)
_NEAR = (1.0, 1.0, 0.3, 1.0, 0.5, 0.3, 1.0, 2.0)
_AGE = -0.3
_PRIOR = (*_TEXTS, *_NEAR, _AGE, 0.7, -0.7, 0.5, -1.0, 1.0, -1.0)
_SPREAD = 1.0
_CELL_LABELS = 500.0
_CELL_STRENGTH = 8.0
_STEP = 0.15
_DRIFT = 1e-4


@dataclass(frozen=True, slots=True)
class Risk:
    """What the model sees in a pair now: its features, its cell, the forecast risk (0…1)."""

    values: NDArray[np.float64]
    cell: int
    task: int
    risk: float


class RiskModel:
    """P(the stored answer is wrong). Equal labels in equal order give equal forecasts."""

    def __init__(self) -> None:
        """Before any label: a prior that likes close neighbours and dislikes differences."""
        self._rarity = Rarity()
        self._state: dict[str, NDArray[np.float64]] = {
            "weights": np.array(_PRIOR),
            "covariance": _SPREAD * np.eye(_WIDTH),
            "task_weights": np.zeros((_TASKS, _WIDTH)),
            "cells": np.zeros((_CELLS, 2)),
            "entries": np.zeros((_ENTRIES, 2)),
            "words": self._rarity.counts,
        }

    def see(self, pair: Pair) -> Risk:
        """The forecast for a pair, before its label is known."""
        cases, wrong = self._state["entries"][slot_of(pair.entry_id, _ENTRIES)].tolist()
        agreed, differed = min(_COMPANY, cases - wrong), min(_COMPANY, wrong)
        rarity = self._rarity.compare(*pair.patterns)
        cell = _cell(pair)
        seen, unlike = self._state["cells"][cell].tolist()
        alike = (math.log1p(min(_CELL_MOST, seen - unlike)), math.log1p(min(_CELL_MOST, unlike)))
        values = np.array((*pair.values, agreed / 2 - 1, differed / 2 - 1, *rarity, *alike))
        task = slot_of(pair.task, _TASKS)
        weights = self._state["weights"] + self._state["task_weights"][task]
        doubt = float(self._state["covariance"].dot(values).dot(values))
        risk = _sigmoid(-float(weights.dot(values)) / math.sqrt(1.0 + math.pi * doubt / 8.0))
        risk = (_CELL_STRENGTH * risk + unlike) / (_CELL_STRENGTH + seen)
        return Risk(values=values, cell=cell, task=task, risk=risk)

    def note(self, pattern: str) -> None:
        """Take in the words of a query, its digits masked."""
        self._rarity.learn(pattern)

    def learn(self, pair: Pair, seen: Risk, label: Label, born: str) -> None:
        """Learn from one label; `born` is the entry, if any, that the fresh answer became."""
        told = np.array((label.weight, 0.0 if label.right else label.weight))
        fade = 1.0 - 1.0 / _CELL_LABELS
        cells = self._state["cells"]
        cells[seen.cell] = cells[seen.cell] * fade + told
        for entry_id in filter(None, (pair.entry_id, born)):
            self._state["entries"][slot_of(entry_id, _ENTRIES)] += told
        self._step(seen, label)

    def save(self) -> State:
        """All learnt state, as copies."""
        return {name: array.copy() for name, array in self._state.items()}

    def load(self, state: State) -> None:
        """Restore what `save` gave. Raises KeyError or ValueError for another version's state."""
        for name, here in self._state.items():
            here[...] = np.asarray(state[name], dtype=np.float64).reshape(here.shape)

    def _step(self, seen: Risk, label: Label) -> None:
        weights, spread = self._state["weights"], self._state["covariance"]
        deviations = self._state["task_weights"][seen.task]
        told = _sigmoid(float((weights + deviations) @ seen.values))
        error = label.weight * (float(label.right) - told)
        spread[np.diag_indices(_WIDTH)] += _DRIFT
        gain = spread @ seen.values
        curve = label.weight * max(told * (1.0 - told), 1e-3)
        spread -= np.outer(gain, gain) * (curve / (1.0 + curve * float(gain @ seen.values)))
        weights += (spread @ seen.values) * error
        deviations *= 0.999
        deviations += _STEP * error * seen.values / float(seen.values @ seen.values)


def family_of(task: str) -> str:
    """What a task is named before its "/"."""
    return task.partition("/")[0]


def slot_of(name: str, slots: int) -> int:
    """A place for a name among so many, the same in every process."""
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % slots


def _cell(pair: Pair) -> int:
    return slot_of(f"{pair.task}|{pair.patterns[0]}|{pair.patterns[1]}", _CELLS)


def _sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(30.0, max(-30.0, value))))
