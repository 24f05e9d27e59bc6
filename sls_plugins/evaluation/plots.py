"""Draws charts as SVG that suits light and dark pages."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from sls_plugins.evaluation.results import Chart

__all__ = ["svg_of"]

INK = "#7a7b7c"
"""Stands for the page's own text colour until the drawing is done."""

COLOURS = (
    "#2f81f7",
    "#e8590c",
    "#2b9a66",
    "#a855f7",
    "#c99a06",
    "#e5484d",
    "#0891b2",
    "#d6409f",
    "#8d6e63",
    "#7c8b2d",
    "#64748b",
    "#5b5bd6",
    "#14a58d",
)
"""Mid-tones: each can be read on white as well as on near-black."""

STYLE: dict[Any, object] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 10.5,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.22,
    "legend.frameon": False,
}


def svg_of(chart: Chart) -> str:
    """The chart as an `<svg>` element without a background; the same chart gives the same text."""
    with mpl.rc_context({**STYLE, "svg.hashsalt": chart.title}):
        figure = Figure(figsize=(7.2, 4.2), layout="constrained")
        axes = figure.add_subplot()
        (_stack if chart.stacked else _lines)(axes, chart)
        axes.set_xlabel(chart.x_label)
        axes.set_ylabel(chart.y_label)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.grid(visible=True)
        axes.margins(x=0)
        if chart.series:
            columns = 2 if len(chart.series) <= 4 else 3
            figure.legend(loc="outside lower center", ncols=columns, fontsize=9.5)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    drawing = text.getvalue()
    return drawing[drawing.index("<svg") :].replace(INK, "currentColor")


def _lines(axes: Axes, chart: Chart) -> None:
    """Curves; rivals are dashed and take their colours from the fourth on, in every chart."""
    own, rivals = _colours(), islice(_colours(), 3, None)
    for series in chart.series:
        axes.plot(
            series.x,
            series.y,
            label=series.name,
            color=next(rivals if series.rival else own),
            linewidth=1.5 if series.rival else 2.0,
            linestyle="--" if series.rival else "-",
        )


def _stack(axes: Axes, chart: Chart) -> None:
    """Shares on top of each other."""
    colours = list(islice(_colours(), len(chart.series)))
    if chart.series:
        axes.stackplot(
            chart.series[0].x,
            *[series.y for series in chart.series],
            labels=[series.name for series in chart.series],
            colors=colours,
            alpha=0.85,
        )
    axes.set_ylim(0, 1)


def _colours() -> Iterator[str]:
    return cycle(COLOURS)
