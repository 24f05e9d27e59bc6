"""Whether a window's cap holds when many processes spend and some are killed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sls_plugins.evaluation.spending import Spending, Told, spend
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table
from sls_plugins.storage.own_postgres import find_programs, running

__all__ = ["report_of", "run"]

CAP_USD = 10.0

COLUMNS = (
    "database", "seed", "window", "cap", "spent", "used", "called", "calls", "kills", "open",
)  # fmt: skip


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Four processes of 16 threads, random kill -9, a minute; one run per seed and database.

    SQLite, and PostgreSQL where it is installed. With a limit that many seconds instead of 60.
    """
    seconds, found = float(setup.limit or 60), []
    for seed in setup.seeds:
        with tempfile.TemporaryDirectory() as folder:
            found.append(_run(f"sqlite:///{folder}/sls.db", Path(folder), seconds, seed))
        advance(len(found), "SQLite")
        if find_programs() is not None:
            with tempfile.TemporaryDirectory() as folder, running() as server:
                found.append(_run(server.new_database(), Path(folder), seconds, seed))
            advance(len(found), "PostgreSQL")
    return report_of(found)


def _run(url: str, folder: Path, seconds: float, seed: int) -> tuple[Spending, Told]:
    plan = Spending(
        url=url,
        folder=folder,
        cap_usd=CAP_USD * seconds / 60.0,
        hour_s=seconds / 3.0,
        seed=seed,
    )
    return plan, spend(plan)


def report_of(found: list[tuple[Spending, Told]]) -> StudyReport:
    """One row per window of each run."""
    rows = tuple(
        (
            "SQLite" if plan.url.startswith("sqlite") else "PostgreSQL",
            plan.seed,
            window,
            plan.cap_usd,
            round(spent, 4),
            round(spent / plan.cap_usd, 4),
            round(called / plan.cap_usd, 4),
            told.calls,
            told.kills,
            round(told.open_usd, 6),
        )
        for plan, told in found
        for window, (spent, called) in enumerate(zip(told.spent_usd, told.called_usd, strict=True))
    )
    over = sum(row[4] > row[3] + 1e-9 for row in rows)
    return StudyReport(
        title="One ledger, many processes, some of them killed",
        tables=(
            Table(
                title="4 processes of 16 threads, kill -9 every 3 s",
                columns=COLUMNS,
                rows=rows,
                note="called: what calls cost by the word of their callers, also of those that "
                "were killed before they could settle, as a share of the cap. open: reservations "
                "after they expired, USD.",
            ),
        ),
        notes=(
            f"{over} of {len(rows)} windows are over their cap.",
            *(
                ()
                if find_programs()
                else ("PostgreSQL is not installed: apt-get install postgresql",)
            ),
        ),
    )
