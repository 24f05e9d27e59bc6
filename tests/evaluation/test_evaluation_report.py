"""The report: its plots, its table, what it needs."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from sls_plugins.cli.work.reporting import check_outputs, require
from sls_plugins.errors import InputError, MissingExtraError
from sls_plugins.evaluation.baselines import Outcomes, compare
from sls_plugins.evaluation.charts import CACHE_LABEL, charts_of, share_chart, spend_chart
from sls_plugins.evaluation.files import check_writable, write_json, write_text
from sls_plugins.evaluation.plots import svg_of
from sls_plugins.evaluation.report import render, write_report
from sls_plugins.evaluation.results import Chart, Decided, ReplayResult, Report, Series
from sls_plugins.evaluation.summary import Setup, replay_report
from sls_plugins.types import Source

NAMES = ("fair <model>", "$cost^2$ & co")


def decided(rows: int = 60) -> tuple[Decided, ...]:
    """Every third query is a hit, the others go to two candidates in turn."""
    return tuple(
        Decided(
            query_id=f"q{n}",
            source=Source.CACHE if n % 3 == 0 else Source.MODEL,
            candidate=NAMES[n % 2],
            cost_usd=0.0 if n % 3 == 0 else 0.01,
            quality=float(n % 6 != 0),
            predicted_quality=0.8,
            predicted_cost_usd=0.01,
        )
        for n in range(rows)
    )


@cache
def report() -> Report:
    rows = decided()
    quality, cost_usd = np.tile([0.5, 0.9], (60, 1)), np.tile([0.001, 0.02], (60, 1))
    outcomes = Outcomes(NAMES, quality, cost_usd)
    setup = Setup(trace="t.jsonl", encoder="e", seed=0, candidates=NAMES, options={"price": 1.0})
    result = ReplayResult(decided=rows, seconds=1.0)
    return replay_report(result, compare(outcomes, 0.007), setup)


@cache
def page_of_report() -> str:
    return render(report())


@cache
def drawing(place: int) -> str:
    return svg_of(report().charts[place])


def test_the_page_holds_its_plots() -> None:
    """Four charts are drawn inside the page, each with its title and curves."""
    page = page_of_report()
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(drawings) == 4
    for title in ("Quality over time", "Spend over time", "Who answered", "Semantic cache"):
        assert title in page
    for each in drawings:
        assert len(re.findall("<path", each)) > 5


def test_the_page_needs_no_other_file() -> None:
    """No script, style, font or picture is fetched from anywhere."""
    page = page_of_report()
    assert "<script" not in page
    assert re.findall(r"""(?:src|href)=["'](?!#)""", page) == []
    assert "@import" not in page
    assert re.findall(r"url\((?!#)", page) == []


def test_names_are_shown_as_they_are() -> None:
    """Names with signs of HTML or of mathematics harm neither page nor plots."""
    page = page_of_report()
    assert "fair <model>" not in page
    assert "fair &lt;model&gt;" in page
    assert "fair &lt;model&gt;</text>" in drawing(2)
    assert "$cost^2$ &amp; co</text>" in drawing(2)


def test_drawings_take_the_pages_text_colour() -> None:
    """On a dark page axes and labels are light: they have the colour of the page's text."""
    assert "currentColor" in drawing(0)
    assert "#ffffff" not in drawing(0)
    assert "prefers-color-scheme: dark" in page_of_report()


def test_drawings_are_the_same_every_time() -> None:
    """The same chart gives the same text, so that reports can be compared."""
    assert svg_of(report().charts[2]) == drawing(2)
    ET.fromstring(drawing(2))  # noqa: S314 - our own drawing


def test_a_report_without_charts_is_a_page() -> None:
    """Everything but the title may be missing."""
    page = render(Report(title="Nothing yet"))
    assert "<h1>Nothing yet</h1>" in page
    assert "<svg" not in page
    empty = Chart(title="c", x_label="x", y_label="y", series=())
    assert "<svg" in render(Report(title="t", charts=(empty,)))


def test_the_first_policy_is_ours_and_hindsight_is_marked() -> None:
    """The table begins with the run itself; rivals with hindsight bear a badge."""
    page = page_of_report()
    table = page[page.index("<tbody>") :]
    assert table.index("SLS") < table.index("fair &lt;model&gt;")
    assert table.count('class="badge">hindsight') == 3


def test_shares_add_up() -> None:
    """At every point of the chart somebody answered each query."""
    chart = share_chart(decided())
    assert chart.series[0].name == CACHE_LABEL
    for values in zip(*(series.y for series in chart.series), strict=True):
        assert sum(values) == pytest.approx(1)


def test_long_runs_are_thinned_to_their_ends() -> None:
    """A curve has a few hundred points, and ends with the last query's value."""
    [curve] = spend_chart(decided(5000)).series
    assert len(curve.x) <= 300
    assert (curve.x[0], curve.x[-1]) == (1, 5000)
    assert curve.y[-1] == pytest.approx(sum(row.cost_usd for row in decided(5000)))
    assert all(len(series.x) == 1 for chart in charts_of(decided(1)) for series in chart.series)


def test_a_lopsided_series_is_refused() -> None:
    """As many y as x."""
    with pytest.raises(ValueError, match="2 x for 1 y"):
        Series("s", (1, 2), (1,))


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """What could not be written leaves the old file, and no litter."""
    path = tmp_path / "new" / "f.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"a": float("nan")})
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "broken \ud800")
    assert json.loads(path.read_text()) == {"a": 1}
    assert [each.name for each in path.parent.iterdir()] == ["f.json"]


def test_unwritable_places_are_told(tmp_path: Path) -> None:
    """A folder, and a file where a folder should be, are refused by name."""
    (tmp_path / "plain").write_text("")
    for place in (tmp_path, tmp_path / "plain" / "deep" / "f"):
        with pytest.raises(InputError, match=re.escape(str(place))):
            check_writable(place)
    check_outputs((tmp_path / "a" / "b", None), None)
    assert not (tmp_path / "a").exists()


def test_a_missing_extra_is_named() -> None:
    """The error tells which extra brings the library."""
    with pytest.raises(MissingExtraError, match=r"sls-plugins\[dashboard\]"):
        require("the report", "dashboard", "no_such_library_anywhere")


def test_the_report_is_a_file(tmp_path: Path) -> None:
    """The page is written as it is rendered."""
    write_report(report(), tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == page_of_report()
