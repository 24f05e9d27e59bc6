"""Figures of a cache replay and the rival with a fixed bar."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sls_plugins.evaluation.cache_figures import CacheDecided, cold_share, figures_of
from sls_plugins.evaluation.metrics import rate_interval
from sls_plugins.evaluation.static_bar import best_bar, run_bars
from sls_plugins.evaluation.studies.acceptance import CASES, run
from sls_plugins.evaluation.study import StudySetup
from sls_plugins.types import unit_rows


def row(number: int, **facts: object) -> CacheDecided:
    return CacheDecided(query_id=f"q{number}", **facts)  # type: ignore[arg-type]


def test_savings_are_summed_where_the_trace_has_costs() -> None:
    """Hits save what their calls would have cost, with an interval; misses save nothing."""
    rows = [
        row(number, hit=number > 0, right=True, possible=True, cost_usd=0.1 * number)
        for number in range(4)
    ]
    found = figures_of(rows)
    assert found.saved_usd is not None
    assert found.saved_usd.mean == pytest.approx(0.6)
    assert found.saved_usd.low is not None
    assert found.saved_usd.low < 0.6
    assert found.saved_s is None
    assert found.found_share == 0.75


def test_a_rate_of_nothing_wrong_has_an_upper_end() -> None:
    """No error in 100 hits still leaves room for 3.7 % of them (Wilson's interval)."""
    found = rate_interval(0, 100)
    assert found.mean == 0.0
    assert found.low == pytest.approx(0.0)
    assert found.high == pytest.approx(0.037, abs=0.001)
    assert rate_interval(0, 0).high is None


def test_the_cold_start_is_what_comes_after_the_labels() -> None:
    """Only possible hits after so many labels count."""
    rows = [row(number, hit=False, told=True, possible=True) for number in range(5)]
    rows += [row(number, hit=number % 2 == 0, right=True, possible=True) for number in range(4)]
    assert cold_share(rows, labels=5) == 0.5
    assert cold_share(rows, labels=6) is None


def test_a_fixed_bar_is_chosen_in_hindsight() -> None:
    """Of two near pairs one is of one group: the bar must stand between them, or nowhere."""
    angles = np.array([0.0, 0.05, 1.0, 1.3])
    vectors = unit_rows(np.stack((np.cos(angles), np.sin(angles)), axis=1))
    runs = run_bars(vectors, ["a", "a", "b", "c"], [""] * 4)
    assert next(run for run in runs if run.bar == 0.9).hits == 2
    best = best_bar(runs, 0.01)
    assert best is not None
    assert (best.hits, best.wrong, best.found_share) == (1, 0, 1.0)
    assert best_bar(run_bars(vectors, ["a", "b", "c", "d"], [""] * 4), 0.01) is None


def test_streams_of_the_rival_share_nothing_either() -> None:
    """The same vector in another stream is no neighbour; in the same one it always is."""
    vectors = unit_rows(np.ones((3, 2)))
    runs = run_bars(vectors, ["a", "a", "a"], ["x", "y", "x"], bars=[0.99])
    assert [(run.hits, run.wrong) for run in runs] == [(1, 0)]


def test_the_study_of_traces_has_a_row_for_every_case(tmp_path: Path) -> None:
    """Each trace is replayed at its bound with every seed; repeats are found, none is wrong."""
    rows = [
        {"query_id": f"q{number}", "text": f"how to list {word}", "group": word}
        for number, word in enumerate(["files", "users", "files", "jobs"])
    ]
    for name in {case.trace for case in CASES}:
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    setup = StudySetup(traces=tmp_path, seeds=(0, 1), encoder="hashing", embeddings=tmp_path)
    table = run(setup, lambda _done, _note="": None).tables[0]
    assert len(table.rows) == 2 * len(CASES)
    found = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert {row["found share"] for row in found} == {1.0}
    assert {row["wrong share"] for row in found} == {0.0}
