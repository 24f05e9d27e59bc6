"""Decides which neighbours may answer, so that wrong hits stay under a bound.

Forecasts of risk (`risk`) made *before* their label was known are counted by how risky they were. A
bar for each family of tasks opens the strata that, weighed by their traffic, are below `max_error`
(`bound`): on trial at first, with many audits, which grow fewer as that grows sure. A gate for each
task, and one for each scope, shuts where served neighbours turn out wrong. So a family starts with
exact repeats only, opens when labels allow it, and closes when they do not. Labels come from calls
that are made anyway, and from audits: a share of what could be served, larger where the risk is, is
called all the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sls_plugins.cache.bound import evidence_below
from sls_plugins.cache.features import Pair
from sls_plugins.cache.labels import Label
from sls_plugins.cache.risk import Risk, RiskModel, family_of, slot_of
from sls_plugins.types import State

__all__ = ["Acceptance", "AcceptanceRule", "Verdict"]

_BINS = 24
_FAMILIES = 256
_GATES = 4096
_GUARDS = 4096
_HOPE = 0.5
"""Who is more likely right than wrong may be sure enough once others have been asked."""

_LEAST_GUARD, _MOST_GUARD = -2.0, 4.5
"""Evidence against a guard: what a task must have at least; what is remembered at most."""

_STRENGTH = 20.0
_RISKS = 10.0 ** (4.0 * (np.arange(_BINS) + 0.5) / _BINS - 4.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptanceRule:
    """How acceptance weighs evidence.

    `max_error` is the largest share of wrong hits among hits, `doubt` the chance left that it is
    exceeded all the same. What is likely to be below it, with `trial_doubt`, is served on trial:
    `trial_audits` times the usual share is called all the same, and fewer as the evidence grows;
    without audits there are no trials. `memory_labels` is after how many labels old evidence has
    faded to a third. A guard falls silent where, with `guard_doubt`, fewer are wrong than
    `guard_factor` times what was forecast, among risks below `guard_reach`. No stratum is open that
    alone looks worse than `marginal` times `max_error`. `audit` is the mean share of audits,
    `label_noise` the share of labels (under a half) known to be false.
    """

    max_error: float = 0.02
    doubt: float = 0.05
    trial_doubt: float = 0.5
    trial_audits: float = 15.0
    memory_labels: float = 5000.0
    gate_strength: float = 50.0
    guard_factor: float = 3.0
    guard_reach: float = 0.2
    guard_doubt: float = 0.1
    marginal: float = 3.0
    audit: float = 0.01
    label_noise: float = 0.0

    @property
    def limit(self) -> float:
        """The share of labels that may say "wrong" when `max_error` of the answers are.

        `label_noise` of all labels say the opposite of what is true.
        """
        return self.label_noise + (1.0 - 2.0 * self.label_noise) * self.max_error

    @property
    def opening(self) -> float:
        """The doubt with which serving begins."""
        return self.trial_doubt if self.audit > 0 else self.doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """May this neighbour answer, how likely is it right, how seldom is it audited, and why."""

    accepted: bool
    p_right: float
    why: str
    audit: float = 0.0


class _Place(NamedTuple):
    """The curve of a family, and the bin in it."""

    family: int
    risk: int


_slot = lru_cache(maxsize=4096)(slot_of)


class Acceptance:
    """The learnt rule. Deterministic: equal labels in equal order give equal verdicts."""

    def __init__(self, rule: AcceptanceRule) -> None:
        """Before any label: nothing is accepted."""
        self._rule = rule
        self._model = RiskModel()
        self._state: dict[str, NDArray[np.float64]] = {
            "curves": np.zeros((_FAMILIES, _BINS, 3)),
            "gates": np.zeros((_GATES, 2)),
            "guard_evidence": np.zeros(_GUARDS),
        }
        self._levels = np.full((_FAMILIES, _BINS), -np.inf)

    def judge(self, pair: Pair) -> Verdict:
        """The verdict on a neighbour, as things are known now."""
        seen = self._model.see(pair)
        place = _Place(_slot(family_of(pair.task), _FAMILIES), _bin(seen.risk))
        p_right = 1.0 - self._calibrated(seen, place)
        why = self._objection(pair, seen, place)
        if why:
            return Verdict(accepted=False, p_right=p_right, why=why)
        audit = self._audit(seen, place)
        return Verdict(accepted=True, p_right=p_right, why=f"P(right) {p_right:.3f}", audit=audit)

    def may_hope(self, pair: Pair) -> bool:
        """Whether more labels or neighbours may let this one answer soon: worth waiting for."""
        if any(not self._is_silent(guard, pair.task) for guard in pair.guards):
            return False
        if not self._is_open(_Place(_slot(family_of(pair.task), _FAMILIES), 0)):
            return False
        return self._model.see(pair).risk <= _HOPE

    def note(self, pattern: str) -> None:
        """Take in the words of a query whose answer is fresh, its digits masked."""
        self._model.note(pattern)

    def learn(self, pair: Pair, label: Label, *, born: str = "") -> None:
        """Learn from one label; `born` is the entry, if any, that the fresh answer became."""
        seen, rule, state = self._model.see(pair), self._rule, self._state
        told = np.array((label.weight, 0.0 if label.right else label.weight))
        keep = 1.0 - 1.0 / rule.memory_labels
        family, risky = place = _Place(_slot(family_of(pair.task), _FAMILIES), _bin(seen.risk))
        if self._is_open(place):
            for gate in _gates(pair):
                state["gates"][gate] = state["gates"][gate] * keep + told
        curve = state["curves"][family]
        curve *= keep
        curve[risky, :2] += told
        curve[risky, 2] += label.weight / max(pair.evidence.chance, 1e-3)
        self._levels[family] = self._levels_of(curve)
        self._learn_guards(pair, seen, label)
        self._model.learn(pair, seen, label, born)

    def save(self) -> State:
        """All learnt state, as copies."""
        mine = {name: array.copy() for name, array in self._state.items()}
        return {**mine, **self._model.save()}

    def load(self, state: State) -> None:
        """Restore what `save` gave; an empty state is the beginning.

        Raises KeyError or ValueError for a state that is not of this version.
        """
        given = state or Acceptance(self._rule).save()
        for name, here in self._state.items():
            here[...] = np.asarray(given[name], dtype=np.float64).reshape(here.shape)
        self._model.load(given)
        self._levels[:] = [self._levels_of(curve) for curve in self._state["curves"]]

    def _objection(self, pair: Pair, seen: Risk, place: _Place) -> str:
        """Why this neighbour may not answer; empty if it may."""
        for guard in pair.guards:
            if not self._is_silent(guard, pair.task):
                return f"guard: {guard}"
        if not self._is_open(place):
            return f"too few labels say that P(right) {1.0 - seen.risk:.3f} is enough"
        limit, strength = self._rule.limit, self._rule.gate_strength
        for gate, where in zip(_gates(pair), ("task", "scope"), strict=True):
            cases, wrong = self._state["gates"][gate].tolist()
            if 0.5 * limit * strength + wrong > limit * (strength + cases):
                return f"labels of this {where} show too many errors"
        return ""

    def _calibrated(self, seen: Risk, place: _Place) -> float:
        """The risk as cases that were forecast alike in the family have borne it out."""
        cases, wrong, _ = self._state["curves"][place].tolist()
        told = float((_STRENGTH * seen.risk + wrong) / (_STRENGTH + cases))
        noise = self._rule.label_noise
        return min(1.0, max(0.0, (told - noise) / (1.0 - 2.0 * noise)))

    def _audit(self, seen: Risk, place: _Place) -> float:
        """The share of audits of such pairs: much on trial, then less where all is well."""
        rule = self._rule
        worth = seen.risk / (0.5 * rule.limit)
        usual = min(0.5, rule.audit * min(4.0, max(0.5, worth)))
        level = float(self._levels[place])
        sure, tried = -math.log(rule.doubt), -math.log(rule.trial_doubt)
        lacking = max(0.0, (sure - level) / max(1e-9, sure - tried))
        return max(usual, min(0.5, rule.trial_audits * rule.audit) * lacking)

    def _is_open(self, place: _Place) -> bool:
        return bool(self._levels[place] >= -math.log(self._rule.opening))

    def _is_silent(self, guard: str, task: str) -> bool:
        """Labels of pairs that it vetoes are wrong about as often as was forecast: it may not veto.

        They must say so in the family, and not say otherwise in the task.
        """
        told, here = self._state["guard_evidence"], f"{task}/"
        if told[_guard_slot(guard, family_of(task))] < -math.log(self._rule.guard_doubt):
            return False
        return bool(told[_guard_slot(guard, here)] >= _LEAST_GUARD)

    def _learn_guards(self, pair: Pair, seen: Risk, label: Label) -> None:
        """Bet that pairs this guard vetoes are wrong as often as forecast, not so much more.

        An e-process: whatever the forecasts were, it can hardly grow if they are that much too low.
        It is kept from growing without end, so that a few wrong labels give the guard its say back.
        """
        rule = self._rule
        if not pair.guards or seen.risk >= rule.guard_reach:
            return
        forecast = max(seen.risk, rule.limit)
        feared = max(forecast, min(0.5, rule.guard_factor * forecast))
        odds = (1.0 - forecast) / (1.0 - feared) if label.right else forecast / feared
        told, gain = self._state["guard_evidence"], label.weight * math.log(odds)
        for guard in pair.guards:
            for name in (family_of(pair.task), f"{pair.task}/"):
                slot = _guard_slot(guard, name)
                told[slot] = min(_MOST_GUARD, told[slot] + gain)

    def _levels_of(self, curve: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evidence for each bin: together with safer ones below the limit, none far above it."""
        rule = self._rule
        told = (_STRENGTH * _RISKS + curve[:, 1]) / (_STRENGTH + curve[:, 0])
        able = told <= rule.marginal * rule.limit
        return evidence_below(curve, rule.limit, able, rule.label_noise)


def _gates(pair: Pair) -> tuple[int, int]:
    """Of the task, and of the scope in the task."""
    return _slot(pair.task, _GATES), _slot(f"{pair.task}|{pair.scope}", _GATES)


def _guard_slot(guard: str, place: str) -> int:
    return _slot(f"{guard}|{place}", _GUARDS)


def _bin(risk: float) -> int:
    """Bins of equal width in log risk, from 1e-4 up; 0 is the safest."""
    return min(_BINS - 1, max(0, int((math.log10(max(risk, 1e-4)) + 4.0) * _BINS / 4.0)))
