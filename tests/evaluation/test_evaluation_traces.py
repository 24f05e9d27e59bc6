"""Trace readers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from sls_plugins.errors import SettingsError, TraceError
from sls_plugins.evaluation.candidates import find_candidates
from sls_plugins.evaluation.traces import load_routing, read_arrivals, read_cache, read_routing

TRACES = Path(__file__).resolve().parents[3] / "shared" / "traces"


def routing(number: int, **changes: object) -> dict[str, object]:
    outcome = {"score": 1.0, "input_tokens": 3, "output_tokens": None, "cost_usd": 0.1}
    row = {"query_id": f"q{number}", "prompt": f"Text {number}?", "outcomes": {"a": outcome}}
    return {**row, **changes}


def write(path: Path, rows: list[object]) -> Path:
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["trace.jsonl", "trace.jsonl.gz"])
def test_plain_and_zipped_traces_read_alike(tmp_path: Path, name: str) -> None:
    """Rows come in order, with nulls, whatever else a row holds is ignored."""
    rows = [routing(1, category="x", reference=None), "", routing(2, split="test", task="t")]
    first, second = read_routing(write(tmp_path / name, rows))
    assert (first.query_id, first.reference, first.split) == ("q1", None, None)
    assert (second.split, second.task, second.outcomes["a"].output_tokens) == ("test", "t", None)


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("{", "Invalid JSON"),
        (routing(7, outcomes={"a": {"score": 1.5}}), "outcomes.a.score"),
        (routing(7, outcomes={"a": {"score": 1, "cost_usd": -1}}), "outcomes.a.cost_usd"),
        (routing(7, prompt="  "), "prompt"),
        (routing(7, outcomes={}), "outcomes"),
        (routing(3), "'q3' was seen on line 3"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, broken: object, problem: str) -> None:
    """The error tells the file, the line counted from 1, and what is wrong there."""
    path = write(tmp_path / "t.jsonl.gz", [*(routing(n) for n in range(1, 7)), broken, routing(8)])
    with pytest.raises(TraceError) as caught:
        list(read_routing(path))
    assert (caught.value.path, caught.value.line) == (str(path), 7)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_reading_streams(tmp_path: Path) -> None:
    """Rows before a broken line are given; a limit stops before it."""
    path = write(tmp_path / "t.jsonl", [routing(1), routing(2), "broken"])
    rows = read_routing(path)
    assert [next(rows).query_id, next(rows).query_id] == ["q1", "q2"]
    with pytest.raises(TraceError):
        next(rows)
    assert len(list(read_routing(path, limit=2))) == 2


def test_a_cut_off_file_is_told(tmp_path: Path) -> None:
    """A gzip file whose end is missing is an error, not a short trace."""
    whole = gzip.compress("\n".join(json.dumps(routing(n)) for n in range(500)).encode())
    path = tmp_path / "t.jsonl.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TraceError, match="cannot be read"):
        list(read_routing(path))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """A path without a file is an error of the trace."""
    with pytest.raises(TraceError, match=r"nothing\.jsonl"):
        list(read_routing(tmp_path / "nothing.jsonl"))


def test_every_row_has_every_model(tmp_path: Path) -> None:
    """A row that lacks a model of the first row is named."""
    lacking = routing(2, outcomes={"b": {"score": 0}})
    path = write(tmp_path / "t.jsonl", [routing(1), lacking])
    with pytest.raises(TraceError, match="'q2' and the first row differ in their models: a, b"):
        load_routing(path)


def test_cache_rows_and_arrivals(tmp_path: Path) -> None:
    """The two other kinds of rows are read and checked alike."""
    cache = write(tmp_path / "c.jsonl", [{"query_id": "1", "text": "x", "group": "g"}])
    arrivals = write(
        tmp_path / "a.jsonl",
        [
            {"query_id": "1", "t_s": 0.5, "input_tokens": 3, "output_tokens": 4},
            {"query_id": "2", "t_s": -1, "input_tokens": 3, "output_tokens": 4},
        ],
    )
    assert [row.group for row in read_cache(cache)] == ["g"]
    with pytest.raises(TraceError, match=r"line 2: t_s"):
        list(read_arrivals(arrivals))


def test_prices_beside_the_trace(tmp_path: Path) -> None:
    """List prices are found beside the trace, in the order in which they are asked for."""
    listed = {
        "a": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2, "notes": "-"},
        "b": {"input_usd_per_mtok": 3, "output_usd_per_mtok": 4, "context_window": 5},
    }
    (tmp_path / "t.models.json").write_text(json.dumps(listed))
    second, first = find_candidates(tmp_path / "t.jsonl.gz", ["b", "a"])
    assert (second.name, second.input_usd_per_mtok, second.context_window) == ("b", 3, 5)
    assert (first.name, first.output_usd_per_mtok) == ("a", 2)


def test_prices_from_a_settings_file(tmp_path: Path) -> None:
    """A TOML file with candidates takes the place of the file beside the trace."""
    given = tmp_path / "sls.toml"
    given.write_text('[[candidates]]\nname = "a"\ninput_usd_per_mtok = 7.0\n')
    [candidate] = find_candidates(tmp_path / "t.jsonl", ["a"], given)
    assert candidate.input_usd_per_mtok == 7.0
    with pytest.raises(SettingsError, match="without an entry: b"):
        find_candidates(tmp_path / "t.jsonl", ["b"], given)


def test_missing_prices_say_what_to_do(tmp_path: Path) -> None:
    """Without prices anywhere the error names the file to write and the option to use."""
    with pytest.raises(SettingsError, match=r"t\.models\.json.*--candidates"):
        find_candidates(tmp_path / "t.jsonl.gz", ["a"])


@pytest.mark.parametrize("text", ["{", '{"a": {"input_usd_per_mtok": -1}}'])
def test_broken_prices_name_the_file(tmp_path: Path, text: str) -> None:
    """A price file that cannot be used is named."""
    (tmp_path / "t.models.json").write_text(text)
    with pytest.raises(SettingsError, match=r"t\.models\.json"):
        find_candidates(tmp_path / "t.jsonl", ["a"])


@pytest.mark.traces
@pytest.mark.slow
def test_the_recorded_traces_are_read() -> None:
    """Every recorded trace passes the reader's checks, and has its prices beside it."""
    if not TRACES.exists():
        pytest.skip(f"the recorded traces are not at {TRACES}")
    for path in sorted(TRACES.glob("*.models.json")):
        trace = path.with_name(path.name.replace(".models.json", ".jsonl.gz"))
        rows = load_routing(trace, 200)
        assert len(find_candidates(trace, rows[0].outcomes)) == len(rows[0].outcomes)
    for path in sorted(TRACES.glob("cache_*.gz")):
        assert len(list(read_cache(path, 200))) == 200
    for path in sorted(TRACES.glob("arrivals_*.gz")):
        assert len(list(read_arrivals(path, 200))) == 200
