"""`sls front`, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from sls_plugins.cli import app
from sls_plugins.scheduler.batch import METHODS

PLAIN = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200", "SLS_LOAD_PLUGINS": ""}
QUALITY = [[0.0, 0.6, 1.0], [0.2, 0.4, np.nan]]
COST = [[0.0, 1.0, 3.0], [1.0, 1.5, 9.0]]


def sls(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["front", *(str(each) for each in arguments)], env=PLAIN)


def archive(folder: Path, **arrays: object) -> Path:
    path = folder / "m.npz"
    np.savez(path, **({"quality": QUALITY, "cost": COST} | arrays))
    return path


def facts_of(folder: Path, *arguments: object) -> dict:
    result = sls(*arguments, "--json", folder / "f.json")
    assert result.exit_code == 0, result.output
    return json.loads((folder / "f.json").read_text())


def error_of(result: Result) -> str:
    assert result.exit_code == 2, result.output
    lines = result.stderr.strip().splitlines()
    assert "Traceback" not in result.stderr
    return lines[-1]


def test_the_whole_front_is_written(tmp_path: Path) -> None:
    """Points from the cheapest to the best, each with the lowest λ at which it is the best."""
    facts = facts_of(tmp_path, archive(tmp_path))
    points = [(p["quality"], p["cost_usd"], p["price"]) for p in facts["points"]]
    expected = [(0.2, 1.0, 0.6), (0.8, 2.0, 0.4), (1.0, 2.5, 0.2), (1.4, 4.5, 0.0)]
    assert points == [pytest.approx(point) for point in expected]
    assert "assignment" not in facts


def test_files_are_written_when_nobody_reads_what_is_shown(tmp_path: Path) -> None:
    """`sls … --json FILE | head -1` must not lose what a long run found."""
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-c", "from sls_plugins.cli import app; app()"]
    wanted = ["front", str(archive(tmp_path)), "--json", str(tmp_path / "f.json")]
    subprocess.run([*command, *wanted], stdout=writes, stderr=subprocess.PIPE, check=False)
    os.close(writes)
    assert len(json.loads((tmp_path / "f.json").read_text())["points"]) == 4


def test_a_budget_gives_an_assignment_with_its_certificate(tmp_path: Path) -> None:
    """One column per row, sums, the bound; what is left over is spent."""
    facts = facts_of(tmp_path, archive(tmp_path), "--budget-usd", 2.4)
    assert facts["assignment"] == [1, 0]
    assert facts["quality"] == pytest.approx(0.8)
    assert facts["cost_usd"] == pytest.approx(2.0)
    assert facts["upper_bound"] == pytest.approx(0.96)
    assert facts["gap"] == pytest.approx(0.16)


def test_a_quality_is_reached_at_the_least_cost(tmp_path: Path) -> None:
    """The plan reaches the sum; nobody can for less than the lower bound."""
    facts = facts_of(tmp_path, archive(tmp_path), "--min-quality", 0.95)
    assert facts["assignment"] == [1, 1]
    assert facts["cost_usd"] == pytest.approx(2.5)
    assert facts["lower_bound_usd"] == pytest.approx(2.375)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_plans(tmp_path: Path, method: str) -> None:
    """Each one keeps the budget and writes the same facts."""
    facts = facts_of(
        tmp_path, archive(tmp_path), "--budget-usd", 3, "--method", method,
        "--population", 6, "--generations", 2,
    )  # fmt: skip
    assert facts["method"] == method
    assert facts["cost_usd"] <= 3
    assert facts["quality"] <= facts["upper_bound"]
    assert facts["points"]


def test_doubt_is_counted_in(tmp_path: Path) -> None:
    """`--alpha -1` scores by quality less the deviation, if there is one."""
    path = archive(tmp_path, sd=[[0.0, 0.6, 0.0], [0.0, 0.0, 0.0]])
    assert facts_of(tmp_path, path, "--budget-usd", 2)["assignment"] == [1, 0]
    assert facts_of(tmp_path, path, "--budget-usd", 2, "--alpha", -1)["assignment"] == [0, 1]
    assert "needs the array sd" in error_of(sls(archive(tmp_path), "--alpha", 1))


def test_capacities_are_kept(tmp_path: Path) -> None:
    """An array `capacity` limits how many queries a candidate takes."""
    path = archive(tmp_path, capacity=[1, 1, 1])
    facts = facts_of(tmp_path, path, "--budget-usd", 9)
    assert facts["assignment"] == [2, 1]
    small = archive(tmp_path, capacity=[1, 0, 0])
    assert "capacity is 1 requests, below the 2 queries" in error_of(sls(small, "--budget-usd", 9))
    assert "capacities" in error_of(sls(small))


def test_methods_are_compared(tmp_path: Path) -> None:
    """One table with all of them, the exact one first; a report with the picture."""
    rng = np.random.default_rng(0)
    path = archive(tmp_path, quality=rng.random((20, 3)), cost=rng.random((20, 3)))
    html = tmp_path / "r.html"
    facts = facts_of(
        tmp_path, path, "--compare", "--population", 8, "--generations", 2, "--html", html
    )
    assert [one["method"] for one in facts["methods"]] == list(METHODS)
    # In a batch as small as this, a search may find points in the notches under the hull.
    exact, *others = [one["hypervolume"] for one in facts["methods"]]
    assert exact >= max(others) - 0.02
    assert html.read_text().count("<svg") == 1


def test_names_are_shown(tmp_path: Path) -> None:
    """The shares of a plan are told by name."""
    result = sls(archive(tmp_path, names=["small", "mid", "large"]), "--budget-usd", 2)
    assert "small 50.0%, mid 50.0%" in result.stdout


def test_a_mean_given_for_a_sum_is_remarked(tmp_path: Path) -> None:
    """Nobody gets the cheapest assignment for a target without being told why."""
    assert "is a sum" in sls(archive(tmp_path), "--min-quality", 0.9).stderr
    assert "is a sum" not in sls(archive(tmp_path), "--min-quality", 1.2).stderr


@pytest.mark.parametrize(
    ("arrays", "options", "told"),
    [
        ({"cost": [[0.0, -1.0, 3.0], [1.0, 1.5, 9.0]]}, (), "cost[0, 1] is negative"),
        ({"cost": [[0.0, 1.0, 3.0], [np.inf, 1.5, 9.0]]}, (), "cost[1, 0] is infinite"),
        ({"cost": [[1.0, 2.0]]}, (), "quality has the shape (2, 3), cost (1, 2)"),
        ({"names": ["one"]}, (), "1 names"),
        ({"sd": [[0.1]]}, ("--alpha", 1), "sd (1, 1)"),
        ({"quality": np.array([[None]])}, (), "cannot be read"),
        ({}, ("--budget-usd", 0), "must be a positive number"),
        ({}, ("--budget-usd", 0.5), "the cheapest assignment costs 1 USD"),
        ({}, ("--min-quality", 1.5), "the highest sum over 2 queries is 1.4"),
        ({}, ("--budget-usd", 2, "--min-quality", 1), "one of them"),
        ({}, ("--method", "nsga3"), "known are exact"),
    ],
)
def test_wrong_input_is_told(tmp_path: Path, arrays: dict, options: tuple, told: str) -> None:
    """Exit code 2 and one line that names the thing."""
    assert told in error_of(sls(archive(tmp_path, **arrays), *options))


def test_a_file_without_the_arrays_is_told(tmp_path: Path) -> None:
    """The error names what is missing, or that it is no archive at all."""
    path = tmp_path / "x.npz"
    np.savez(path, quality=QUALITY)
    assert "has no array cost; it has quality" in error_of(sls(path))
    path.write_text("quality,cost")
    assert "is no .npz archive" in error_of(sls(path))
