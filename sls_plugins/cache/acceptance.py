"""Learns which neighbours may answer: P(the stored answer is right for this query).

Three layers, each from labels that calls give anyway (a fresh answer beside the refused one):

1. a pooled online logistic model with a deviation for each task gives a first risk. Besides the
   texts it sees the entry's company: how often it, as a neighbour, agreed with a fresh answer;
2. counted cases shrink that risk: of pairs alike (similarity, guards, company) in the family, in
   the task, then of this very pair of patterns. A family is what a task is named before its "/";
3. a bar for each family, a gate for each task: forecasts made *before* their label was known are
   counted by risk; served are those whose share of errors is surely below `max_error`.

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
from sls_plugins.cache.labels import Label
from sls_plugins.types import State

__all__ = ["Acceptance", "AcceptanceRule", "Verdict"]

_BINS = 24
_CELLS = 1 << 14
_ENTRIES = 1 << 15
_FAMILIES = 256
_TASKS = 1024
_COMPANY = 4
_WIDTH = FEATURES + 2
_PRIOR = (-4.0, 1.0, 1.0, 1.0, 1.0, -0.5, -0.5, 0.3, -1.5, -1.5, -1.5, -1.0, 0.7, -0.7)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptanceRule:
    """How acceptance weighs evidence.

    `max_error` is the largest share of wrong hits among hits, `doubt` the chance left that it is
    exceeded all the same. `memory_labels` is after how many labels old evidence has faded to a
    third. A guard falls silent where surely fewer than `guard_factor` times `max_error` are wrong.
    """

    max_error: float = 0.02
    doubt: float = 0.1
    memory_labels: float = 5000.0
    cell_labels: float = 500.0
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


@dataclass(frozen=True, slots=True)
class _Seen:
    """A pair as the model sees it now: features with the entry's company, cells, risk."""

    values: NDArray[np.float64]
    cells: tuple[int, int, int]
    family: int
    task: int
    risk: float


