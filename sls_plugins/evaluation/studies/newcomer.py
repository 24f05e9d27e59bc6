"""How near thirty probes of a new candidate come to routing with all of its labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.evaluation.labelled import Labelled, interval, load_labelled
from sls_plugins.evaluation.study import Advance, Cell, StudyReport, StudySetup, Table
from sls_plugins.predictor.batch import Pooled, PooledOptions
from sls_plugins.predictor.batch.probes import well_chosen

__all__ = ["run"]

Places = NDArray[np.intp]
Mask = NDArray[np.bool_]

TRACES = ("routing_mixed_llmrouter", "routing_mixed_paretobandit")

TRAINED, PROBES = 0.7, 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Rows to learn from and to measure on, and the probes among the former."""

    train: Places
    test: Places
    probes: Places


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Each candidate in turn is the newcomer: all others have full labels on 70 % of the rows."""
    tables, data, done = [], {}, 0
    for name in TRACES:
        given = load_labelled(setup, name)
        found: dict[str, list[tuple[float, float, float]]] = {one: [] for one in given.names}
        for seed in setup.seeds:
            split = _split(given, seed)
            known = np.ones((len(split.train), len(given.names)), bool)
            full = _quality(given, split, known, seed)
            for column, one in enumerate(given.names):
                hidden = known.copy()
                hidden[:, column] = False
                without = _quality(given, split, hidden, seed)
                hidden[split.probes, column] = True
                found[one].append((full, _quality(given, split, hidden, seed), without))
                done += 1
                advance(done, f"{name}, seed {seed}, {one}")
        tables.append(_table(name, found))
        data[name] = {one: [list(each) for each in values] for one, values in found.items()}
    return StudyReport(
        title="A new candidate after thirty probes",
        tables=tuple(tables),
        notes=("Every query goes to the candidate that is expected to be best, at any price.",),
        data={"full, probes, without": dict(data)},
    )


def _split(given: Labelled, seed: int) -> Split:
    order = np.random.default_rng(seed).permutation(len(given.rows))
    cut = int(TRAINED * len(order))
    train, test = order[:cut], order[cut:]
    return Split(train=train, test=test, probes=well_chosen(given.rows.take(train), PROBES))


def _quality(given: Labelled, split: Split, known: Mask, seed: int) -> float:
    learner = Pooled(PooledOptions(inducing=512), seed=seed)
    learner.fit(given.labels(split.train, known))
    said = learner.expect(given.rows.take(split.test)).mean
    best = np.where(np.isnan(said), -np.inf, said).argmax(axis=1)
    return float(given.quality[split.test, best].mean())


def _table(name: str, found: dict[str, list[tuple[float, float, float]]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one, values in found.items():
        full, probed, without = np.array(values).T
        rows.append((one, full.mean(), probed.mean(), without.mean(), (probed - full).mean()))
    every = np.array(list(found.values()))
    apart = (every[:, :, 1] - every[:, :, 0]).mean(axis=0)
    means = every.mean(axis=(0, 1))
    rows.append(("mean", *(float(mean) for mean in means), interval([float(x) for x in apart])))
    columns = ("newcomer", "all its labels", "30 probes", "without it", "difference")
    return Table(title=name, columns=columns, rows=tuple(rows))
