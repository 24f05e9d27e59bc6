"""The study of the cache's start: what a bar could have found, had it been known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from sls_plugins.cache.risk import RiskModel
from sls_plugins.evaluation.studies.cold import CASES, run
from sls_plugins.evaluation.study import StudySetup
from sls_plugins.evaluation.traces import CacheRow
from sls_plugins.evaluation.unserved import Look, Unserved, best_share, shuffled
from sls_plugins.types import unit_rows


def look(risk: float, *, right: bool, told: bool = True) -> Look:
    return Look(risk, risk, right=right, possible=True, told=told)


def test_the_best_bar_is_as_wide_as_the_bound_lets_it_be() -> None:
    """One wrong among four is borne at 25 %, and none at less."""
    looks = [look(0.1 * number, right=number != 2) for number in range(4)]
    risks = [one.risk for one in looks]
    assert best_share(looks, risks, 0.25) == 0.75
    assert best_share(looks, risks, 0.2) == 0.5
    assert best_share([look(2.0, right=False, told=False)], [2.0], 0.5) == 0.0
    assert best_share([], [], 0.5) is None


def test_rows_are_seen_in_the_light_of_earlier_ones_only() -> None:
    """A repeat is possible and right where it comes second; looked at again, both are."""
    rows = [
        CacheRow(query_id=f"q{place}", text=text, group=group)
        for place, (text, group) in enumerate([("a b", "x"), ("a c", "x"), ("d e", "y")])
    ]
    vectors = unit_rows(np.array([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0]]))
    unserved = Unserved(rows, vectors, RiskModel())
    looks = list(unserved.looks())
    assert [(one.told, one.possible, one.right) for one in looks] == [
        (False, False, False),
        (True, True, True),
        (False, False, False),
    ]
    assert [one.right for one in unserved.again(3)] == [True, True, False]


def test_orders_are_those_of_the_seed() -> None:
    """Seed 0 leaves the rows as they are; others put the same rows in another order."""
    rows = [CacheRow(query_id=f"q{place}", text="t", group="g") for place in range(9)]
    assert shuffled(rows, 0) == tuple(rows)
    assert shuffled(rows, 1) == shuffled(rows, 1) != tuple(rows)
    assert {*shuffled(rows, 1)} == {*rows}


def test_the_study_shows_both_traces(tmp_path: Path) -> None:
    """A row for each trace and order; without three hundred labels nothing can be said."""
    rows = [
        {"query_id": f"q{number}", "text": f"how to list {number % 3} files", "group": "g"}
        for number in range(8)
    ]
    for name in CASES:
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    setup = StudySetup(traces=tmp_path, seeds=(0, 1), encoder="hashing", embeddings=tmp_path)
    found, evidence = run(setup, lambda _done, _note="": None).tables
    assert [row[:2] for row in found.rows] == [(name, seed) for name in CASES for seed in (0, 1)]
    assert {row[3:] for row in found.rows} == {(None, None, None)}
    assert len(evidence.rows) == len(found.rows)
