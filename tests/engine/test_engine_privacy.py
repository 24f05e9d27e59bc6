"""Where texts must not be kept, everything works, and no text is in the database."""

from __future__ import annotations

from pathlib import Path

import pytest

from sls_plugins import Answer, Budget, Candidate, Engine, Query, Settings, Usage, build
from sls_plugins.settings import LearningSettings, PartSettings
from sls_plugins.types import Texts

WORD = "heliotrope"


def opened(folder: Path, mode: str) -> Engine:
    settings = Settings(
        candidates=[
            Candidate(name="small", input_usd_per_mtok=1, output_usd_per_mtok=1),
            Candidate(name="large", input_usd_per_mtok=9, output_usd_per_mtok=9),
        ],
        budget=Budget(price=20.0),
        encoder=PartSettings(name="hashing"),
        index=PartSettings(name="memory"),
        folder=folder,
        store_text=mode,
        learning=LearningSettings(every_s=0),
    )
    return build(settings)


def call(candidate: Candidate, query: Query) -> Answer:
    return Answer(text=f"magenta {candidate.name}", usage=Usage(input_tokens=9, output_tokens=9))


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("sls.db*")))


@pytest.mark.parametrize("mode", ["full", "hash", "none"])
def test_texts_are_kept_as_the_mode_says(tmp_path: Path, mode: str) -> None:
    """Answers, repeats, feedback, restart and learning work in each mode."""
    query = Query(text=f"what is a {WORD} number 7?", task="t")
    with opened(tmp_path, mode) as engine:
        first = engine.answer(query, call)
        assert engine.answer(query, call).source == "cache"
        for number in range(40):
            answer = engine.answer(Query(text=f"{WORD} {number}?", task="t"), call)
            engine.feedback(answer.decision_id, float(answer.candidate == "large"), source="test")
        engine.feedback(first.decision_id, 1.0, source="test")
        before = engine.plan(Query(id="q", text=f"{WORD} 99?", task="t")).estimates
        engine.parts.learner.save()
    held = bytes_of(tmp_path)
    assert (WORD.encode() in held) == (mode == "full")
    assert (b"magenta" in held) == (mode != "none")
    with opened(tmp_path, mode) as engine:
        again = engine.plan(Query(id="q", text=f"{WORD} 99?", task="t")).estimates
        assert [one.quality for one in again] == pytest.approx([one.quality for one in before])
        assert engine.answer(query, call).source == ("model" if mode == "none" else "cache")


@pytest.mark.parametrize("mode", ["hash", "none"])
def test_learning_from_the_log_is_learning_from_the_texts(tmp_path: Path, mode: str) -> None:
    """Another process, which only sees stand-ins, expects exactly what the first one does."""
    with opened(tmp_path, mode) as here, opened(tmp_path, mode) as there:
        for number in range(30):
            answer = here.answer(Query(text=f"{WORD} {number}?", task="t"), call)
            here.feedback(answer.decision_id, float(number % 3 > 0), source="test")
        there.updates.round()
        query = Query(id="q", text=f"{WORD} 99?", task="t")
        mine, theirs = here.plan(query).estimates, there.plan(query).estimates
        assert [one.quality for one in mine] == [one.quality for one in theirs]


def test_stand_ins_keep_the_shape_or_the_length_alone() -> None:
    """Equal texts stay equal under one salt, differ under another; with none, nothing is equal."""
    hashed, other = Texts(mode="hash", salt=b"1"), Texts(mode="hash", salt=b"2")
    one = Query(id="1", text="Error 42 at core.7: retry?")
    twin = Query(id="2", text=one.text)
    stand_in = hashed.query(one)
    assert stand_in.text == hashed.query(twin).text != other.query(one).text
    assert stand_in.text.endswith("?")
    assert hashed.query(stand_in) is stand_in
    assert not {"error", "retry", "core"} & set(stand_in.text.lower().split())
    none = Texts(mode="none")
    assert none.query(one).text != none.query(twin).text
    assert none.answer("anything") == ""
    assert hashed.answer("a") == hashed.answer("a") != hashed.answer("b")
