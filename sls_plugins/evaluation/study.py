"""What a study is: a question to recorded traces, answered by tables of figures.

A study is a module of `sls_plugins.evaluation.studies`, found by its name. Its docstring's first
line is the question; its function ``run(setup, advance)`` returns a `StudyReport`.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from sls_plugins.errors import InputError
from sls_plugins.evaluation import studies
from sls_plugins.evaluation.results import JsonValue

__all__ = [
    "Advance",
    "Cell",
    "Study",
    "StudyReport",
    "StudySetup",
    "Table",
    "find_study",
    "study_names",
]

Cell: TypeAlias = str | float | int | None
"""What stands in a table: a text, a number (shown with up to four digits), or nothing."""


class Advance(Protocol):
    """Moves a progress bar."""

    def __call__(self, done: int, note: str = "") -> None:
        """So many are done; `note` stands beside the bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySetup:
    """What every study is told.

    `traces` is the folder of recorded traces, `seeds` those to repeat over, `encoder` a part's
    name, `embeddings` the folder where embeddings are kept, `limit` how many rows of each trace to
    read at most, `only` the traces that a study over all of them looks at (none: all).
    """

    traces: Path
    seeds: tuple[int, ...]
    encoder: str
    embeddings: Path
    limit: int | None = None
    only: tuple[str, ...] = ()

    def routing(self) -> tuple[str, ...]:
        """The routing traces in the folder, or `only` those. Raises InputError for unknown ones."""
        models = sorted(self.traces.glob("*.models.json"))
        there = [path.name.removesuffix(".models.json") for path in models]
        for name in self.only:
            if name not in there:
                raise InputError(f"there is no routing trace {name!r} in {self.traces}")
        return tuple(name for name in there if not self.only or name in self.only)

    def trace(self, name: str) -> Path:
        """The file of a trace in the folder. Raises InputError if it is not there."""
        for suffix in (".jsonl.gz", ".jsonl"):
            path = self.traces / f"{name}{suffix}"
            if path.is_file():
                return path
        raise InputError(f"there is no {name}.jsonl.gz in {self.traces}: name its folder, --traces")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells under headings; `note` says how to read them."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse a row that does not fit the headings."""
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: {len(row)} cells for {len(self.columns)} headings")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReport:
    """What a study found: tables for people, `data` for programs besides the tables."""

    title: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()
    data: Mapping[str, JsonValue] = field(default_factory=dict)

    def facts(self) -> dict[str, JsonValue]:
        """All of it in plain values."""
        return {
            "title": self.title,
            "tables": [
                {
                    "title": table.title,
                    "rows": [dict(zip(table.columns, row, strict=True)) for row in table.rows],
                    "note": table.note,
                }
                for table in self.tables
            ],
            "notes": list(self.notes),
            **self.data,
        }


class Study(Protocol):
    """What a module of `sls_plugins.evaluation.studies` offers."""

    def run(self, setup: StudySetup, advance: Advance) -> StudyReport:
        """Answer the question. Raises SLSError."""


def study_names() -> dict[str, str]:
    """The studies by name, each with its question; a module `a_b` is the study `a-b`."""
    files = (file for folder in studies.__path__ for file in sorted(Path(folder).glob("[a-z]*.py")))
    return {file.stem.replace("_", "-"): _question(file) for file in files}


def _question(file: Path) -> str:
    """The first line of a study's docstring, read without importing what the study needs."""
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    return (docstring or "").partition("\n")[0]


def find_study(name: str) -> Study:
    """A study by its name. Raises InputError that lists those there are."""
    known = study_names()
    if name not in known:
        raise InputError(f"there is no study {name!r}; there are {', '.join(known) or 'none'}")
    module: Any = importlib.import_module(f"{studies.__name__}.{name.replace('-', '_')}")
    study: Study = module
    return study
