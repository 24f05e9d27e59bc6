"""Whether the cache keeps its bound on wrong hits on recorded traces, and how much it finds."""

from __future__ import annotations

from dataclasses import dataclass

from sls_plugins.evaluation.cache_figures import figures_of
from sls_plugins.evaluation.cache_replay import CacheResult, CacheRun, run_cache
from sls_plugins.evaluation.study import Advance, Cell, StudyReport, StudySetup, Table
from sls_plugins.evaluation.traces import read_cache

__all__ = ["CASES", "Case", "run"]


@dataclass(frozen=True, slots=True)
class Case:
    """A trace and the bound that is asked for."""

    trace: str
    max_error: float


CASES = (
    Case("cache_logs_loghub_a", 0.02),
    Case("cache_logs_loghub_a", 0.01),
    Case("cache_faq_banking77", 0.03),
    Case("cache_shell_nl2bash", 0.05),
)

_COLUMNS = (
    "trace", "max_error", "seed", "hits", "near hits", "wrong share", "found share",
    "after 300 labels", "last quarter", "bar finds",
)  # fmt: skip


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Every case with every seed; the best fixed bar is looked for once, in hindsight."""
    rows: list[tuple[Cell, ...]] = []
    for case in CASES:
        if setup.only and case.trace not in setup.only:
            continue
        trace = tuple(read_cache(setup.trace(case.trace), setup.limit))
        for seed in setup.seeds:
            wanted = CacheRun(
                max_error=case.max_error,
                encoder=setup.encoder,
                embeddings=setup.embeddings,
                seed=seed,
                rival=seed == setup.seeds[0],
            )
            result = run_cache(trace, wanted, lambda _row: None)
            rows.append(_row(case, seed, result))
            advance(len(rows), case.trace)
    return StudyReport(
        title="The cache on recorded traces",
        tables=(
            Table(
                title="Found share is that of the hits that were possible",
                columns=_COLUMNS,
                rows=tuple(rows),
                note="bar: the fixed cosine bar that finds most at the same error, in hindsight; "
                "empty where none keeps it (or for a further seed).",
            ),
        ),
    )


def _row(case: Case, seed: int, result: CacheResult) -> tuple[Cell, ...]:
    found, facts = figures_of(result.decided), result.facts()
    after, last = facts["found_share_after_300_labels"], facts["found_share_of_last_quarter"]
    return (
        case.trace,
        case.max_error,
        seed,
        found.hits,
        found.hits - found.exact,
        found.wrong / found.hits if found.hits else 0.0,
        found.found_share,
        after if isinstance(after, float) else None,
        last if isinstance(last, float) else None,
        None if result.rival is None else result.rival.found_share,
    )
