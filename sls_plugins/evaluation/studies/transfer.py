"""What labels of other systems are worth for a system with none, or twenty, of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.evaluation.labelled import Labelled, interval, load_labelled
from sls_plugins.evaluation.study import Advance, Cell, StudyReport, StudySetup, Table
from sls_plugins.predictor.batch import Pooled
from sls_plugins.predictor.batch.cpls import CPLS, CPLSOptions
from sls_plugins.predictor.batch.probes import well_chosen

__all__ = ["run"]

Places = NDArray[np.intp]

TRACE = "log_parsing_a"

FEW = 20

COLUMNS = (
    "CPLS", "CPLS, rows scaled", "best single of sources", "ours", "best single in hindsight",
    "ours, 20 labels", "ours, full labels",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One left-out task: the rows of the sources, and its own."""

    name: str
    sources: Places
    own: Places


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Each task in turn is the target; quality of each query's best expected candidate."""
    given = load_labelled(setup, TRACE)
    found: dict[str, dict[str, list[float]]] = {}
    done = 0
    for name in sorted(set(given.tasks.tolist())):
        own = np.flatnonzero(given.tasks == name)
        target = Target(name=name, sources=np.flatnonzero(given.tasks != name), own=own)
        values = found.setdefault(name, {column: [] for column in COLUMNS})
        for seed in setup.seeds:
            facts = _without_labels(given, target, seed) | _with_labels(given, target, seed)
            if seed == setup.seeds[0]:
                facts |= _published(given, target)
            for column, value in facts.items():
                values[column].append(value)
            done += 1
            advance(done, f"{name}, seed {seed}")
    return _report(found, len(setup.seeds))


def _routed(given: Labelled, learner: Pooled | CPLS, places: Places) -> float:
    """Mean quality of the candidates that are expected to be best."""
    best = learner.expect(given.rows.take(places)).mean.argmax(axis=1)
    return float(given.quality[places, best].mean())


def _published(given: Labelled, target: Target) -> dict[str, float]:
    """CPLS, mended and as published; what it draws hardly matters, so it is run once."""
    facts = {}
    for column, scaling in (("CPLS", "feature"), ("CPLS, rows scaled", "row")):
        learner = CPLS(CPLSOptions.model_validate({"scaling": scaling}))
        learner.fit(given.labels(target.sources))
        facts[column] = _routed(given, learner, target.own)
    return facts


def _without_labels(given: Labelled, target: Target, seed: int) -> dict[str, float]:
    learner = Pooled(seed=seed)
    learner.fit(given.labels(target.sources))
    single = int(given.quality[target.sources].mean(axis=0).argmax())
    own = given.quality[target.own]
    return {
        "ours": _routed(given, learner, target.own),
        "best single of sources": float(own[:, single].mean()),
        "best single in hindsight": float(own.mean(axis=0).max()),
    }


def _with_labels(given: Labelled, target: Target, seed: int) -> dict[str, float]:
    """Half of the target's rows may be labelled; figures are of the other half."""
    order = np.random.default_rng(seed).permutation(target.own)
    pool, test = order[: len(order) // 2], order[len(order) // 2 :]
    chosen = pool[well_chosen(given.rows.take(pool), FEW)]
    facts = {}
    for column, labelled in (
        ("ours, 20 labels", chosen),
        ("ours, full labels", pool),
    ):
        learner = Pooled(seed=seed)
        learner.fit(given.labels(np.concatenate((target.sources, labelled))))
        facts[column] = _routed(given, learner, test)
    return facts


def _report(found: Mapping[str, Mapping[str, list[float]]], seeds: int) -> StudyReport:
    rows: list[tuple[Cell, ...]] = [
        (name, *(float(np.mean(values[column])) for column in COLUMNS))
        for name, values in found.items()
    ]
    means = {column: _by_seed(found, column) for column in COLUMNS}
    rows.append(("mean", *(interval(means[column]) for column in COLUMNS)))
    share = np.mean(means["ours, 20 labels"]) / np.mean(means["ours, full labels"])
    table = Table(
        title=f"{TRACE}: quality on a system that was left out, {seeds} seeds",
        columns=("target", *COLUMNS),
        rows=tuple(rows),
        note="The last two columns are of the half of the target that was never labelled.",
    )
    return StudyReport(
        title="Transfer",
        tables=(table,),
        notes=(
            f"Twenty chosen labels reach {share:.1%} of full labels.",
            "CPLS is run once; intervals are over seeds, not over targets.",
        ),
        data={"quality": {name: dict(values) for name, values in found.items()}},
    )


def _by_seed(found: Mapping[str, Mapping[str, list[float]]], column: str) -> list[float]:
    """The mean over targets, for each seed."""
    table = np.array([values[column] for values in found.values()])
    return [float(value) for value in table.mean(axis=0)]
