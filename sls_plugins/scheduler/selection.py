"""One query's choice on given terms: the same terms and seed give the same choice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sls_plugins.errors import InputError
from sls_plugins.scheduler.exploration import Scenarios, uniform
from sls_plugins.types import Decision, Estimate

__all__ = [
    "Picked",
    "Terms",
    "choose_again",
    "credible",
    "explored_usd",
    "pick",
    "terms_of",
    "value_of",
    "values_of",
    "within",
    "worth_of",
    "worths_of",
]

Floats = NDArray[np.float64]

PLAIN = ("price", "purse_usd", "tail", "latency_weight", "deadline_s", "safe", "scenarios")
"""The terms that are one number."""

PARTS = ("curiosity", "mix", "trial", "doubt", "held")
"""The terms that are a number for each candidate."""


@dataclass(frozen=True, slots=True)
class Picked:
    """The ranking, best first, and with which probability its first was chosen.

    `best` is the best value, doubts aside, of those that could be asked without being on trial.
    `policy` and `mix` are the probabilities with which the learnt policy, and the fixed mix, would
    have chosen each of those who are `able`, by `names`.
    """

    ranking: tuple[Estimate, ...]
    propensity: float
    able: tuple[Estimate, ...]
    names: tuple[str, ...]
    policy: Floats
    mix: Floats
    best: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms to choose; with the estimates and the seed, all that a choice depends on.

    `price` is λ in quality per USD, `purse_usd` what may be spent on the call, `tail` how often its
    high quantile a call is allowed for, `latency_weight` the quality that a second costs,
    `deadline_s` the latency beyond which a candidate is asked last. `curiosity` is the share of
    each candidate's doubt to explore; `safe` the share of queries that the fixed `mix` decides,
    `trial` the share that is given to each candidate which was hardly ever asked. `doubt` is how
    far each candidate as a whole may be from what is thought of it; it counts below price 0 only.
    `held` are candidates in quarantine, with the share of the queries that each gets as probes.
    `scenarios` is the seed of what was explored.
    """

    price: float
    purse_usd: float
    tail: float = 1.0
    latency_weight: float = 0.0
    deadline_s: float = float("inf")
    safe: float = 0.0
    scenarios: int = 0
    curiosity: Mapping[str, float] = field(default_factory=dict)
    mix: Mapping[str, float] = field(default_factory=dict)
    trial: Mapping[str, float] = field(default_factory=dict)
    doubt: Mapping[str, float] = field(default_factory=dict)
    held: Mapping[str, float] = field(default_factory=dict)

    def flat(self) -> tuple[tuple[str, float], ...]:
        """As named numbers, for the receipt."""
        flat: list[tuple[str, float]] = [(name, getattr(self, name)) for name in PLAIN]
        for kind in PARTS:
            part: Mapping[str, float] = getattr(self, kind)
            if part:
                flat += [(f"{kind}/{name}", share) for name, share in part.items()]
        return tuple(flat)


def terms_of(flat: Sequence[tuple[str, float]]) -> Terms:
    """What `Terms.flat` gave, as terms again."""
    plain = {name: value for name, value in flat if "/" not in name}
    parts: dict[str, dict[str, float]] = {kind: {} for kind in PARTS}
    for name, value in flat:
        if "/" in name:
            kind, candidate = name.split("/", 1)
            parts[kind][candidate] = value
    return Terms(
        price=plain["price"],
        purse_usd=plain["purse_usd"],
        tail=plain["tail"],
        latency_weight=plain["latency_weight"],
        deadline_s=plain["deadline_s"],
        safe=plain["safe"],
        scenarios=int(plain["scenarios"]),
        curiosity=parts["curiosity"],
        mix=parts["mix"],
        trial=parts["trial"],
        doubt=parts["doubt"],
        held=parts["held"],
    )


