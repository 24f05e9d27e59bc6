"""The demo as a whole: ChatSLS, MiniLM, Chroma and SQLite on disk, feedback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from langchain_sls.demo import run_demo
from langchain_sls.demo.run import run_world
from langchain_sls.demo.worlds import MadeUp, Recorded
from sls_plugins.errors import SettingsError, TraceError
from sls_plugins.types import Source

pytestmark = pytest.mark.slow


def test_demo_reports_savings_and_learns_over_runs(tmp_path: Path) -> None:
    """The report compares with single models; a second run on the folder remembers the first."""
    seen: list[int] = []
    first = run_demo(tmp_path, seed=3, queries=60, advance=lambda done, note="": seen.append(done))
    again = run_demo(tmp_path, seed=3, queries=60)

    dearest = next(policy for policy in first.policies if "thinker" in policy.name)
    assert seen == [20, 40, 60]
    assert first.policies[0].cost_usd < dearest.cost_usd
    assert first.data["queries"] == 60
    assert "always simulated-thinker" in first.facts[0].label
    assert (tmp_path / "sls.db").exists()
    assert 0 < (first.policies[0].hit_rate or 0) < 0.6 < (again.policies[0].hit_rate or 0)
    assert again.policies[0].quality >= first.policies[0].quality


def test_same_seed_same_decisions(tmp_path: Path) -> None:
    """Two runs on empty folders decide alike, query by query."""
    runs = [run_world(MadeUp(seed=5, queries=40), tmp_path / name, seed=5).decided for name in "ab"]

    assert runs[0] == runs[1]
    assert {each.source for each in runs[0]} == {Source.MODEL, Source.CACHE}


def test_trace_reveals_the_chosen_outcome_only(tmp_path: Path) -> None:
    """Over a trace each query costs and scores what the chosen model's record says."""
    trace = tmp_path / "made.jsonl"
    rows = [
        {
            "query_id": f"q{number}",
            "task": "greek",
            "prompt": f"What is letter number {number % 20} of the alphabet?",
            "reference": None,
            "outcomes": {
                "weak": {"score": 0.0, "cost_usd": 1e-5, "response": "alpha"},
                "strong": {"score": 1.0, "cost_usd": 2e-5, "response": f"letter {number % 20}"},
            },
        }
        for number in range(40)
    ]
    trace.write_text("\n".join(json.dumps(row) for row in rows))
    prices = {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0}
    (tmp_path / "made.models.json").write_text(json.dumps({"weak": prices, "strong": prices}))

    result = run_world(Recorded(trace), tmp_path / "kept", seed=0)

    assert len(result.decided) == 40
    for each in result.decided:
        if each.source is Source.CACHE:
            assert (each.quality, each.cost_usd) == (1.0, 0.0)
            assert each.from_query_id is not None
            assert (int(each.query_id[1:]) - int(each.from_query_id[1:])) % 20 == 0
        else:
            recorded = rows[int(each.query_id[1:])]["outcomes"][each.candidate]  # type: ignore[index]
            assert (each.quality, each.cost_usd) == (recorded["score"], recorded["cost_usd"])
    assert result.figures.hits > 0


def test_broken_traces_are_named(tmp_path: Path) -> None:
    """A trace that cannot be read, or has no prices, says what is wrong."""
    trace = tmp_path / "t.jsonl"
    trace.write_text("{}")
    with pytest.raises(TraceError, match="line 1"):
        run_demo(tmp_path, trace=trace)
    outcome = {"m": {"score": 1.0}}
    trace.write_text(json.dumps({"query_id": "1", "prompt": "p", "outcomes": outcome}))
    with pytest.raises(SettingsError, match="list prices"):
        run_demo(tmp_path, trace=trace)
