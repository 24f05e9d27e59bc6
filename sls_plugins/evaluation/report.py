"""Renders a `Report` as one HTML page that needs no other file."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sls_plugins.evaluation.files import write_text
from sls_plugins.evaluation.plots import svg_of
from sls_plugins.evaluation.results import Report

__all__ = ["render", "write_report"]


def render(report: Report) -> str:
    """The page. All texts are escaped; the plots are inline SVG."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The drawings are our own; matplotlib escapes the names inside them.
    drawn = [(chart, Markup(svg_of(chart))) for chart in report.charts]  # noqa: S704
    return environment.get_template("report.html.jinja").render(report=report, drawn=drawn)


def write_report(report: Report, path: Path) -> None:
    """Put the page into a file, whole or not at all. Raises InputError."""
    write_text(path, render(report))
