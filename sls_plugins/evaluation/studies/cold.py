"""What the cache's first labels can show, and which part of a slow start is want of evidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sls_plugins.cache.risk import RiskModel
from sls_plugins.evaluation.cache_figures import COLD_LABELS, COLD_WINDOW
from sls_plugins.evaluation.cache_replay import CacheResult, CacheRun, run_cache
from sls_plugins.evaluation.embedded import embedded
from sls_plugins.evaluation.study import Advance, Cell, StudyReport, StudySetup, Table
from sls_plugins.evaluation.traces import CacheRow, read_cache
from sls_plugins.evaluation.unserved import Look, Unserved, best_share, shuffled
from sls_plugins.types import Matrix

__all__ = ["run"]

CASES = {"cache_logs_loghub_a": 0.01, "cache_faq_banking77": 0.03}

_TARGET = 0.8
"""Share of what is found in the end that should be found after the first labels."""

_FOUND = ("trace", "order", "in the end", "found", "bar known", "model known, too")
_EVIDENCE = ("trace", "order", "hits, wrong", "labels, wrong", "looked at again, wrong")


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Both traces in several orders."""
    found: list[tuple[Cell, ...]] = []
    evidence: list[tuple[Cell, ...]] = []
    for trace, max_error in CASES.items():
        if setup.only and trace not in setup.only:
            continue
        given = tuple(read_cache(setup.trace(trace), setup.limit))
        for seed in setup.seeds:
            rows = shuffled(given, seed)
            result = run_cache(rows, _wanted(setup, max_error, seed), lambda _row: None)
            start = _Start(rows, embedded(setup, [row.text for row in rows]), result)
            found.append((trace, seed, *start.found(max_error, result)))
            evidence.append((trace, seed, *start.evidence()))
            advance(len(found), trace)
    return StudyReport(title="The cache's start", tables=(_found(found), _evidence(evidence)))


class _Start:
    """The rows with the first labels, those looked at again, and those that come then."""

    def __init__(self, rows: Sequence[CacheRow], vectors: Matrix, result: CacheResult) -> None:
        informed = RiskModel()
        informed.load(result.learnt)
        unserved = Unserved(rows, vectors, informed)
        self.first: list[Look] = []
        self.then: list[Look] = []
        self.again: list[Look] = []
        told = possible = 0
        for look in unserved.looks():
            if told < COLD_LABELS:
                self.first.append(look)
                told += look.told
                continue
            if not self.then:
                self.again = unserved.again(len(self.first))
            self.then.append(look)
            possible += look.possible
            if possible == COLD_WINDOW:
                break

    def found(self, max_error: float, result: CacheResult) -> tuple[Cell, ...]:
        """In the end, really, with the best bar in hindsight, with what is learnt in the end."""
        facts = result.facts()
        end, cold = facts["found_share_of_last_quarter"], facts["found_share_after_300_labels"]
        return (
            end if isinstance(end, float) else None,
            cold if isinstance(cold, float) else None,
            best_share(self.then, [look.risk for look in self.then], max_error),
            best_share(self.then, [look.informed for look in self.then], max_error),
        )

    def evidence(self) -> tuple[Cell, ...]:
        """How many lie below the bar that finds what should be found, and how many are wrong."""
        risks = np.sort([look.risk for look in self.then if look.possible])
        bar = float(risks[int(_TARGET * 0.5 * len(risks))]) if len(risks) else 0.0
        return tuple(_below(looks, bar) for looks in (self.then, self.first, self.again))


def _wanted(setup: StudySetup, max_error: float, seed: int) -> CacheRun:
    return CacheRun(
        max_error=max_error,
        encoder=setup.encoder,
        embeddings=setup.embeddings,
        seed=seed,
        rival=False,
    )


def _below(looks: Sequence[Look], bar: float) -> str:
    below = [look for look in looks if look.told and look.risk <= bar]
    return f"{len(below)}, {sum(not look.right for look in below)}"


def _found(rows: Sequence[tuple[Cell, ...]]) -> Table:
    return Table(
        title=f"Found share of the {COLD_WINDOW} possible hits after {COLD_LABELS} labels",
        columns=_FOUND,
        rows=tuple(rows),
        note="order 0: the trace's own. In the end: of the last quarter. Bar known: the bar on the "
        "model's forecasts that finds most within the bound, in hindsight; model known, too: the "
        "same with the model as it is after the whole trace.",
    )


def _evidence(rows: Sequence[tuple[Cell, ...]]) -> Table:
    return Table(
        title="What lies below the bar that serves four in ten possible hits",
        columns=_EVIDENCE,
        rows=tuple(rows),
        note="Hits: of the rows that come then. Labels: of the first ones, as they were told. "
        "Looked at again: the same rows afterwards, each beside all the others.",
    )
