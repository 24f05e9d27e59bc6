"""The bench of ChatSLS, with a few calls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from langchain_sls.bench import main


def test_the_bench_tells_what_is_added(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It times the bare model, ours, the encoder and a hit in one run, and writes it all down."""
    main(["--encoder", "hashing", "--calls", "5", "--json", str(tmp_path / "bench.json")])

    facts = {each["name"]: each for each in json.loads((tmp_path / "bench.json").read_text())}
    printed = capsys.readouterr().out
    assert all(name in printed for name in facts)
    bare, ours = facts["the model alone"]["p50_ms"], facts["ChatSLS, a new question"]["p50_ms"]
    assert facts["added to a call"]["p50_ms"] == pytest.approx(ours - bare)
    assert facts["ChatSLS, an exact hit"]["count"] == 5
