"""How much of the gap between two models full labels recover, over all shares of strong calls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sls_plugins.evaluation.labelled import Labelled, interval, load_labelled
from sls_plugins.evaluation.metrics import mean_interval
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table
from sls_plugins.predictor.batch import Labels, Stacked
from sls_plugins.predictor.batch.nearby import Clusters, Nearest, Ridge

__all__ = ["METHODS", "apgr", "run"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Gain = Callable[[Labels, Labels, int], Floats]

TRACE = "routing_mcq_mmlu_routellm"

TRAINED, FEW = 0.7, 200


def apgr(gain: Floats, quality: Floats) -> float:
    """RouteLLM's average performance gap recovered.

    Queries go to the strong model (column 0) in falling order of `gain` (n,); recovered is the
    share of the difference between both models' means, averaged over all shares of strong calls.
    """
    order = np.argsort(-gain, kind="stable")
    steps = (quality[:, 0] - quality[:, 1])[order]
    recovered = np.concatenate(([0.0], np.cumsum(steps)))
    middle = (recovered[1:] + recovered[:-1]) / 2.0
    return float(middle.mean() / recovered[-1])


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """70 % of the rows to learn from (all, or 200 of them), 30 % to measure on, by seed."""
    given = load_labelled(setup, TRACE)
    strong = int(given.quality.mean(axis=0).argmax())
    pair = [strong, 1 - strong]
    found: dict[tuple[str, int], list[float]] = {}
    done = 0
    for seed in setup.seeds:
        order = np.random.default_rng(seed).permutation(len(given.rows))
        cut = int(TRAINED * len(order))
        test = given.labels(order[cut:])
        for size in (min(FEW, cut), cut):
            train = given.labels(order[:size])
            for name, gain in METHODS.items():
                said = gain(train, test, seed)
                value = apgr(said[:, pair] @ (1.0, -1.0), test.quality[:, pair])
                found.setdefault((name, size), []).append(value)
                done += 1
                advance(done, f"seed {seed}, {size} labels, {name}: {value:.3f}")
    return _report(given, setup, found)


def _random(train: Labels, test: Labels, seed: int) -> Floats:  # noqa: ARG001 - it learns nothing
    return np.random.default_rng(seed).random(test.quality.shape)


def _ridge(train: Labels, test: Labels, seed: int) -> Floats:  # noqa: ARG001 - it draws nothing
    ridge = Ridge()
    ridge.fit(train.rows.vectors, train.quality - train.quality.mean(axis=0))
    return ridge.expect(test.rows.vectors)


def _nearest(train: Labels, test: Labels, seed: int) -> Floats:  # noqa: ARG001 - it draws nothing
    nearest = Nearest()
    nearest.fit(train.rows.vectors, train.quality - train.quality.mean(axis=0))
    return nearest.expect(test.rows.vectors)


def _plain(train: Labels, test: Labels, seed: int) -> Floats:
    """Ridge, kNN and clusters, each brought to the same spread, added up."""
    clusters = Clusters()
    clusters.fit(train.rows.vectors, train.quality - train.quality.mean(axis=0))
    said = (
        _ridge(train, test, seed),
        _nearest(train, test, seed),
        clusters.expect(test.rows.vectors),
    )
    apart = [one - one.mean(axis=1, keepdims=True) for one in said]
    return np.asarray(sum(one / max(float(one.std()), 1e-9) for one in apart))


def _stacked(train: Labels, test: Labels, seed: int) -> Floats:
    stack = Stacked(seed)
    stack.fit(train)
    return stack.expect(test.rows).mean


METHODS: dict[str, Gain] = {
    "random": _random,
    "ridge": _ridge,
    "kNN": _nearest,
    "plain stack of both with clusters": _plain,
    "stacked (ours)": _stacked,
}


def _report(
    given: Labelled, setup: StudySetup, found: dict[tuple[str, int], list[float]]
) -> StudyReport:
    sizes = sorted({size for _, size in found})
    oracle = apgr(given.quality @ (1.0, -1.0), given.quality)
    rows = tuple((name, *(interval(found[name, size]) for size in sizes)) for name in METHODS)
    table = Table(
        title=f"APGR on {TRACE}, {len(setup.seeds)} seeds, 95 % intervals",
        columns=("method", *(f"{size} labels" for size in sizes)),
        rows=rows,
        note="RouteLLM's best published router has .603; kNN and ridge on the same embeddings.",
    )
    data = {f"{name}, {size}": mean_interval(values).mean for (name, size), values in found.items()}
    return StudyReport(
        title="Full labels, two models",
        tables=(table,),
        notes=(f"An oracle reaches {abs(oracle):.3f}.",),
        data={"apgr": dict(data)},
    )
