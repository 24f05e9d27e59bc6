"""`sls doctor`: what is installed and configured, and whether it works."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from sls_plugins.assembly import build, encode_anew
from sls_plugins.cli.work.checks import State, check_all
from sls_plugins.cli.work.screen import progress, show
from sls_plugins.evaluation.files import write_json
from sls_plugins.settings import PartSettings, Settings, load_settings

__all__ = ["run"]

RECALL_SAMPLE = 200

STYLES = {State.OK: "green", State.NOTE: "yellow", State.WRONG: "bold red"}


def run(settings: Path | None, json: Path | None, *, rebuild: bool = False) -> None:
    """Check everything. Raises typer.Exit(1) when something that is configured cannot work.

    With `rebuild` the index is first made anew from the stored rows. Raises SLSError.
    """
    configured = Settings() if settings is None else load_settings(settings)
    if rebuild:
        _rebuild(configured)
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


def _rebuild(configured: Settings) -> None:
    """Throw the index away and add every live row to a new one, encoded anew where it must be."""
    with progress("encoding") as advance:
        anew = encode_anew(configured, advance)
    if anew:
        show(f"encoded {anew} texts anew: another encoder had encoded them, or none")
    part = configured.index
    if part.name in {"chroma", "auto"} and configured.folder is not None:
        folder = {"path": str(configured.folder / "chroma")} if "url" not in part.options else {}
        options = {**folder, **part.options, "fresh": True}
        part = PartSettings(name="chroma" if find_spec("chromadb") else "memory", options=options)
        if part.name == "memory":
            part = PartSettings(name="memory")
    with build(configured.model_copy(update={"index": part})) as engine:
        cache = engine.parts.cache
        if cache is None:
            show("the cache is off: there is no index to rebuild")
            return
        stock = cache.stock()
        stock.index.flush()
        recall = stock.index.recall(RECALL_SAMPLE)
    others = len(stock.rows) - len(stock.vectors)
    show(f"rebuilt the index: {len(stock.vectors)} entries, recall by self-query {recall:.3f}")
    if others:
        show(f"{others} rows without a vector serve exact repeats only")
