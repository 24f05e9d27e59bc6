"""`sls cache`, `sls forget` and `sls doctor --rebuild`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sls_plugins import Answer, Candidate, Query, build
from sls_plugins.cli import app
from sls_plugins.errors import EncoderMismatchError
from sls_plugins.types import CacheHit

SETTINGS = """
folder = "{folder}"
encoder = "hashing"
index = "{index}"
[[candidates]]
name = "model"
input_usd_per_mtok = 1
output_usd_per_mtok = 4
"""
ASKED = Query(text="What is a heap?", task="t")


def said(_candidate: Candidate, query: Query) -> Answer:
    return Answer(text=f"on {query.text}", cost_usd=0.25, latency_s=2.0)


@pytest.fixture(params=["chroma", "memory"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A settings file, and a folder where one answer was served three times, and once wrong."""
    file = tmp_path / "sls.toml"
    file.write_text(SETTINGS.format(folder=tmp_path / "data", index=request.param))
    with build(file) as engine:
        first = engine.answer(ASKED, said)
        for quality in (1.0, 1.0):
            engine.feedback(engine.answer(ASKED, said).decision_id, quality)
        engine.answer(ASKED, said)
        engine.answer(Query(text="Another one?", tenant="acme"), said)
        assert isinstance(engine.cache.show(first.decision_id).entry.uses, int)
    return file


def run(*arguments: str, code: int = 0) -> str:
    """What a command prints."""
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == code, ran.output
    return ran.output


def told(tmp_path: Path, *arguments: str) -> dict:
    """What a command writes as JSON."""
    file = tmp_path / "told.json"
    run(*arguments, "--json", str(file))
    return json.loads(file.read_text())


def test_stats_tell_hits_and_savings_by_task(settings: Path, tmp_path: Path) -> None:
    """Hits count what the served call had cost, wrong ones are those that were said to be."""
    facts = told(tmp_path, "cache", "stats", str(settings))
    assert told(tmp_path, "cache", "stats", str(tmp_path / "data")) == facts
    assert "there is no database" in run("cache", "stats", str(tmp_path / "nowhere"), code=2)
    assert (facts["live"], facts["revoked"]) == (2, 0)
    tasks = {task["task"]: task for task in facts["tasks"]}
    assert (tasks["t"]["queries"], tasks["t"]["hits"], tasks["t"]["exact"]) == (4, 3, 3)
    assert tasks["t"]["saved_usd"]["sum"] == 0.75
    assert tasks["t"]["saved_s"]["sum"] == 6.0
    assert (tasks["t"]["wrong"]["count"], tasks["t"]["wrong"]["of"]) == (0, 2)
    assert 0 < tasks["t"]["wrong"]["interval"][1] < 1
    assert tasks[""]["hits"] == 0


def test_a_row_is_shown_by_any_decision_that_used_it(settings: Path, tmp_path: Path) -> None:
    """Text, answer, record and uses; an unknown id is an error."""
    with build(settings) as engine:
        hit = engine.cache.look_up(ASKED)
        assert isinstance(hit, CacheHit)
    for wanted in (hit.id, hit.entry.id):
        facts = told(tmp_path, "cache", "show", str(settings), wanted)
        assert (facts["id"], facts["answer"], facts["served"]) == (
            hit.entry.id,
            "on What is a heap?",
            True,
        )
        assert facts["good"] == 2.0
        assert facts["uses"] >= 3
    assert "no row is stored" in run("cache", "show", str(settings), "nobody", code=2)


def test_audits_are_told_by_task(settings: Path, tmp_path: Path) -> None:
    """Acceptable neighbours that were called for all the same show whether they were right."""
    text = settings.read_text()
    settings.write_text(text + "[cache]\nmax_error = 0.2\n")
    with build(settings) as engine:
        for number in range(300):
            query = replace(ASKED, text=f"Please tell me what a heap is{'!' * number}")
            engine.answer(query, lambda _candidate, _query: Answer(text="a tree", cost_usd=0.1))
    facts = told(tmp_path, "cache", "audit", str(settings))
    for task in facts["tasks"]:
        assert (task["task"], task["wrong"]["count"]) == ("t", 0)
        assert task["audits"] >= task["wrong"]["of"]
    assert all(pair["right"] for pair in facts["pairs"])


def test_forgetting_by_command(settings: Path, tmp_path: Path) -> None:
    """What is named is gone, in all files; forgetting everything by accident is refused."""
    assert "forget what?" in run("forget", str(settings), code=2)
    facts = told(tmp_path, "forget", str(settings), "--text", "Another one?")
    assert (facts["entries"], facts["decisions"]) == (1, 1)
    left = b"".join(each.read_bytes() for each in (tmp_path / "data").rglob("*") if each.is_file())
    assert b"Another one?" not in left
    assert b"What is a heap?" in left
    assert told(tmp_path, "forget", str(settings), "--older-than", "1")["decisions"] == 0


def test_the_index_is_rebuilt_from_the_rows(settings: Path, tmp_path: Path) -> None:
    """Also where its files are of no use any more."""
    chroma = tmp_path / "data" / "chroma" / "chroma.sqlite3"
    if chroma.exists():
        chroma.write_bytes(b"damaged")
    output = run("doctor", str(settings), "--rebuild")
    assert "rebuilt the index: 2 entries, recall by self-query 1.000" in output
    with build(settings) as engine:
        assert len(engine.parts.cache.stock().index.ids()) == 2
        assert engine.cache.rebuild() == 2


def test_a_change_of_the_encoder_is_mended_by_a_rebuild(settings: Path, tmp_path: Path) -> None:
    """Refused until then; afterwards all is found with the new encoder, and learnt anew."""
    with build(settings) as engine:
        lines = engine.parts.learner.seq
        decision_id = engine.parts.log.after(0, 1)[0].decision_id
    other = 'encoder = {name = "hashing", options = {dimension = 64}}'
    settings.write_text(settings.read_text().replace('encoder = "hashing"', other))
    with pytest.raises(EncoderMismatchError, match="sls doctor SETTINGS --rebuild"):
        build(settings)
    output = " ".join(run("doctor", str(settings), "--rebuild").split())
    assert "texts anew" in output
    assert "rebuilt the index: 2 entries, recall by self-query 1.000" in output
    with build(settings) as engine:
        assert engine.parts.learner.seq == lines
        vector = engine.parts.log.find(decision_id).vector
        assert vector is not None
        assert vector.shape == (64,)
        assert len(engine.parts.cache.stock().vectors) == 2
        assert engine.answer(ASKED, said).decision_id
    assert "texts anew" not in run("doctor", str(settings), "--rebuild")
