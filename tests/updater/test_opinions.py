"""Opinions are read as people and tools write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sls_plugins.errors import InvalidFeedbackError
from sls_plugins.types import Feedback
from sls_plugins.updater.opinions import opinion_of, quality_of_text, read_opinions


@pytest.mark.parametrize(
    ("said", "quality", "source"),
    [
        ({"stars": 5}, 1.0, "stars"),
        ({"stars": "2"}, 0.25, "stars"),
        ({"thumb": "up"}, 1.0, "thumbs"),
        ({"thumbs": "👎"}, 0.0, "thumbs"),
        ({"quality": 0.3}, 0.3, "import"),
        ({"score": 1, "key": "correctness"}, 1.0, "correctness"),
        ({"score": False, "key": "helpful"}, 0.0, "helpful"),
        ({"score": 0.5, "source": "judge"}, 0.5, "judge"),
    ],
)
def test_each_way_of_saying_it_becomes_a_quality(said, quality: float, source: str) -> None:
    """Stars, thumbs, scores with a key: all of them end up within 0…1, with who said it."""
    told = opinion_of({"run_id": "r1", **said})
    assert told is not None
    assert (told.decision_id, told.quality, told.source) == ("r1", quality, source)


@pytest.mark.parametrize("words", ["great answer, thanks!", "Yes, correct", "not bad", "👍"])
def test_praise_is_good(words: str) -> None:
    """Words of praise are above one half, also where a no turns a bad."""
    assert (quality_of_text(words) or 0.0) > 0.8


@pytest.mark.parametrize("words", ["wrong", "this is not correct", "useless nonsense", "no"])
def test_complaints_are_bad(words: str) -> None:
    """Words of complaint are below one half, also where a not turns a good."""
    assert (quality_of_text(words) or 0.0) < 0.2


def test_words_that_say_nothing_are_no_opinion() -> None:
    """A comment without a judgement is passed over."""
    assert quality_of_text("I asked this on Tuesday") is None
    assert opinion_of({"decision_id": "d", "text": "hm"}) is None


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"quality": 1}, "decision_id or a run_id"),
        ({"decision_id": "d"}, "says nothing"),
        ({"decision_id": "d", "quality": "high"}, "must be a number"),
        ({"decision_id": "d", "quality": 1.2}, "within 0…1"),
        ({"decision_id": "d", "stars": 6}, "1…5"),
        ({"decision_id": "d", "thumb": "sideways"}, "up or down"),
        ({"decision_id": "d", "quality": 1, "weight": -1}, "more than 0"),
    ],
)
def test_what_is_wrong_is_named(row, problem: str) -> None:
    """An opinion that cannot be read says why."""
    with pytest.raises(InvalidFeedbackError, match=problem):
        opinion_of(row)


def test_files_are_read_line_by_line(tmp_path: Path) -> None:
    """CSV with headings and JSON Lines say the same; a bad line is named with its number."""
    table, lines = tmp_path / "a.csv", tmp_path / "a.jsonl"
    table.write_text("decision_id,stars,id\nd1,5,f1\nd2,1,f2\n", encoding="utf-8")
    rows = [{"decision_id": "d1", "stars": 5, "id": "f1"}, {"decision_id": "d2", "stars": 1}]
    lines.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    assert [told.quality for told in read_opinions(table)] == [1.0, 0.0]
    assert [told.quality for told in read_opinions(lines)] == [1.0, 0.0]
    table.write_text("decision_id,stars\nd1,5\nd2,9\n", encoding="utf-8")
    with pytest.raises(InvalidFeedbackError, match=r"a\.csv, line 3"):
        list(read_opinions(table))
    with pytest.raises(InvalidFeedbackError, match="cannot be read"):
        list(read_opinions(tmp_path / "none.csv"))


def test_an_opinion_needs_an_answer() -> None:
    """Without an id it would wait for ever."""
    with pytest.raises(InvalidFeedbackError, match="id of a decision"):
        Feedback(decision_id="", quality=1.0)


def test_spreadsheets_write_tables_in_their_own_way(tmp_path: Path) -> None:
    """A byte order mark, semicolons or tabs, and quoted line ends are read; lines keep numbers."""
    table = tmp_path / "a.csv"
    for text in ("\ufeffdecision_id,stars\r\nd1,5\r\n", "decision_id;stars\nd1;5\n",
                 "decision_id\tstars\nd1\t5\n"):  # fmt: skip
        table.write_text(text, encoding="utf-8")
        assert [(told.decision_id, told.quality) for told in read_opinions(table)] == [("d1", 1.0)]
    table.write_text('decision_id,note,stars\nd1,"two\nlines",5\nd2,,\n', encoding="utf-8")
    with pytest.raises(InvalidFeedbackError, match=r"line 4: .*'d2' says nothing"):
        list(read_opinions(table))


def test_bad_lines_may_be_passed_over(tmp_path: Path) -> None:
    """Whoever wants to hear of them gets each one's problem; the good ones are read."""
    lines, bad = tmp_path / "a.jsonl", []
    lines.write_text('{"run_id": "r", "score": 1}\n{oops\n[1]\n{"score": 1}\n', encoding="utf-8")
    assert [told.decision_id for told in read_opinions(lines, bad.append)] == ["r"]
    assert [problem.split(": ")[0].rsplit(" ", 1)[1] for problem in bad] == ["2", "3", "4"]
    assert "it has score" in bad[2]


def test_without_an_id_the_content_is_the_id() -> None:
    """The same line imported twice is the same opinion."""
    first, second = (opinion_of({"decision_id": "d", "quality": 1}) for _ in range(2))
    other = opinion_of({"decision_id": "d", "quality": 0})
    assert first == second
    assert first is not None
    assert other is not None
    assert first.id != other.id
