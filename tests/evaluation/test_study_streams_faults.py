"""The study of streams under random faults, with a few streams."""

from __future__ import annotations

from pathlib import Path

from sls_plugins.evaluation.study import StudySetup, find_study


def test_streams_complete_without_a_word_twice_or_lost(tmp_path: Path) -> None:
    """Of streams that break at random nearly all complete; what is seen is right."""
    steps: list[int] = []
    setup = StudySetup(
        traces=tmp_path, seeds=(3,), encoder="hashing", embeddings=tmp_path, limit=150
    )

    report = find_study("streams-faults").run(setup, lambda done, note="": steps.append(done))

    ((row,),) = [table.rows for table in report.tables]
    found = dict(zip(report.tables[0].columns, row, strict=True))
    assert found["had a fault"] > 10
    assert found["complete"] >= 145
    assert (found["said twice"], found["lost"], found["still held $"]) == (0, 0, 0.0)
    assert steps == list(range(1, 151))
