"""What another price, budget or set of candidates would have brought, from one's own receipts.

Every receipt holds what was expected of each candidate and how likely the choice was, so any other
rule can be followed through the same queries without a call. The estimate is doubly robust: the
mean of what the receipts expect of the other rule's choices, corrected by the errors that these
expectations made where the choice is known, weighted by how much likelier the other rule makes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sls_plugins.errors import InputError
from sls_plugins.protocols import OutcomeLog
from sls_plugins.scheduler.exploration import Scenarios
from sls_plugins.scheduler.selection import Terms, pick, terms_of
from sls_plugins.types import Decision, Estimate, OutcomeKind, Source
from sls_plugins.updater import Sources

__all__ = [
    "FEW",
    "Interval",
    "Logged",
    "Rule",
    "WhatIf",
    "chances",
    "read_log",
    "rechosen",
    "what_if",
]

Z = 1.96
FEW = 50
"""Grades that the correction rests on, below which each tells no more than a coin."""

PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One decision with what came of its choice (None: not known).

    A grade of `weight` 2 stands for twice as many answers that nobody told of.
    """

    decision: Decision
    cost_usd: float | None
    quality: float | None
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How it would have been decided: at another `price`, `without` some, or by a `policy`.

    `policy` is "cheapest", "best" (expected quality) or a candidate's name; None keeps the receipt.
    """

    price: float | None = None
    without: frozenset[str] = frozenset()
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the 95 % interval for what a rerun of the same queries would bring."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The other rule's quality and spend per query, beside those of what was done.

    `changed` is the share of queries that would have gone elsewhere, `effective` how many grades
    the correction rests on, so to speak: few, and the receipts' expectations are all there is.
    """

    quality: Interval
    usd_per_query: Interval
    done_quality: Interval
    done_usd_per_query: Interval
    decisions: int
    grades: int
    effective: float
    changed: float


def read_log(log: OutcomeLog) -> Iterator[Logged]:
    """All model decisions that were answered, in the order of their first line.

    Grades of crowds are read as `Sources` reads them: neither wrong labels nor a habit of
    complaining moves the mean.
    """
    sources = Sources()
    costs: dict[str, float | None] = {}
    grades: dict[str, list[tuple[float, float]]] = {}
    seq = 0
    while lines := log.after(seq, PAGE):
        seq = lines[-1].seq
        for line in lines:
            if line.source is Source.CACHE or line.estimate is None:
                continue
            sources.learn_one(line)
            if line.kind is OutcomeKind.ANSWERED:
                costs[line.decision_id] = line.cost_usd
            if line.quality is not None:
                read = sources.corrected(line)
                grades.setdefault(line.decision_id, []).append((read.quality or 0.0, read.weight))
    for name, cost_usd in costs.items():
        told = grades.get(name)
        if told is None:
            yield Logged(decision=log.decision(name), cost_usd=cost_usd, quality=None)
            continue
        total = sum(weight for _, weight in told)
        yield Logged(
            decision=log.decision(name),
            cost_usd=cost_usd,
            quality=sum(value * weight for value, weight in told) / total,
            weight=total / len(told),
        )


def rechosen(decision: Decision) -> tuple[str, ...]:
    """The ranking, chosen once more from the receipt alone. InputError for an old receipt."""
    terms = _terms(decision)
    able = [one for one in decision.estimates if one.candidate in terms.curiosity]
    picked = pick(able, terms, Scenarios(terms.scenarios), decision.seed)
    return tuple(one.candidate for one in picked.ranking)


def chances(decision: Decision, rule: Rule, scenarios: Callable[[int], Scenarios]) -> list[float]:
    """How likely the rule makes each of the receipt's candidates, in the estimates' order."""
    offered = [one for one in decision.estimates if one.candidate not in rule.without]
    if not offered:
        raise InputError(f"without {', '.join(sorted(rule.without))} nobody is left to choose")
    if rule.policy is not None:
        name = _named(rule.policy, offered)
        return [float(one.candidate == name) for one in decision.estimates]
    terms = _terms(decision)
    if rule.price is not None:
        terms = replace(terms, price=rule.price, safe=0.0, purse_usd=math.inf)
    able = [one for one in offered if one.candidate in terms.curiosity] or offered
    picked = pick(able, terms, scenarios(terms.scenarios), decision.seed)
    mix = np.array([terms.mix.get(name, 0.0) for name in picked.names])
    trial = np.array([terms.trial.get(name, 0.0) for name in picked.names])
    safe = terms.safe if mix.any() else 0.0
    likely = (1.0 - safe - trial.sum()) * picked.policy + trial
    if safe:
        likely = likely + safe * mix / mix.sum()
    found = dict(zip(picked.names, likely.tolist(), strict=True))
    return [found.get(one.candidate, 0.0) for one in decision.estimates]


