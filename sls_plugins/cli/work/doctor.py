"""`sls doctor`: what is installed and configured, and whether it works."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from sls_plugins.cli.work.checks import State, check_all
from sls_plugins.cli.work.screen import show
from sls_plugins.evaluation.files import write_json
from sls_plugins.settings import Settings, load_settings

__all__ = ["run"]

STYLES = {State.OK: "green", State.NOTE: "yellow", State.WRONG: "bold red"}


def run(settings: Path | None, json: Path | None) -> None:
    """Check everything. Raises typer.Exit(1) when something that is configured cannot work."""
    configured = Settings() if settings is None else load_settings(settings)
    checks = tuple(check_all(configured, given=settings is not None))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for check in checks:
        style = STYLES[check.state]
        table.add_row(f"[{style}]{check.state.value}[/]", check.name, escape(check.text))
    show(table)
    wrong = any(check.state is State.WRONG for check in checks)
    if json is not None:
        lines = [{"name": c.name, "state": c.state.value, "text": c.text} for c in checks]
        write_json(json, {"works": not wrong, "checks": lines})
    if wrong:
        raise typer.Exit(1)