def within(
    estimates: Sequence[Estimate], ceiling_usd: float
) -> tuple[list[Estimate], dict[str, str]]:
    """Estimates whose high quantile stays under the ceiling; and why the others do not."""
    kept = [one for one in estimates if one.cost_high_usd <= ceiling_usd]
    if len(kept) == len(estimates):
        return kept, {}
    causes = {
        one.candidate: f"may cost {one.cost_high_usd:.3g} USD, the ceiling is {ceiling_usd:.3g}"
        for one in estimates
        if one.cost_high_usd > ceiling_usd
    }
    return kept, causes


def value_of(one: Estimate, latency_weight: float) -> float:
    """Quality less what waiting for it costs."""
    return one.quality - latency_weight * (one.latency_s or 0.0) if latency_weight else one.quality


def values_of(estimates: Sequence[Estimate], latency_weight: float) -> list[float]:
    """Each one's quality less what waiting for it costs."""
    if latency_weight:
        return [value_of(one, latency_weight) for one in estimates]
    return [one.quality for one in estimates]


def worth_of(one: Estimate, terms: Terms) -> float:
    """Its value at this price with the news that asking brings, doubts aside."""
    return value_of(one, terms.latency_weight) + one.news - terms.price * one.cost_usd


def worths_of(estimates: Sequence[Estimate], terms: Terms) -> list[float]:
    """Each one's value at this price."""
    values, price = values_of(estimates, terms.latency_weight), terms.price
    return [
        value + one.news - price * one.cost_usd
        for one, value in zip(estimates, values, strict=True)
    ]


def credible(
    estimates: Sequence[Estimate], doubt: Mapping[str, float], latency_weight: float = 0.0
) -> list[Estimate]:
    """Those that may be the best for all that is known, and those that are no dearer than it."""
    values = values_of(estimates, latency_weight)
    most = max(values)
    best_usd = estimates[values.index(most)].cost_usd
    return [
        one
        for one, value in zip(estimates, values, strict=True)
        if one.cost_usd <= best_usd
        or value + max(one.quality_sd, doubt.get(one.candidate, 0.0)) >= most
    ]


def affordable(estimates: Sequence[Estimate], terms: Terms) -> list[Estimate]:
    """Those that may be asked now, the cheapest first; the cheapest if it can pay for nobody."""
    order = sorted(estimates, key=lambda one: (one.cost_usd, -one.quality))
    able = [one for one in order if one.cost_high_usd * terms.tail <= terms.purse_usd] or order[:1]
    if terms.deadline_s < math.inf:
        able = [one for one in able if (one.latency_s or 0.0) <= terms.deadline_s] or able
    tried = []
    if terms.trial:
        tried = [one for one in order if one.candidate in terms.trial and one not in able]
    if terms.price < 0.0:
        able = credible(able, terms.doubt, terms.latency_weight)
    return able + tried


def pick(estimates: Sequence[Estimate], terms: Terms, scenarios: Scenarios, seed: int) -> Picked:
    """Maximise quality - price·cost among those that may be asked; the rest ranks behind.

    A share of the queries is decided by the fixed mix, or is a trial. Ties go to the cheaper.
    Who is in quarantine is asked as a probe, or when nobody else is left.
    """
    if terms.held:
        free = [one for one in estimates if one.candidate not in terms.held]
        if free:
            return _beside(free, estimates, terms, scenarios, seed)
    able = affordable(estimates, terms)
    names = tuple([one.candidate for one in able])
    worths = worths_of(able, terms)
    drawn, policy = scenarios.draw(np.array(worths), _doubts(able, terms.curiosity), seed)
    mix, trial = _shares(names, terms.mix), _shares(names, terms.trial)
    whole = float(mix.sum()) if terms.mix else 0.0
    if whole > 0.0:
        mix /= whole
    safe = terms.safe if whole > 0.0 else 0.0
    learnt = 1.0 - safe - (float(trial.sum()) if terms.trial else 0.0)
    first, draw = int(drawn.argmax()), uniform(seed, 1)
    if draw >= learnt:
        beside = np.cumsum(safe * mix + trial) * (1.0 - 1e-12)
        first = min(int(np.searchsorted(beside, draw - learnt, side="right")), len(able) - 1)
    ranking = [able[first]]
    ranking += [able[i] for i in (-drawn).argsort(kind="stable").tolist() if i != first]
    if len(able) < len(estimates):
        known = set(names)
        rest = [one for one in estimates if one.candidate not in known]
        ranking += sorted(rest, key=lambda one: (one.cost_usd, -one.quality))
    chance = float(learnt * policy[first] + safe * mix[first] + trial[first])
    best = _best_usual(able, worths, terms.trial)
    return Picked(tuple(ranking), chance, tuple(able), names, policy, mix, best)


