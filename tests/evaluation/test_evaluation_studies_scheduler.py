"""The scheduler's studies, on small made data."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from sls_plugins.errors import InputError
from sls_plugins.evaluation.studies import budgets, pacing, safety, thrift
from sls_plugins.evaluation.study import StudySetup, study_names

MODELS = {
    "cheap": {"input_usd_per_mtok": 0.1, "output_usd_per_mtok": 0.4},
    "dear": {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 4.0},
}


def write_trace(folder: Path, name: str, rows: int) -> None:
    """A trace of two topics: on one the cheap model is as good as the dear one."""
    rng = np.random.default_rng(5)
    lines = []
    for number in range(rows):
        easy = number % 2 == 0
        outcomes = {}
        for model, right in (("cheap", 0.9 if easy else 0.2), ("dear", 0.9)):
            price = MODELS[model]
            outcomes[model] = {
                "score": float(rng.random() < right),
                "input_tokens": 20,
                "output_tokens": 50,
                "cost_usd": (20 * price["input_usd_per_mtok"] + 50 * price["output_usd_per_mtok"])
                / 1e6,
                "latency_s": 0.5,
            }
        topic = "capital of country" if easy else "proof of theorem"
        lines.append(
            {
                "query_id": f"q{number}",
                "prompt": f"Give the {topic} {number}",
                "split": "train" if number < rows // 3 else "test",
                "outcomes": outcomes,
            }
        )
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    (folder / f"{name}.models.json").write_text(json.dumps(MODELS))


def setup_of(folder: Path, **changes: object) -> StudySetup:
    fields = {"traces": folder, "seeds": (0,), "encoder": "hashing", "embeddings": folder / "kept"}
    return StudySetup(**{**fields, **changes})


@pytest.mark.slow
def test_safety_is_told_for_every_trace_and_budget(tmp_path: Path) -> None:
    """Seven budgets of each trace with costs, each beside the best mix at equal spend."""
    write_trace(tmp_path, "two_topics", 240)
    seen: list[int] = []
    report = safety.run(setup_of(tmp_path), lambda done, note="": seen.append(done))
    [table] = report.tables
    assert len(table.rows) == seen[-1] == 7
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [row["budget"] for row in rows] == sorted(row["budget"] for row in rows)
    for row in rows:
        assert row["rows counted"] == 120
        assert row["difference"] == pytest.approx(row["quality"] - row["mix"], abs=2e-4)
    assert "of 7 runs" in report.notes[0]


def test_safety_without_a_trace_is_told(tmp_path: Path) -> None:
    """An empty folder is named."""
    with pytest.raises(InputError, match="no routing trace"):
        safety.run(setup_of(tmp_path), lambda done, note="": None)


@pytest.mark.slow
def test_an_hour_is_paced(tmp_path: Path) -> None:
    """The made-up hour keeps its budget, and tells its tenths."""
    for name in pacing.TRACES:
        write_trace(tmp_path, name, 40)
    arrivals = "".join(
        json.dumps({"query_id": str(n), "t_s": n * 12.0, "input_tokens": 5, "output_tokens": 5})
        + "\n"
        for n in range(300)
    )
    (tmp_path / f"{pacing.ARRIVALS}.jsonl").write_text(arrivals)
    report = pacing.run(setup_of(tmp_path, limit=150), lambda done, note="": None)
    [table] = report.tables
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert {row["trace"] for row in rows} == set(pacing.TRACES)
    for row in rows:
        assert 0.8 < row["used"] <= 1.0 + 1e-9
        assert 0.0 <= row["first tenth"] <= 1.0


def test_mean_budgets_are_told_without_the_warm_rows(tmp_path: Path) -> None:
    """Five budgets, each with its spend, its worst hundred queries, and the mix at that spend."""
    write_trace(tmp_path, budgets.TRACE, 60)
    report = budgets.run(setup_of(tmp_path, seeds=(0, 1)), lambda done, note="": None)
    [table] = report.tables
    assert [row[0] for row in table.rows] == list(budgets.BUDGETS_USD)
    for row in (dict(zip(table.columns, row, strict=True)) for row in table.rows):
        assert 0.0 <= row["lowest"] <= row["quality"] <= 1.0
        assert row["spent"] <= row["most"] <= row["worst 100"] + 1e-9 or row["most"] > 1


def test_thrift_is_told_beside_the_best_single_candidate(tmp_path: Path) -> None:
    """Every routing trace has a row; who is as good as the best for less shows it."""
    write_trace(tmp_path, "two_topics", 120)
    report = thrift.run(setup_of(tmp_path, seeds=(0, 1)), lambda done, note="": None)
    [table] = report.tables
    [row] = [dict(zip(table.columns, values, strict=True)) for values in table.rows]
    assert (row["best single"], row["rows"]) == ("dear", 120)
    assert 0.0 < row["spend"] < 1.0
    assert row["its quality"] - 0.35 < row["lowest"] <= row["quality"] <= 1.0


def test_thrift_without_a_trace_is_told(tmp_path: Path) -> None:
    """An empty folder is named."""
    with pytest.raises(InputError, match="no routing trace"):
        thrift.run(setup_of(tmp_path), lambda done, note="": None)


def test_the_studies_are_listed() -> None:
    """Each is found by its name and tells what it is about."""
    names = study_names()
    assert {"budgets", "safety", "thrift", "pacing", "ledger"} <= set(names)
