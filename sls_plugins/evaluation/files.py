"""Writes result files whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from sls_plugins.errors import InputError
from sls_plugins.evaluation.results import Decided, JsonValue

__all__ = [
    "check_writable",
    "decision_line",
    "write_decisions",
    "write_json",
    "write_lines",
    "write_text",
]


def check_writable(path: Path) -> None:
    """Find out before long work whether a file could be written. Raises InputError."""
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file in it")
    parent = next(folder for folder in path.resolve().parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise InputError(f"{path} cannot be written: {parent} is no folder that you may write to")


def write_text(path: Path, text: str) -> None:
    """Put a text into a file which others never see half-written. Raises InputError.

    What is there but no plain file (a terminal, a pipe) is written to directly.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path.resolve(), text)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_json(path: Path, data: Mapping[str, JsonValue]) -> None:
    """Facts for programs, indented. NaN is refused by ValueError."""
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_decisions(path: Path, decided: Iterable[Decided]) -> None:
    """One JSON object a line, in the order in which the rows were decided."""
    write_lines(path, (decision_line(row) for row in decided))


def write_lines(path: Path, lines: Iterable[Mapping[str, JsonValue]]) -> None:
    """JSON Lines."""
    text = "".join(f"{json.dumps(line, ensure_ascii=False, allow_nan=False)}\n" for line in lines)
    write_text(path, text)


def decision_line(row: Decided) -> dict[str, JsonValue]:
    """A row as `--decisions` writes it; only rows which count in no figure say `warm`."""
    line: dict[str, JsonValue] = {
        "query_id": row.query_id,
        "source": row.source.value,
        "candidate": row.candidate,
        "cost_usd": row.cost_usd,
        "quality": row.quality,
        "from_query_id": row.from_query_id,
        "propensity": row.propensity,
        "predicted_quality": row.predicted_quality,
        "predicted_cost_usd": row.predicted_cost_usd,
    }
    if row.warm:
        line["warm"] = True
    return line
