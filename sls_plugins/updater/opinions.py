"""Reads opinions as they come: stars, thumbs, words, run id with key and score."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

from sls_plugins.errors import InvalidFeedbackError
from sls_plugins.types import Feedback

__all__ = ["opinion_of", "quality_of_stars", "quality_of_text", "quality_of_thumb", "read_opinions"]

_GOOD = (
    "good great right correct yes up true perfect helpful excellent works thanks pass passed"
    " like +1 ok okay nice accepted 👍"
)
_BAD = (
    "bad wrong incorrect no down false useless terrible broken fail failed error dislike -1"
    " nonsense regenerate refused empty truncated rejected 👎"
)
GOOD, BAD = frozenset(_GOOD.split(" ")), frozenset(_BAD.split(" "))
NOT = frozenset(("not", "isn't", "never", "doesn't", "didn't", "no"))

WORD = re.compile(r"[\w'+-]+|👍|👎")


def quality_of_stars(stars: float, most: float = 5.0) -> float:
    """1 to `most` stars as 0…1. Raises InvalidFeedbackError."""
    if not 1.0 <= stars <= most:
        raise InvalidFeedbackError(f"stars must be within 1…{most:g}, not {stars}")
    return (stars - 1.0) / (most - 1.0)


def quality_of_thumb(thumb: object) -> float:
    """A thumb up or down (also True, 1, "+1", "yes") as 1 or 0. Raises InvalidFeedbackError."""
    word = str(thumb).strip().lower()
    if word in GOOD or word in {"1", "1.0"}:
        return 1.0
    if word in BAD or word in {"0", "0.0"}:
        return 0.0
    raise InvalidFeedbackError(f"a thumb is up or down, not {thumb!r}")


def quality_of_text(text: str) -> float | None:
    """What a comment's words say, 0…1; None if they say neither good nor bad."""
    words = WORD.findall(text.lower())
    score, turned = 0, False
    for word in words:
        good = (word in GOOD) - (word in BAD and not (word in NOT and len(words) > 1))
        score += -good if turned else good
        turned = word in NOT
    if score == 0:
        return None
    return 1.0 / (1.0 + math.exp(-2.0 * score))


def opinion_of(row: Mapping[str, object]) -> Feedback | None:
    """One opinion; None for a text that says neither good nor bad.

    It has `decision_id` or `run_id`, and one of `quality`, `score`, `stars`, `thumb` and `text`;
    besides `source` or `key`, `weight` and `id` (else its whole content is its id). Raises
    InvalidFeedbackError.
    """
    facts = {key: value for key, value in row.items() if value not in (None, "")}
    name = str(facts.get("decision_id") or facts.get("run_id") or facts.get("trace_id") or "")
    if not name:
        given = ", ".join(map(str, facts)) or "nothing"
        raise InvalidFeedbackError(f"an opinion needs a decision_id or a run_id; it has {given}")
    read = _read(facts, name)
    if read is None:
        return None
    quality, source = read
    content = json.dumps(facts, sort_keys=True, default=str).encode()
    return Feedback(
        decision_id=name,
        quality=quality,
        source=str(facts.get("source") or facts.get("key") or source),
        weight=_number(facts, "weight", 1.0),
        id=str(facts.get("id") or hashlib.blake2b(content, digest_size=16).hexdigest()),
    )


def _read(facts: Mapping[str, object], name: str) -> tuple[float, str] | None:
    """Its quality, and who speaks like that."""
    if "stars" in facts:
        return quality_of_stars(_number(facts, "stars", 0.0)), "stars"
    for key in ("thumb", "thumbs"):
        if key in facts:
            return quality_of_thumb(str(facts[key])), "thumbs"
    if "quality" in facts:
        return _number(facts, "quality", 0.0), "import"
    if "score" in facts:
        words = {"true": 1.0, "false": 0.0}
        score = words.get(str(facts["score"]).lower())
        return (_number(facts, "score", 0.0) if score is None else score), "score"
    for key in ("text", "comment", "value"):
        if key in facts:
            told = quality_of_text(str(facts[key]))
            return None if told is None else (told, "comment")
    raise InvalidFeedbackError(
        f"the opinion on {name!r} says nothing: give quality, score, stars, thumb or text"
    )


def _number(facts: Mapping[str, object], key: str, otherwise: float) -> float:
    try:
        return float(str(facts.get(key, otherwise)))
    except ValueError as error:
        raise InvalidFeedbackError(f"{key} must be a number, not {facts[key]!r}") from error


def read_opinions(path: Path, bad: Callable[[str], None] | None = None) -> Iterator[Feedback]:
    """Opinions of a CSV file with headings, or of JSON Lines, in order.

    Of a line that cannot be read `bad` is told file, line and problem; without `bad` it raises
    InvalidFeedbackError. That a file cannot be read at all it raises anyway.
    """
    for number, row in _rows(path):
        try:
            told = opinion_of(_parsed(row) if isinstance(row, str) else row)
        except InvalidFeedbackError as error:
            problem = f"{path}, line {number}: {error}"
            if bad is None:
                raise InvalidFeedbackError(problem) from error
            bad(problem)
            continue
        if told is not None:
            yield told


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, object] | str]]:
    """Line numbers with a row of a table, or a line of JSON."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                table = csv.DictReader(file, delimiter=_delimiter(file))
                for row in table:
                    yield table.line_num, {key: row[key] for key in row if key is not None}
                return
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidFeedbackError(f"{path} cannot be read: {error}") from error


def _delimiter(file: TextIO) -> str:
    """What stands between the headings: a comma, or what some spreadsheets write for it."""
    headings = file.readline()
    file.seek(0)
    return next((one for one in (",", ";", "\t") if one in headings), ",")


def _parsed(line: str) -> Mapping[str, object]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InvalidFeedbackError(str(error)) from error
    if not isinstance(row, dict):
        raise InvalidFeedbackError(f"an object is wanted, not {line[:40]!r}")
    return row
