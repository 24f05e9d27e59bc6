"""`sls study`: answers a question from recorded traces."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table as Grid

from sls_plugins.cli.arguments import StudyArguments
from sls_plugins.cli.work.reporting import check_outputs
from sls_plugins.cli.work.screen import progress, show
from sls_plugins.evaluation.files import write_json
from sls_plugins.evaluation.study import (
    Cell,
    StudyReport,
    StudySetup,
    Table,
    find_study,
    study_names,
)

__all__ = ["run"]


def run(arguments: StudyArguments) -> None:
    """Run the study and show its tables, or list what there is. Raises SLSError."""
    if arguments.name is None:
        show(_grid(_list()))
        return
    check_outputs((arguments.json,), None)
    study = find_study(arguments.name)
    setup = StudySetup(
        traces=arguments.traces,
        seeds=tuple(range(arguments.seeds)),
        encoder=arguments.encoder,
        embeddings=arguments.embeddings,
        limit=arguments.limit,
        only=arguments.only,
    )
    with progress(arguments.name) as advance:
        report = study.run(setup, advance)
    if arguments.json is not None:
        write_json(arguments.json, report.facts())
    _show(report)


def _list() -> Table:
    return Table(
        title="studies",
        columns=("name", "question"),
        rows=tuple(study_names().items()),
        note="sls study NAME --traces FOLDER answers one.",
    )


def _show(report: StudyReport) -> None:
    show(f"[bold]{escape(report.title)}[/]")
    for table in report.tables:
        show(_grid(table))
    for note in report.notes:
        show(f"[dim]{escape(note)}[/]")


def _grid(table: Table) -> Grid:
    grid = Grid(
        title=escape(table.title),
        title_justify="left",
        caption=escape(table.note) or None,
        caption_justify="left",
    )
    for place, heading in enumerate(table.columns):
        numbers = bool(table.rows) and all(not isinstance(row[place], str) for row in table.rows)
        grid.add_column(escape(heading), justify="right" if numbers else "left", overflow="fold")
    for row in table.rows:
        grid.add_row(*(_text(cell) for cell in row))
    return grid


def _text(cell: Cell) -> str:
    if cell is None:
        return "–"
    return f"{cell:.4g}" if isinstance(cell, float) else escape(str(cell))
