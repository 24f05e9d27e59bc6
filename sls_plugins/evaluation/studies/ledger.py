"""Whether a window's cap holds when many processes spend and some are killed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sls_plugins.evaluation.spending import Spending, Told, spend
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table

__all__ = ["report_of", "run"]

CAP_USD = 10.0


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Four processes of 16 threads, random kill -9, a minute, on SQLite; one run per seed.

    With a limit that many seconds instead of 60.
    """
    seconds = float(setup.limit or 60)
    found = []
    for seed in setup.seeds:
        with tempfile.TemporaryDirectory() as folder:
            plan = Spending(
                url=f"sqlite:///{folder}/sls.db",
                folder=Path(folder),
                cap_usd=CAP_USD * seconds / 60.0,
                hour_s=seconds / 3.0,
                seed=seed,
            )
            found.append((seed, plan, spend(plan)))
        advance(len(found))
    return report_of(found)


def report_of(found: list[tuple[int, Spending, Told]]) -> StudyReport:
    """One row per window of each run."""
    rows = tuple(
        (
            seed,
            window,
            plan.cap_usd,
            round(spent, 4),
            round(spent / plan.cap_usd, 4),
            round(called / plan.cap_usd, 4),
            told.calls,
            told.kills,
            round(told.open_usd, 6),
        )
        for seed, plan, told in found
        for window, (spent, called) in enumerate(zip(told.spent_usd, told.called_usd, strict=True))
    )
    over = sum(row[3] > row[2] + 1e-9 for row in rows)
    return StudyReport(
        title="One ledger, many processes, some of them killed",
        tables=(
            Table(
                title="4 processes of 16 threads, kill -9 every 3 s",
                columns=(
                    "seed",
                    "window",
                    "cap",
                    "spent",
                    "used",
                    "called",
                    "calls",
                    "kills",
                    "open",
                ),
                rows=rows,
                note="called: what calls cost by the word of their callers, also of those that "
                "were killed before they could settle, as a share of the cap. open: reservations "
                "after they expired, USD.",
            ),
        ),
        notes=(f"{over} of {len(rows)} windows are over their cap.",),
    )