def what_if(logged: Sequence[Logged], rule: Rule, budget_usd: float | None = None) -> WhatIf:
    """Estimate a rule on a log; with `budget_usd`, at the price at which that is spent per query.

    Raises InputError if nothing was logged, or for a policy that nobody could follow.
    """
    if not logged:
        raise InputError("the log holds no decision that was answered")
    kept = _Scenarios()
    if budget_usd is not None:
        rule = replace(rule, price=_price_for(logged, rule, budget_usd, kept))
    likely = [chances(one.decision, rule, kept) for one in logged]
    own = [[float(e.candidate == one.decision.candidate) for e in one.decision.estimates]
           for one in logged]  # fmt: skip
    places = [_place(one.decision) for one in logged]
    weights = np.array(
        [row[place] / max(one.decision.propensity, 1e-3)
         for row, place, one in zip(likely, places, logged, strict=True)]
    )  # fmt: skip
    real = np.array([math.nan if one.quality is None else one.quality for one in logged])
    paid = np.array([math.nan if one.cost_usd is None else one.cost_usd for one in logged])
    graded = ~np.isnan(real)
    stand_for = np.array([one.weight for one in logged])
    used = (weights * stand_for)[graded]
    effective = float(used.sum() ** 2 / max((used**2).sum(), 1e-12))
    changed = 1.0 - float(np.mean([row[p] for row, p in zip(likely, places, strict=True)]))
    quality = _robust(logged, likely, places, weights * stand_for, real, "quality")
    least = changed * 0.5 * Z / math.sqrt(max(effective, 1.0)) if effective < FEW else 0.0
    return WhatIf(
        quality=_within(quality, least),
        usd_per_query=_robust(logged, likely, places, weights, paid, "cost_usd"),
        done_quality=_within(_robust(logged, own, places, stand_for, real, "quality")),
        done_usd_per_query=_robust(logged, own, places, np.ones(len(logged)), paid, "cost_usd"),
        decisions=len(logged),
        grades=int(graded.sum()),
        effective=effective,
        changed=changed,
    )


def _within(quality: Interval, least: float = 0.0) -> Interval:
    """The interval within 0…1, `least` to each side where it can be."""
    mean = min(max(quality.mean, 0.0), 1.0)
    low, high = min(quality.low, mean - least), max(quality.high, mean + least)
    return Interval(mean, max(low, 0.0), min(high, 1.0))


def _robust(
    logged: Sequence[Logged],
    likely: Sequence[Sequence[float]],
    places: Sequence[int],
    weights: NDArray[np.float64],
    real: NDArray[np.float64],
    of: str,
) -> Interval:
    """Mean of what is expected, and the weighted mean error where the truth is known.

    A rerun draws its choices anew, which is doubt beside that of the estimate.
    """
    expected = [[float(getattr(e, of)) for e in one.decision.estimates] for one in logged]
    direct = np.array([np.dot(row, values) for row, values in zip(likely, expected, strict=True)])
    chosen = np.array([values[place] for values, place in zip(expected, places, strict=True)])
    known = ~np.isnan(real)
    count = len(logged)
    influence = direct - direct.mean()
    correction = 0.0
    if known.any() and weights[known].sum() > 0.0:
        errors, power = (real - chosen)[known], weights[known]
        correction = float(power @ errors / power.sum())
        influence[known] += count * power * (errors - correction) / power.sum()
    mean = float(direct.mean()) + correction
    squares = [np.dot(row, np.square(one)) for row, one in zip(likely, expected, strict=True)]
    drawn = float(np.mean(squares - direct**2))
    half = Z * math.sqrt((float(influence.var()) + max(drawn, 0.0)) / count)
    return Interval(mean, mean - half, mean + half)


def _price_for(
    logged: Sequence[Logged], rule: Rule, budget_usd: float, kept: Callable[[int], Scenarios]
) -> float:
    """The price of money at which the receipts' expected costs come to the budget."""

    def spend(price: float) -> float:
        asked = replace(rule, price=price)
        costs = [
            sum(
                share * estimate.cost_usd
                for share, estimate in zip(
                    chances(one.decision, asked, kept), one.decision.estimates, strict=True
                )
            )
            for one in logged[:: max(len(logged) // 1000, 1)]
        ]
        return float(np.mean(costs))

    if spend(0.0) <= budget_usd:
        return 0.0
    low, high = 0.0, 1.0
    while spend(high) > budget_usd and high < 1e9:
        low, high = high, 8.0 * high
    for _ in range(20):
        middle = (low + high) / 2.0
        low, high = (middle, high) if spend(middle) > budget_usd else (low, middle)
    return high


class _Scenarios:
    """Scenarios by seed, made once."""

    def __init__(self) -> None:
        self._made: dict[int, Scenarios] = {}

    def __call__(self, seed: int) -> Scenarios:
        if seed not in self._made:
            self._made[seed] = Scenarios(seed)
        return self._made[seed]


def _terms(decision: Decision) -> Terms:
    if not decision.terms:
        raise InputError(
            f"decision {decision.id!r} was made by an older release: its receipt has no terms"
        )
    return terms_of(decision.terms)


def _named(policy: str, offered: Sequence[Estimate]) -> str:
    if policy == "cheapest":
        return min(offered, key=lambda one: one.cost_usd).candidate
    if policy == "best":
        return max(offered, key=lambda one: one.quality).candidate
    names = [one.candidate for one in offered]
    if policy not in names:
        known = ", ".join(["cheapest", "best", *names])
        raise InputError(f"there is no policy {policy!r}; known are: {known}")
    return policy


def _place(decision: Decision) -> int:
    return [one.candidate for one in decision.estimates].index(decision.candidate)
