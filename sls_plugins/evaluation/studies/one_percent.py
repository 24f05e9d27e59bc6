"""What one per cent of labels is worth in a batch, beside OptLLM's predictor and allocation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.evaluation.labelled import (
    Labelled,
    Reached,
    cost_of,
    interval,
    load_labelled,
    reached,
)
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table
from sls_plugins.predictor.batch import Expected, Labels, Pooled, Rows, Stacked
from sls_plugins.predictor.batch.forest import Forest, ForestOptions
from sls_plugins.scheduler.batch import tradeoffs

__all__ = ["run"]

Floats = NDArray[np.float64]

TRACE = "log_parsing_a"

SHARE = 0.01

PAPER = ForestOptions(resamples=100, trees=20, alpha=1.0)
"""The paper has 100 trees a forest; 2,000 trees a candidate are as good as its 10,000."""


NOTE = (
    "Points are chosen along each front in hindsight, as OptLLM's authors do; costs are expected "
    "from the length of the text. Forests: 100 resamples of 20 trees, depth 10, on embeddings of "
    "this study's encoder (the paper: fastText)."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A predictor with an allocation."""

    expect: Callable[[Labels, Rows, int], Floats]
    method: str


def _forest(alpha: float, validation: float) -> Callable[[Labels, Rows, int], Floats]:
    def expect(labels: Labels, rows: Rows, seed: int) -> Floats:
        chosen = {"alpha": alpha, "validation": validation}
        forest = Forest(PAPER.model_copy(update=chosen), seed)
        forest.fit(labels)
        return forest.expect(rows).mean

    return expect


def _pooled(labels: Labels, rows: Rows, seed: int) -> Floats:
    pooled = Pooled(seed=seed)
    pooled.fit(labels)
    return pooled.expect(rows).mean


def _stacked(labels: Labels, rows: Rows, seed: int) -> Floats:
    stack = Stacked(seed)
    stack.fit(labels)
    said: Expected = stack.expect(rows)
    return said.mean


WAYS = {
    "OptLLM: forest, mean + sd, its allocation": Way(expect=_forest(1.0, 0.5), method="optllm"),
    "forest, mean, exact front": Way(expect=_forest(0.0, 0.5), method="exact"),
    "forest, nothing held back, exact front": Way(expect=_forest(0.0, 0.0), method="exact"),
    "transfer (ours, pooled), exact front": Way(expect=_pooled, method="exact"),
    "stacked (ours), exact front": Way(expect=_stacked, method="exact"),
}


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """1 % of the rows with the labels of all candidates, drawn at random; the rest is the batch."""
    given = load_labelled(setup, TRACE)
    found: dict[str, list[Reached]] = {name: [] for name in WAYS}
    singles, labelling, done = [], [], 0
    for seed in setup.seeds:
        order = np.random.default_rng(seed).permutation(len(given.rows))
        cut = max(int(SHARE * len(order)), 10)
        train, test = order[:cut], order[cut:]
        quality, cost_usd = given.quality[test], given.cost_usd[test]
        best = int(quality.mean(axis=0).argmax())
        singles.append((float(quality[:, best].mean()), float(cost_usd[:, best].sum())))
        labelling.append(float(given.cost_usd[train].sum()))
        costs = cost_of(given, train, test)
        for name, way in WAYS.items():
            said = way.expect(given.labels(train), given.rows.take(test), seed)
            front = tradeoffs(said, costs, method=way.method)
            found[name].append(reached(front, quality, cost_usd, singles[-1][0]))
            done += 1
            advance(done, f"seed {seed}, {name}: {found[name][-1].quality:.3f}")
    return _report(given, found, singles, labelling)


def _report(
    given: Labelled,
    found: dict[str, list[Reached]],
    singles: list[tuple[float, float]],
    labelling: list[float],
) -> StudyReport:
    rows: list[tuple[str, str, str]] = [
        (
            "always the best single model",
            interval([quality for quality, _ in singles]),
            interval([usd for _, usd in singles]),
        )
    ]
    for name, values in found.items():
        usd = [value.usd for value in values if value.usd is not None]
        missed = len(values) - len(usd)
        text = interval(usd) if usd else "never"
        rows.append(
            (
                name,
                interval([value.quality for value in values]),
                f"{text} ({missed} never)" if usd and missed else text,
            )
        )
    table = Table(
        title=f"{TRACE}: {SHARE:.0%} of {len(given.rows)} rows labelled, {len(singles)} seeds",
        columns=(
            "predictor, allocation",
            "best quality reached",
            "USD to match best single",
        ),
        rows=tuple(rows),
        note=f"Labelling cost {interval(labelling)} USD more, for every row but the first.",
    )
    return StudyReport(
        title="One per cent of labels",
        tables=(table,),
        notes=(NOTE,),
        data={
            "best_quality": {name: [one.quality for one in each] for name, each in found.items()},
            "usd_to_match": {name: [one.usd for one in each] for name, each in found.items()},
            "labelling_usd": labelling,
        },
    )
