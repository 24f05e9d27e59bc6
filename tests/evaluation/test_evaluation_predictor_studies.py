"""The predictor's studies run on small made traces, and tell what they should."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sls_plugins.errors import InputError
from sls_plugins.evaluation.studies.calibration import covered
from sls_plugins.evaluation.studies.cost import r2
from sls_plugins.evaluation.study import StudyReport, StudySetup, find_study

MIXED = {"small": (0.1, 0.4), "large": (2.0, 8.0)}

PRIMES = {
    "gpt-3.5-turbo-0301": (1.5, 2.0),
    "gpt-3.5-turbo-0613": (1.5, 2.0),
    "gpt-4-0314": (30.0, 60.0),
    "gpt-4-0613": (30.0, 60.0),
}


def write(folder: Path, name: str, models: dict[str, tuple[float, float]], rows: int) -> None:
    """A made trace: the last model is usually right, the first every other time."""
    rng = np.random.default_rng(3)
    prices = {
        model: {"input_usd_per_mtok": into, "output_usd_per_mtok": out}
        for model, (into, out) in models.items()
    }
    (folder / f"{name}.models.json").write_text(json.dumps(prices))
    lines = []
    for number in range(rows):
        outcomes = {}
        for place, (model, (into, out)) in enumerate(models.items()):
            tokens = int(rng.integers(20, 200))
            outcomes[model] = {
                "score": float(rng.random() < 0.5 + 0.4 * place / (len(models) - 1)),
                "input_tokens": 10,
                "output_tokens": tokens,
                "cost_usd": (10 * into + tokens * out) / 1e6,
            }
        row = {
            "query_id": str(number),
            "task": f"task-{number % 2}",
            "prompt": f"question {number} about topic {number % 7}",
            "split": "train" if number % 2 else "test",
            "outcomes": outcomes,
        }
        lines.append(json.dumps(row))
    (folder / f"{name}.jsonl").write_text("\n".join(lines))


def report_of(study: str, folder: Path, limit: int | None = None) -> StudyReport:
    """What a study finds in the folder, with the encoder that needs no weights."""
    setup = StudySetup(
        traces=folder, seeds=(0,), encoder="hashing", embeddings=folder / "kept", limit=limit
    )
    return find_study(study).run(setup, lambda _done, _note="": None)


def test_calibration_tells_of_every_long_trace(tmp_path: Path) -> None:
    """A line per trace and aim, with errors that a run from zero may have."""
    write(tmp_path, "one", MIXED, 120)
    [table] = report_of("calibration", tmp_path, limit=120).tables
    assert [row[:2] for row in table.rows] == [("one", "none"), ("one", "budget")]
    assert all(0.0 <= float(str(row[2]).split()[0]) < 0.3 for row in table.rows)


def test_calibration_needs_a_trace(tmp_path: Path) -> None:
    """A folder without traces is named."""
    with pytest.raises(InputError, match="no routing trace"):
        report_of("calibration", tmp_path)


def test_feedback_sets_gains_side_by_side(tmp_path: Path) -> None:
    """Both traces, each beginning with full feedback, to which the others are compared."""
    for name in ("log_parsing_a", "routing_mixed_paretobandit"):
        write(tmp_path, name, MIXED, 20)
    tables = report_of("feedback", tmp_path).tables
    assert len(tables) == 4
    assert all(table.rows[0][1:3] == (1.0, 0) for table in tables)


def test_drift_swaps_models_under_a_name(tmp_path: Path) -> None:
    """Every swap is shown with every aim, beside an engine that began at the change."""
    write(tmp_path, "routing_primes_llmdrift", PRIMES, 24)
    [table] = report_of("drift", tmp_path).tables
    assert len(table.rows) == 8
    assert all(0.0 <= float(str(row[4])) <= 1.0 for row in table.rows)


def test_cost_is_measured_candidate_by_candidate(tmp_path: Path) -> None:
    """Each candidate's calls are foreseen, with one call per query or all of them."""
    write(tmp_path, "routing_mixed_paretobandit", MIXED, 160)
    tables = report_of("cost", tmp_path).tables
    assert [row[0] for row in tables[0].rows] == ["small", "large", "mean of candidates"]
    assert len(tables) == 2


def test_r2_is_one_for_the_truth_and_nothing_for_the_mean() -> None:
    """Shares of explained variance, column by column."""
    real = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    guess = np.array([[1.0, 2.0], [2.0, 2.0], [3.0, 2.0]])
    assert r2(guess, real).tolist() == [1.0, 0.0]


def test_covered_knows_right_from_wrong() -> None:
    """Honest expectations are within most intervals, those of a braggart in none."""
    rng = np.random.default_rng(1)
    expected = rng.uniform(0.2, 0.8, 4000)
    real = (rng.random(4000) < expected).astype(float)
    assert covered(expected, real) >= 0.75
    assert covered(np.minimum(expected + 0.2, 1.0), real) <= 0.1
