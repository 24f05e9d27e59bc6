"""`sls study`: finds studies by name, shows their tables, writes their facts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from sls_plugins.cli import app
from sls_plugins.errors import InputError
from sls_plugins.evaluation import studies
from sls_plugins.evaluation.study import StudySetup, Table, find_study, study_names

PLAIN = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200", "SLS_LOAD_PLUGINS": ""}
HALF = '''"""How much is half of it?"""

from sls_plugins.evaluation.study import StudyReport, Table


def run(setup, advance):
    rows = [len(setup.trace("words").read_text().split()[: setup.limit])]
    advance(1, "counted")
    table = Table(
        title="halves", columns=("seed", "half", "of"),
        rows=tuple((seed, rows[0] / 2, "words") for seed in setup.seeds),
    )
    return StudyReport(title="Half", tables=(table,), data={"whole": rows[0]})
'''


@pytest.fixture
def half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A study of one's own beside the others, and a folder with its trace."""
    home = tmp_path / "more"
    home.mkdir()
    (home / "one_half.py").write_text(HALF)
    (tmp_path / "words.jsonl").write_text("one two three four five six")
    monkeypatch.setattr(studies, "__path__", [*studies.__path__, str(home)])
    yield tmp_path
    sys.modules.pop("sls_plugins.evaluation.studies.one_half", None)


def sls(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], env=PLAIN)


def test_studies_are_listed_with_their_questions(half: Path) -> None:
    """Without a name, each study is a line."""
    result = sls("study")
    assert result.exit_code == 0, result.output
    assert all(name in result.stdout for name in study_names())
    assert "one-half" in result.stdout
    assert "How much is half of it?" in result.stdout


def test_a_study_shows_its_tables_and_writes_its_facts(half: Path) -> None:
    """A study sees the folder, the seeds and the limit; what it found is shown and written."""
    facts = half / "facts.json"
    result = sls("study", "one-half", "--traces", half, "--seeds", 2, "--limit", 3, "--json", facts)
    assert result.exit_code == 0, result.output
    assert "halves" in result.stdout
    assert "1.5" in result.stdout
    told = json.loads(facts.read_text())
    assert told["whole"] == 3
    assert [row["seed"] for row in told["tables"][0]["rows"]] == [0, 1]


def test_an_unknown_study_is_refused_with_those_there_are(half: Path) -> None:
    """The error names what was asked for and what there is."""
    result = sls("study", "nothing")
    assert result.exit_code == 2
    assert "'nothing'" in result.stderr
    assert "one-half" in result.stderr


def test_a_missing_trace_is_named(tmp_path: Path) -> None:
    """The error tells the file, the folder and the option."""
    setup = StudySetup(traces=tmp_path, seeds=(0,), encoder="hashing", embeddings=tmp_path)
    with pytest.raises(InputError, match=r"no words\.jsonl\.gz in .*--traces"):
        setup.trace("words")


def test_a_study_of_all_traces_may_be_run_in_parts(tmp_path: Path) -> None:
    """All are listed in order, or those that were asked for; an unknown one is named."""
    for name in ("b", "a"):
        (tmp_path / f"{name}.models.json").write_text("{}")
    setup = StudySetup(traces=tmp_path, seeds=(0,), encoder="hashing", embeddings=tmp_path)
    assert setup.routing() == ("a", "b")
    assert replace(setup, only=("b",)).routing() == ("b",)
    with pytest.raises(InputError, match="no routing trace 'c'"):
        replace(setup, only=("c",)).routing()


def test_a_table_refuses_rows_that_do_not_fit() -> None:
    """Each row has a cell per heading."""
    with pytest.raises(ValueError, match="2 cells for 1 headings"):
        Table(title="t", columns=("a",), rows=((1, 2),))


def test_every_study_can_be_run_and_asks_something() -> None:
    """Each has a question of its own and a `run`."""
    names = study_names()
    assert len(set(names.values())) == len(names)
    for name in names:
        assert callable(find_study(name).run)
