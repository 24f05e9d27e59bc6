"""`sls demo`: the whole road on embedded defaults."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from sls_plugins.cli.arguments import DemoArguments
from sls_plugins.cli.work.reporting import check_outputs, require, write_outputs
from sls_plugins.cli.work.screen import progress, show_report
from sls_plugins.evaluation.results import Report

__all__ = ["run"]

DEMO = "langchain_sls.demo:run_demo"
"""By name: the core knows no host. `(folder, seed, trace, advance) -> Report`, by keyword."""


def run(arguments: DemoArguments) -> None:
    """Run the demo, show the savings, write the report. Raises SLSError."""
    require("the demo", "langchain", "langchain_core")
    require("the demo", "chroma", "chromadb")
    check_outputs((arguments.json,), arguments.html)
    module, name = DEMO.split(":")
    demo: Any = getattr(importlib.import_module(module), name)
    with _folder(arguments.folder) as folder, progress("demo") as advance:
        report: Report = demo(
            folder=folder, seed=arguments.seed, trace=arguments.trace, advance=advance
        )
    write_outputs(report, arguments.json, arguments.html)
    show_report(report)
    typer.echo(f"\nreport: {arguments.html.resolve()}")


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="sls-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
