"""Studies of the cache's desk, each on few queries."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sls_plugins.evaluation.phrases import TOPICS, question, wordings
from sls_plugins.evaluation.study import StudyReport, StudySetup, find_study, study_names


def studied(name: str, limit: int, tmp_path: Path) -> StudyReport:
    setup = StudySetup(
        traces=tmp_path, seeds=(0,), encoder="hashing", embeddings=tmp_path, limit=limit
    )
    return find_study(name).run(setup, lambda done, note="": None)


def test_phrases_are_distinct() -> None:
    """No wording is asked twice, no question is another one."""
    assert len({*wordings(TOPICS[0], 100)}) == 100
    assert len({question(number) for number in range(1000)}) == 1000


def test_flights(tmp_path: Path) -> None:
    """Identical queries cause one call in every way of calling."""
    [table] = studied("flights", 3, tmp_path).tables
    assert [row[2] for row in table.rows] == [1, 1, 1, 1]


def test_walls(tmp_path: Path) -> None:
    """There are hits, and no crossing, before and after a rebuild and a swap."""
    [table] = studied("walls", 300, tmp_path).tables
    assert sum(row[3] for row in table.rows) > 5
    assert [row[5] for row in table.rows] == [0] * 6


@pytest.mark.slow
def test_admissions(tmp_path: Path) -> None:
    """What a killed process had promised is there, and the index agrees with the rows."""
    [table] = studied("admissions", 1, tmp_path).tables
    for row in table.rows:
        assert row[2] >= 1
        assert row[3:] == (0, 0)


@pytest.mark.slow
def test_revocation(tmp_path: Path) -> None:
    """Served before, and never after, while Chroma holds the vector."""
    told = tmp_path / "told.json"
    command = [sys.executable, "-c", "from sls_plugins.cli import app; app()", "study"]
    options = ["revocation", "--limit", "20", "--encoder", "hashing", "--json", str(told)]
    subprocess.run([*command, *options], check=True, capture_output=True, timeout=120)
    rows = json.loads(told.read_text())["tables"][0]["rows"]
    assert [row["database"] for row in rows] == ["SQLite", "PostgreSQL"][: len(rows)]
    for row in rows:
        assert (row["trials"], row["served before"], row["stale answers"]) == (20, 20, 0)
        assert row["vector still in Chroma"] > 0


def test_they_are_found_by_name() -> None:
    """Each tells its question."""
    assert {"flights", "walls", "admissions", "revocation"} <= study_names().keys()
