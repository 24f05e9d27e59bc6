"""The update manager's studies answer their questions, here on small made traces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sls_plugins.evaluation.drifting import Change, DriftLoop, first_alarm
from sls_plugins.evaluation.embedded import embedded
from sls_plugins.evaluation.rounds import World, load_world
from sls_plugins.evaluation.studies import (
    alarms,
    processes,
    updater_load,
    updates,
    updates_key,
    whatif,
)
from sls_plugins.evaluation.study import StudySetup
from sls_plugins.evaluation.whatif import Rule, chances, rechosen
from sls_plugins.tokens import TiktokenCounter

MODELS = {
    "cheap": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1},
    "dear": {"input_usd_per_mtok": 20, "output_usd_per_mtok": 20},
}


@pytest.fixture
def setup(tmp_path: Path) -> StudySetup:
    random = np.random.default_rng(0)
    for name in {*alarms.TRACES, *whatif.TRACES, *updates.PRICES}:
        lines = []
        for number in range(80):
            hard = number % 4 == 0
            lines.append(
                {
                    "query_id": str(number),
                    "task": "t",
                    "prompt": f"{'prove' if hard else 'add'} {number} and {number % 7}",
                    "outcomes": {
                        model: {
                            "score": float(random.random() < good),
                            "input_tokens": 20,
                            "output_tokens": 30,
                            "cost_usd": usd,
                        }
                        for model, good, usd in (
                            ("cheap", 0.3 if hard else 0.95, 0.00005),
                            ("dear", 0.95, 0.001),
                        )
                    },
                }
            )
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
        (tmp_path / f"{name}.models.json").write_text(json.dumps(MODELS))
    return StudySetup(
        traces=tmp_path, seeds=(0,), encoder="hashing", embeddings=tmp_path / "kept", limit=60
    )


def loop_of(setup: StudySetup, world: World, seed: int = 0) -> DriftLoop:
    vectors = embedded(setup, [row.prompt for row in world.rows])
    return DriftLoop(world, vectors, seed, TiktokenCounter().count)


def test_a_fall_is_noticed_and_the_candidate_is_left(setup: StudySetup) -> None:
    """In a world that changes, the alarm comes and the share goes; nothing is alarmed before."""
    world = load_world(setup.trace(alarms.TRACES[0]))
    loop = loop_of(setup, world)
    loop.run(700)
    assert loop.events == []
    before = loop.chosen("cheap", 500)
    loop.run(500, Change(candidate="cheap", fall=0.7))
    alarm = first_alarm(loop.events, "cheap", 700)
    assert alarm is not None
    assert loop.graded("cheap", 700, alarm) <= 150
    assert loop.chosen("cheap", 1000) < before / 2


def test_the_study_of_alarms_tells_all_three_tables(
    setup: StudySetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Falls, quiet and price cuts, for each trace."""
    for name in ("STEADY", "FALLEN", "AFTER"):
        monkeypatch.setattr(alarms, name, 60)
    told = alarms.run(setup, lambda done, note="": None)
    assert [len(table.rows) for table in told.tables] == [4, 4, 3]
    assert told.tables[1].rows[-1] == ("all", 60, 0)
    assert [row[2] for row in told.tables[0].rows if row[1] == row[3]] == [None] * 4


def test_the_study_of_what_if_covers_the_truth(
    setup: StudySetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a few short logs: most intervals hold, and every stored decision is made alike again."""
    monkeypatch.setattr(whatif, "REPLAYS", 24)
    monkeypatch.setattr(whatif, "DECISIONS", 400)
    monkeypatch.setattr(whatif, "LEARNT", 300)
    told = whatif.run(
        StudySetup(traces=setup.traces, seeds=(0,), encoder="hashing", embeddings=setup.embeddings),
        lambda done, note="": None,
    )
    rows = told.tables[0].rows
    assert np.mean([row[3] for row in rows]) >= 0.75
    assert all(row[-1] == 1.0 for row in rows)


def test_rules_share_out_all_probability(setup: StudySetup, monkeypatch: pytest.MonkeyPatch):
    """Whatever the rule, the chances of a receipt's candidates sum to one."""
    monkeypatch.setattr(whatif, "LEARNT", 100)
    logger = whatif._Logger(load_world(setup.trace(whatif.TRACES[0])), setup)
    one = logger._logged(3, logger._decide(3, 5, logger._terms), 5).decision
    assert rechosen(one) == one.ranking
    scenarios = logger._scenarios
    for rule in (Rule(), Rule(price=0.0), Rule(policy="best"), Rule(without=frozenset({"dear"}))):
        shares = chances(one, rule, lambda _: scenarios)
        if rule.without:
            assert shares[1] == 0.0
        else:
            assert sum(shares) == pytest.approx(1.0)
    assert chances(one, Rule(), lambda _: scenarios)[
        [e.candidate for e in one.estimates].index(one.candidate)
    ] == pytest.approx(one.propensity)


def test_the_study_of_feedback_tells_shares_and_errors(setup: StudySetup) -> None:
    """Two traces, biased and clean: a share of the gain, and how far the mean is off."""
    told = updates_key.run(setup, lambda done, note="": None)
    [table] = told.tables
    assert [(row[0], row[2], row[3]) for row in table.rows] == [
        (name, 0.1, 100) for name in updates.PRICES for _ in range(2)
    ]
    assert all(abs(float(row[7])) < 0.5 for row in table.rows)


def test_the_study_of_load_times_both(setup: StudySetup, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row each with an idle updater, one that catches up, and one that refits."""
    monkeypatch.setattr(updater_load, "REQUESTS", 8)
    monkeypatch.setattr(updater_load, "ROUNDS", 1)
    told = updater_load.run(setup, lambda done, note="": None)
    assert [row[0] for row in told.tables[0].rows] == ["idle", "catching up", "refitting"]


def test_the_study_of_processes_says_what_is_missing(
    setup: StudySetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without PostgreSQL only SQLite is tried, and that is told."""
    monkeypatch.setattr(processes, "find_programs", lambda: None)
    monkeypatch.setattr(processes, "SECONDS", 1.0)
    quick = StudySetup(
        traces=setup.traces, seeds=(0,), encoder="hashing", embeddings=setup.embeddings
    )
    told = processes.run(quick, lambda done, note="": None)
    assert [row[0] for row in told.tables[0].rows] == ["SQLite"]
    assert told.tables[0].rows[0][4:] == (0, 0, 0, 0)
    assert "not installed" in told.notes[-1]