def _best_usual(
    able: Sequence[Estimate], worths: Sequence[float], trial: Mapping[str, float]
) -> Estimate:
    """The best value of those that are not on trial, if there are any."""
    if trial:
        usual = [i for i, one in enumerate(able) if one.candidate not in trial]
        if usual:
            return able[max(usual, key=worths.__getitem__)]
    return able[worths.index(max(worths))]


def _beside(
    free: Sequence[Estimate],
    estimates: Sequence[Estimate],
    terms: Terms,
    scenarios: Scenarios,
    seed: int,
) -> Picked:
    """Choose among those that are free, but for the probes of the others."""
    held = [one for one in estimates if one.candidate in terms.held]
    able = [one for one in held if one.cost_high_usd * terms.tail <= terms.purse_usd]
    shares = np.cumsum([0.0, *(terms.held[one.candidate] for one in able)])
    picked = pick(free, replace(terms, held={}), scenarios, seed)
    both = (*picked.able, *able)
    names = tuple(one.candidate for one in both)
    policy = np.concatenate((picked.policy, np.zeros(len(able))))
    mix = np.concatenate((picked.mix, np.zeros(len(able))))
    place = int(np.searchsorted(shares[1:], uniform(seed, 2), side="right"))
    if place < len(able):
        probe = able[place]
        order = (probe, *picked.ranking, *(one for one in held if one is not probe))
        chance = float(shares[place + 1] - shares[place])
        return Picked(order, chance, both, names, policy, mix, picked.best)
    chance = picked.propensity * (1.0 - float(shares[-1]))
    return Picked((*picked.ranking, *held), chance, both, names, policy, mix, picked.best)


def choose_again(decision: Decision) -> tuple[tuple[str, ...], float]:
    """Ranking and propensity of a stored decision, made again from its receipt: bit for bit.

    Raises InputError for a decision that was not made by `pick`.
    """
    if not decision.terms:
        raise InputError(f"decision {decision.id!r} keeps no terms from which to make it again")
    terms, ranked = terms_of(decision.terms), set(decision.ranking)
    estimates = [one for one in decision.estimates if one.candidate in ranked]
    picked = pick(estimates, terms, Scenarios(terms.scenarios), decision.seed)
    return tuple(one.candidate for one in picked.ranking), picked.propensity


def explored_usd(decision: Decision) -> float | None:
    """What a decision that explored was expected to cost more than the best value it might choose.

    Below 0 where who was tried is cheaper; None for a decision that did not explore.
    """
    if not decision.terms:
        return None
    terms, ranked = terms_of(decision.terms), set(decision.ranking)
    able = affordable([one for one in decision.estimates if one.candidate in ranked], terms)
    payable = [one for one in able if one.candidate not in terms.trial] or able
    best = max(payable, key=lambda one: worth_of(one, terms))
    first = decision.estimate_of(decision.candidate)
    if worth_of(first, terms) >= worth_of(best, terms):
        return None
    return first.cost_usd - best.cost_usd


def _shares(names: Sequence[str], shares: Mapping[str, float]) -> Floats:
    """What each of `names` gets."""
    if not shares:
        return np.zeros(len(names))
    return np.array([shares.get(name, 0.0) for name in names])


def _doubts(able: Sequence[Estimate], curiosity: Mapping[str, float]) -> Floats:
    """How much of the doubt about each one is explored."""
    if not curiosity:
        return np.zeros(len(able))
    return np.array([curiosity.get(one.candidate, 0.0) * one.quality_sd for one in able])
