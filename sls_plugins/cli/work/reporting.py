"""Writes the files of a run: facts for programs, the report with plots."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sls_plugins.errors import MissingExtraError
from sls_plugins.evaluation.files import check_writable, write_json
from sls_plugins.evaluation.results import Report

__all__ = ["check_outputs", "require", "write_outputs"]


def require(part: str, extra: str, *libraries: str) -> None:
    """See to it that an extra's libraries are installed. Raises MissingExtraError."""
    for library in libraries:
        if importlib.util.find_spec(library) is None:
            raise MissingExtraError(part, library, extra)


def check_outputs(files: Sequence[Path | None], html: Path | None) -> None:
    """Find out before the work begins what would go wrong after it. Raises SLSError."""
    for path in (*files, html):
        if path is not None:
            check_writable(path)
    if html is not None:
        require("the report", "dashboard", "jinja2", "matplotlib")


def write_outputs(report: Report, json: Path | None, html: Path | None) -> None:
    """Write what was asked for; before anything is shown, for a pipe's reader may go away."""
    if json is not None:
        write_json(json, report.data)
    if html is not None:
        # By name: matplotlib takes long to load, and only this one needs it.
        module: Any = importlib.import_module("sls_plugins.evaluation.report")
        module.write_report(report, html)
