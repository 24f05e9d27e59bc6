"""What commands show: tables on standard output, progress on standard error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from sls_plugins.evaluation.results import Fact, Policy, Report
from sls_plugins.evaluation.study import Advance

__all__ = ["Advance", "facts_table", "policies_table", "progress", "show", "show_report", "tell"]


def show(*things: object) -> None:
    """Print on standard output."""
    Console().print(*things)


def tell(text: str) -> None:
    """Print a remark on standard error."""
    Console(stderr=True, highlight=False).print(text, style="dim", markup=False)


@contextmanager
def progress(title: str, total: int | None = None) -> Iterator[Advance]:
    """A bar on standard error while the block runs; nothing if that is no terminal.

    Without a `total` it only shows that something moves.
    """
    console = Console(stderr=True)
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(title, total=total, note="")

        def advance(done: int, note: str = "") -> None:
            bar.update(task, completed=done, note=note)

        yield advance


def show_report(report: Report) -> None:
    """A report's headline and tables on standard output."""
    show(f"[bold]{escape(report.title)}[/]\n[dim]{escape(report.subtitle)}[/]")
    show(facts_table(report.facts))
    if report.policies:
        show(policies_table(report.policies))


def facts_table(facts: Sequence[Fact]) -> Table:
    """Label and figure, row by row."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column()
    for fact in facts:
        table.add_row(escape(fact.label), escape(fact.text))
    return table


def policies_table(policies: Sequence[Policy]) -> Table:
    """Policies beside each other, the first one in bold; † marks hindsight."""
    table = Table(caption="† in hindsight: nobody could have followed it", caption_justify="left")
    table.add_column("policy", overflow="fold")
    for heading in ("quality", "USD", "USD/query", "calls", "hit rate"):
        table.add_column(heading, justify="right", no_wrap=True)
    for place, policy in enumerate(policies):
        table.add_row(
            f"{escape(policy.name)}{' †' if policy.hindsight else ''}",
            _quality(policy),
            f"{policy.cost_usd:.4f}",
            f"{policy.usd_per_query:.3g}",
            "" if policy.calls is None else str(policy.calls),
            "" if policy.hit_rate is None else f"{policy.hit_rate:.1%}",
            style="bold" if place == 0 else None,
        )
    return table


def _quality(policy: Policy) -> str:
    if policy.quality_low is None or policy.quality_high is None:
        return f"{policy.quality:.4f}"
    return f"{policy.quality:.4f} ±{(policy.quality_high - policy.quality_low) / 2:.4f}"
