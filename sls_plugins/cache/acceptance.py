"""Learns which neighbours may answer: P(the stored answer is right for this query).

Three layers, each from labels that calls give anyway (a fresh answer beside the refused one):

1. a pooled online logistic model with a deviation for each task gives a first risk;
2. counted cases shrink it: of pairs alike (similarity, guards) in the family, in the task, then of
   this very pair of patterns. A task's family is what stands before the first "/" of its name;
3. a bar for each family and a gate for each task: forecasts made *before* their label was known are
   counted by their risk, and only those are served whose share of errors is surely below `max_error`.

So a family starts with exact repeats only, opens when labels allow it, and closes when they do
not. All state has a fixed size; nothing is refitted on the way of a query.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.cache.bound import surely_below, widest_below
from sls_plugins.cache.features import FEATURES, Pair
from sls_plugins.types import State

__all__ = ["Acceptance", "AcceptanceRule", "Verdict"]

_BINS = 24
_CELLS = 1 << 14
_FAMILIES = 256
_TASKS = 1024
_PRIOR = np.array((-4.0, 1.0, 1.0, 1.0, 1.0, -0.5, -0.5, 0.3, -1.5, -1.5, -1.5, -1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptanceRule:
    """How acceptance weighs evidence. `max_error` is the largest share of wrong hits among hits."""

    max_error: float = 0.02
    doubt: float = 0.1
    memory_labels: float = 3000.0
    cell_strength: float = 8.0
    gate_strength: float = 50.0
    guard_factor: float = 5.0
    step: float = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """May this neighbour answer, how likely is it right, and why."""

    accepted: bool
    p_right: float
    why: str


class Acceptance:
    """The learnt rule. Deterministic: equal labels in equal order give equal verdicts."""

    def __init__(self, rule: AcceptanceRule) -> None:
        self._rule = rule
        self._weights = _PRIOR.copy()
        self._steps = np.ones(FEATURES)
        self._task_weights = np.zeros((_TASKS, FEATURES))
        self._cells = np.zeros((_CELLS, 2))
        self._curves = np.zeros((_FAMILIES, _BINS, 2))
        self._gates = np.zeros((_TASKS, 2))
        self._bars = np.zeros(_FAMILIES, dtype=np.int64)

    def judge(self, pair: Pair) -> Verdict:
        """The verdict on a neighbour, as things are known now."""
        risk = self._risk(pair)
        family, task = _slot(_family(pair.task), _FAMILIES), _slot(pair.task, _TASKS)
        p_right = 1.0 - risk
        for guard in pair.guards:
            if not self._is_lifted(pair, guard):
                return Verdict(accepted=False, p_right=p_right, why=f"guard: {guard}")
        if _bin(risk) >= self._bars[family]:
            why = f"too few labels say that P(right) {p_right:.3f} is enough"
            return Verdict(accepted=False, p_right=p_right, why=why)
        if not self._is_open(task):
            why = "labels of this task show too many errors"
            return Verdict(accepted=False, p_right=p_right, why=why)
        return Verdict(accepted=True, p_right=p_right, why=f"P(right) {p_right:.3f}")

    def learn(self, pair: Pair, *, right: bool, weight: float = 1.0) -> None:
        """Learn from one label: the neighbour would have been (or was) right, or wrong."""
        risk = self._risk(pair)
        wrong = 0.0 if right else weight
        family, task = _slot(_family(pair.task), _FAMILIES), _slot(pair.task, _TASKS)
        place = _bin(risk)
        keep = 1.0 - 1.0 / self._rule.memory_labels
        if place < self._bars[family]:
            self._gates[task] = self._gates[task] * keep + (weight, wrong)
        curve = self._curves[family]
        curve *= keep
        curve[place] += (weight, wrong)
        self._bars[family] = self._bar(curve)
        for cell in (*_cells(pair), *(_guard_cell(pair, guard) for guard in pair.guards)):
            self._cells[cell] += (weight, wrong)
        self._descend(pair, task, right=right, weight=weight)

    def save(self) -> State:
        """All learnt state, as copies."""
        return {
            "weights": self._weights.copy(),
            "steps": self._steps.copy(),
            "task_weights": self._task_weights.copy(),
            "cells": self._cells.copy(),
            "curves": self._curves.copy(),
            "gates": self._gates.copy(),
        }

    def load(self, state: State) -> None:
        """Restore what `save` gave; an empty state is the beginning. Raises KeyError, ValueError."""
        fresh = Acceptance(self._rule).save() if not state else state
        for name, here in self._arrays().items():
            here[...] = np.asarray(fresh[name], dtype=np.float64).reshape(here.shape)
        self._bars[:] = [self._bar(curve) for curve in self._curves]

    def _arrays(self) -> dict[str, NDArray[np.float64]]:
        return {
            "weights": self._weights,
            "steps": self._steps,
            "task_weights": self._task_weights,
            "cells": self._cells,
            "curves": self._curves,
            "gates": self._gates,
        }

    def _risk(self, pair: Pair) -> float:
        task = _slot(pair.task, _TASKS)
        risk = 1.0 - _sigmoid(float((self._weights + self._task_weights[task]) @ pair.values))
        strength = self._rule.cell_strength
        for cell in _cells(pair):
            cases, wrong = self._cells[cell].tolist()
            risk = (strength * risk + wrong) / (strength + cases)
        return risk

    def _descend(self, pair: Pair, task: int, *, right: bool, weight: float) -> None:
        values = pair.values
        told = _sigmoid(float((self._weights + self._task_weights[task]) @ values))
        slope = weight * (float(right) - told) * values
        self._steps += slope * slope
        change = self._rule.step * slope / np.sqrt(self._steps)
        self._weights += change
        self._task_weights[task] = 0.999 * self._task_weights[task] + 0.5 * change

    def _bar(self, curve: NDArray[np.float64]) -> int:
        rule = self._rule
        return widest_below(curve[:, 0], curve[:, 1], rule.max_error, rule.doubt)

    def _is_lifted(self, pair: Pair, guard: str) -> bool:
        """Labels of this family say that the guard does not matter there."""
        cases, wrong = self._cells[_guard_cell(pair, guard)].tolist()
        rule = self._rule
        return surely_below(wrong, cases, rule.guard_factor * rule.max_error, rule.doubt)

    def _is_open(self, task: int) -> bool:
        cases, wrong = self._gates[task].tolist()
        limit, strength = self._rule.max_error, self._rule.gate_strength
        return bool((0.5 * limit * strength + wrong) / (strength + cases) <= limit)


def _sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(30.0, max(-30.0, value))))


def _bin(risk: float) -> int:
    """Bins of equal width in log risk, from 1e-4 up; 0 is the safest."""
    return min(_BINS - 1, max(0, int((math.log10(max(risk, 1e-4)) + 4.0) * _BINS / 4.0)))


def _family(task: str) -> str:
    return task.split("/", 1)[0]


def _slot(name: str, slots: int) -> int:
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % slots


def _cells(pair: Pair) -> tuple[int, int, int]:
    level = min(20, int(-8.0 * math.log10(1.003 - min(1.0, pair.similarity))))
    alike = f"{level}|{pair.same_pattern}|{pair.guards}"
    return (
        _slot(f"family|{_family(pair.task)}|{alike}", _CELLS),
        _slot(f"task|{pair.task}|{alike}", _CELLS),
        _slot(f"pair|{pair.task}|{pair.patterns[0]}|{pair.patterns[1]}", _CELLS),
    )


def _guard_cell(pair: Pair, guard: str) -> int:
    return _slot(f"guard|{_family(pair.task)}|{pair.same_pattern}|{guard}", _CELLS)