class Acceptance:
    """The learnt rule. Deterministic: equal labels in equal order give equal verdicts."""

    def __init__(self, rule: AcceptanceRule) -> None:
        self._rule = rule
        self._state: dict[str, NDArray[np.float64]] = {
            "weights": np.array(_PRIOR),
            "steps": np.ones(_WIDTH),
            "task_weights": np.zeros((_TASKS, _WIDTH)),
            "cells": np.zeros((_CELLS, 2)),
            "entries": np.zeros((_ENTRIES, 2)),
            "curves": np.zeros((_FAMILIES, _BINS, 2)),
            "gates": np.zeros((_TASKS, 2)),
        }
        self._bars = np.zeros(_FAMILIES, dtype=np.int64)

    def judge(self, pair: Pair) -> Verdict:
        """The verdict on a neighbour, as things are known now."""
        seen = self._see(pair)
        p_right = 1.0 - seen.risk
        why = self._objection(pair, seen)
        return Verdict(accepted=not why, p_right=p_right, why=why or f"P(right) {p_right:.3f}")

    def learn(self, pair: Pair, label: Label, *, born: str = "") -> None:
        """Learn from one label; `born` is the entry, if any, that the fresh answer became."""
        seen, rule, state = self._see(pair), self._rule, self._state
        told = np.array((label.weight, 0.0 if label.right else label.weight))
        keep = 1.0 - 1.0 / rule.memory_labels
        place = _bin(seen.risk)
        if place < self._bars[seen.family]:
            state["gates"][seen.task] = state["gates"][seen.task] * keep + told
        curve = state["curves"][seen.family]
        curve *= keep
        curve[place] += told
        self._bars[seen.family] = self._bar(curve)
        fade = 1.0 - 1.0 / rule.cell_labels
        for cell in (*seen.cells, *(_guard_cell(pair, guard) for guard in pair.guards)):
            state["cells"][cell] = state["cells"][cell] * fade + told
        for entry_id in filter(None, (pair.entry_id, born)):
            state["entries"][_slot(entry_id, _ENTRIES)] += told
        self._descend(seen, label)

    def save(self) -> State:
        """All learnt state, as copies."""
        return {name: array.copy() for name, array in self._state.items()}

    def load(self, state: State) -> None:
        """Restore what `save` gave; an empty state is the beginning.

        Raises KeyError or ValueError for a state that is not of this version.
        """
        given = state or Acceptance(self._rule).save()
        for name, here in self._state.items():
            here[...] = np.asarray(given[name], dtype=np.float64).reshape(here.shape)
        self._bars[:] = [self._bar(curve) for curve in self._state["curves"]]

    def _see(self, pair: Pair) -> _Seen:
        cases, wrong = self._state["entries"][_slot(pair.entry_id, _ENTRIES)].tolist()
        agreed, differed = min(_COMPANY, cases - wrong), min(_COMPANY, wrong)
        company = (agreed / 2 - 1, differed / 2 - 1)
        values = np.concatenate((pair.values, company))
        task = _slot(pair.task, _TASKS)
        weights = self._state["weights"] + self._state["task_weights"][task]
        risk = 1.0 - _sigmoid(float(weights @ values))
        cells = _cells(pair, f"{min(3, int(agreed))}{min(3, int(differed))}")
        strength = self._rule.cell_strength
        for cell in cells:
            cases, wrong = self._state["cells"][cell].tolist()
            risk = (strength * risk + wrong) / (strength + cases)
        family = _slot(_family(pair.task), _FAMILIES)
        return _Seen(values=values, cells=cells, family=family, task=task, risk=risk)

    def _objection(self, pair: Pair, seen: _Seen) -> str:
        """Why this neighbour may not answer; empty if it may."""
        for guard in pair.guards:
            if not (self._is_silent(_guard_cell(pair, guard)) or self._is_silent(seen.cells[0])):
                return f"guard: {guard}"
        if _bin(seen.risk) >= self._bars[seen.family]:
            return f"too few labels say that P(right) {1.0 - seen.risk:.3f} is enough"
        cases, wrong = self._state["gates"][seen.task].tolist()
        limit, strength = self._rule.max_error, self._rule.gate_strength
        if 0.5 * limit * strength + wrong > limit * (strength + cases):
            return "labels of this task show too many errors"
        return ""

    def _is_silent(self, cell: int) -> bool:
        cases, wrong = self._state["cells"][cell].tolist()
        rule = self._rule
        limit = min(0.5, rule.guard_factor * rule.max_error)
        return surely_below(wrong, cases, limit, rule.doubt)

    def _descend(self, seen: _Seen, label: Label) -> None:
        weights, deviations = self._state["weights"], self._state["task_weights"][seen.task]
        steps = self._state["steps"]
        told = _sigmoid(float((weights + deviations) @ seen.values))
        slope = label.weight * (float(label.right) - told) * seen.values
        steps += slope * slope
        change = self._rule.step * slope / np.sqrt(steps)
        weights += change
        deviations *= 0.999
        deviations += 0.5 * change

    def _bar(self, curve: NDArray[np.float64]) -> int:
        rule = self._rule
        return widest_below(curve[:, 0], curve[:, 1], rule.max_error, rule.doubt)


def _sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(30.0, max(-30.0, value))))


def _bin(risk: float) -> int:
    """Bins of equal width in log risk, from 1e-4 up; 0 is the safest."""
    return min(_BINS - 1, max(0, int((math.log10(max(risk, 1e-4)) + 4.0) * _BINS / 4.0)))


def _family(task: str) -> str:
    return task.partition("/")[0]


def _slot(name: str, slots: int) -> int:
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % slots


def _cells(pair: Pair, company: str) -> tuple[int, int, int]:
    level = min(20, int(-8.0 * math.log10(1.003 - min(1.0, pair.similarity))))
    alike = f"{level}|{pair.same_pattern}|{pair.guards}|{company}"
    return (
        _slot(f"family|{_family(pair.task)}|{alike}", _CELLS),
        _slot(f"task|{pair.task}|{alike}", _CELLS),
        _slot(f"pair|{pair.task}|{pair.patterns[0]}|{pair.patterns[1]}", _CELLS),
    )


def _guard_cell(pair: Pair, guard: str) -> int:
    return _slot(f"guard|{_family(pair.task)}|{pair.same_pattern}|{guard}", _CELLS)
