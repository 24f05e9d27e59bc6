"""Reads recorded traces line by line, checking every row.

Three kinds of rows, each one JSON object a line, plain or gzip'd: routing rows (what every
candidate answered to a query), cache rows (queries in groups that may share an answer) and arrivals
(when requests came). Fields that a row does not know are ignored.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, TextIO, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sls_plugins.errors import TraceError

__all__ = [
    "ArrivalRow",
    "CacheRow",
    "RecordedOutcome",
    "RoutingRow",
    "load_routing",
    "read_arrivals",
    "read_cache",
    "read_routing",
]

Text = Annotated[str, Field(pattern=r"\S")]
Tokens = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Row(BaseModel):
    """What all rows share: an id that occurs once; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    query_id: Text


class RecordedOutcome(BaseModel):
    """What one candidate answered: `score` is its quality 0…1; None where nothing was recorded."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    score: Annotated[float, Field(ge=0, le=1)]
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    cost_usd: Amount | None = None
    latency_s: Amount | None = None
    response: str | None = None


class RoutingRow(Row):
    """A query with the outcome of every candidate. `reference` is the right answer, if any."""

    prompt: Text
    outcomes: Annotated[Mapping[str, RecordedOutcome], Field(min_length=1)]
    task: str = ""
    reference: str | None = None
    split: str | None = None


class CacheRow(Row):
    """A query of a group: queries of one group may share an answer, others must not.

    `cost_usd` and `latency_s` are those of a call, where they were recorded.
    """

    text: Text
    group: Text
    answer: str | None = None
    stream: str = ""
    cost_usd: Amount | None = None
    latency_s: Amount | None = None


class ArrivalRow(Row):
    """A request without its text: when it came (seconds from the start), how long it was."""

    t_s: Amount
    input_tokens: Tokens
    output_tokens: Tokens


R = TypeVar("R", bound=Row)


def read_routing(path: Path, limit: int | None = None) -> Iterator[RoutingRow]:
    """Routing rows in order, at most `limit`. Raises TraceError, naming file and line."""
    return _read(path, RoutingRow, limit)


def load_routing(path: Path, limit: int | None = None) -> tuple[RoutingRow, ...]:
    """All routing rows, so that nothing is half-run when one is broken.

    Raises TraceError, also for a trace without rows, or a row without an outcome of every model.
    """
    rows = tuple(read_routing(path, limit))
    if not rows:
        raise TraceError(str(path), 1, "there is no row in it")
    models = rows[0].outcomes.keys()
    for row in rows:
        if row.outcomes.keys() != models:
            other = ", ".join(sorted(row.outcomes.keys() ^ models))
            problem = f"query_id {row.query_id!r} and the first row differ in their models: {other}"
            raise TraceError(str(path), rows.index(row) + 1, problem)
    return rows


def read_cache(path: Path, limit: int | None = None) -> Iterator[CacheRow]:
    """Cache rows in order of arrival, at most `limit`. Raises TraceError."""
    return _read(path, CacheRow, limit)


def read_arrivals(path: Path, limit: int | None = None) -> Iterator[ArrivalRow]:
    """Arrivals in order, at most `limit`. Raises TraceError."""
    return _read(path, ArrivalRow, limit)


def _read(path: Path, kind: type[R], limit: int | None) -> Iterator[R]:
    """Rows of one kind; empty lines are passed over, a repeated `query_id` is refused."""
    seen: dict[str, int] = {}
    for number, line in _lines(path):
        if limit is not None and len(seen) >= limit:
            return
        if not line.strip():
            continue
        row = _parse(path, number, line, kind)
        if row.query_id in seen:
            problem = f"query_id {row.query_id!r} was seen on line {seen[row.query_id]}"
            raise TraceError(str(path), number, problem)
        seen[row.query_id] = number
        yield row


def _parse(path: Path, number: int, line: str, kind: type[R]) -> R:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        raise TraceError(str(path), number, _problem(error)) from error


def _problem(error: ValidationError) -> str:
    """The first thing that is wrong with a row, in one line."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"])


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines (from 1) of a file, unpacked if it is gzip'd, whatever its name."""
    number = 0
    try:
        with _open(path) as file:
            for number, line in enumerate(file, start=1):
                yield number, line
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise TraceError(str(path), number + 1, f"cannot be read: {error}") from error


def _open(path: Path) -> TextIO:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    if zipped:
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")
