"""Whether four processes on one database lose or repeat anything under kill -9 and a restart."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sls_plugins.evaluation.crowding import Crowd, Crowding
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table
from sls_plugins.storage.own_postgres import find_programs, running

__all__ = ["run"]

SECONDS = 60.0
KILL_EVERY_S = 6.0


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """SQLite, then PostgreSQL (restarted half-way) where it is installed; `limit` is in seconds."""
    seconds = float(setup.limit or SECONDS)
    found: dict[str, Crowding] = {}
    notes = ["every column but the first four must be 0; each process learns all lines, once"]
    with tempfile.TemporaryDirectory() as folder:
        crowd = Crowd(f"sqlite:///{folder}/sls.db", Path(folder))
        found["SQLite"] = crowd.run(seconds, KILL_EVERY_S)
    advance(1, "SQLite")
    if find_programs() is None:
        notes.append("PostgreSQL is not installed here: apt-get install postgresql")
    else:
        with tempfile.TemporaryDirectory() as folder, running() as server:
            crowd = Crowd(server.new_database(), Path(folder), interrupt=server.restart)
            found["PostgreSQL, restarted"] = crowd.run(seconds, KILL_EVERY_S)
        advance(2, "PostgreSQL")
    rows = tuple(
        (
            name,
            one.acknowledged,
            one.acknowledged / one.seconds,
            one.kills,
            one.lost,
            one.wrong_lives,
            one.behind,
            one.stuck,
        )
        for name, one in found.items()
    )
    table = Table(
        title=f"four processes, {seconds:.0f} s, one killed about every {KILL_EVERY_S:.0f} s",
        columns=(
            "database", "grades acknowledged", "per second", "kills", "grades lost",
            "learnt twice or skipped", "behind at the end", "stuck",
        ),
        rows=rows,
    )  # fmt: skip
    return StudyReport(title="Processes that share a database", tables=(table,), notes=tuple(notes))
