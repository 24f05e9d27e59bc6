"""The studies of batch predictors, on small made traces."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sls_plugins.evaluation.labelled import reached
from sls_plugins.evaluation.studies import one_percent
from sls_plugins.evaluation.studies.apgr import METHODS, apgr
from sls_plugins.evaluation.study import StudyReport, StudySetup, find_study
from sls_plugins.predictor.batch.forest import ForestOptions
from sls_plugins.scheduler.batch import tradeoffs

WORDS = ("open", "close", "prove", "guess")


def write(folder: Path, name: str, models: tuple[str, ...], tasks: tuple[str, ...]) -> None:
    """A trace in which the first model is right on half of the words, the last on all but one."""
    rng = np.random.default_rng(0)
    lines = []
    for number in range(120):
        word = WORDS[number % 4]
        outcomes = {
            model: {
                "score": float(rng.random() < (0.9 if number % 4 <= 1 + place else 0.2)),
                "input_tokens": 10,
                "output_tokens": 5,
                "cost_usd": 1e-5 * 10**place,
            }
            for place, model in enumerate(models)
        }
        row = {
            "query_id": f"q{number}",
            "task": tasks[number % len(tasks)],
            "prompt": f"please {word} the door number {number} of {tasks[number % len(tasks)]}",
            "outcomes": outcomes,
        }
        lines.append(json.dumps(row))
    (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    prices = {model: {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 1.0} for model in models}
    (folder / f"{name}.models.json").write_text(json.dumps(prices), encoding="utf-8")


@pytest.fixture
def setup(tmp_path: Path) -> StudySetup:
    write(tmp_path, "routing_mcq_mmlu_routellm", ("weak", "strong"), ("mcq",))
    write(tmp_path, "log_parsing_a", ("small", "middle", "large"), ("logs/a", "logs/b", "logs/c"))
    write(tmp_path, "routing_mixed_llmrouter", ("small", "middle", "large"), ("mixed",))
    write(tmp_path, "routing_mixed_paretobandit", ("small", "large"), ("mixed",))
    return StudySetup(
        traces=tmp_path, seeds=(0,), encoder="hashing", embeddings=tmp_path / "embeddings"
    )


def study(name: str, setup: StudySetup) -> StudyReport:
    steps: list[int] = []
    report = find_study(name).run(setup, lambda done, note="": steps.append(done))
    assert steps == sorted(steps)
    json.dumps(report.facts())
    return report


def test_apgr_is_half_for_chance_and_more_for_foresight() -> None:
    """An order that knows nothing recovers half; the right order more, the wrong one less."""
    rng = np.random.default_rng(0)
    quality = (rng.random((4000, 2)) < (0.8, 0.5)).astype(float)
    difference = quality[:, 0] - quality[:, 1]
    assert apgr(rng.random(4000), quality) == pytest.approx(0.5, abs=0.05)
    assert apgr(difference, quality) > 0.9
    assert apgr(-difference, quality) < 0.2


def test_the_apgr_study_has_a_row_for_every_rival(setup) -> None:
    """Ours stands beside random, ridge and kNN, and is better than chance."""
    report = study("apgr", setup)
    (table,) = report.tables
    assert [row[0] for row in table.rows] == list(METHODS)
    assert report.data["apgr"]["stacked (ours), 84"] > 0.55


def test_the_one_percent_study_has_optllms_row(setup, monkeypatch) -> None:
    """OptLLM's predictor with its allocation stands beside ours; labelling is counted."""
    monkeypatch.setattr(one_percent, "PAPER", ForestOptions(resamples=3, trees=4, alpha=1.0))
    report = study("one-percent", setup)
    (table,) = report.tables
    assert [row[0] for row in table.rows][:2] == [
        "always the best single model",
        "OptLLM: forest, mean + sd, its allocation",
    ]
    assert "Labelling cost" in table.note


def test_the_transfer_study_has_a_row_for_every_target(setup) -> None:
    """Each task is left out once; the published method stands beside ours."""
    (table,) = study("transfer", setup).tables
    assert [row[0] for row in table.rows] == ["logs/a", "logs/b", "logs/c", "mean"]
    assert "CPLS, rows scaled" in table.columns


def test_the_newcomer_study_has_a_row_for_every_candidate(setup) -> None:
    """Every candidate is the newcomer once, on both traces."""
    one, other = study("newcomer", setup).tables
    assert [row[0] for row in one.rows] == ["small", "middle", "large", "mean"]
    assert [row[0] for row in other.rows] == ["small", "large", "mean"]


def test_an_engine_that_meets_a_candidate_half_way_asks_it(setup) -> None:
    """The newcomer is called after it was added; the rows are those of the last quarter."""
    _, other = study("newcomer-engine", replace(setup, limit=80)).tables
    assert [row[0] for row in other.rows] == ["small", "large", "mean"]
    assert all(row[-1] > 0 for row in other.rows)


def test_what_a_front_reaches_is_told_in_truth() -> None:
    """The cheapest assignment that truly matches the target counts; it may be out of reach."""
    truth, cost = np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([[1.0, 5.0], [1.0, 5.0]])
    front = tradeoffs(truth, cost)
    assert reached(front, truth, cost, 1.0).usd == 6.0
    assert reached(front, truth, cost, 0.5).usd == 2.0
    assert reached(front, truth, cost, 1.1).usd is None
    assert reached(front, truth, cost, 1.1).quality == 1.0
