"""Look-ups timed in every index."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_look_ups_are_timed_in_every_index(tmp_path: Path) -> None:
    """NumPy's scan stands beside Chroma in a folder and Chroma as a server."""
    told = tmp_path / "told.json"
    command = [sys.executable, "-c", "from sls_plugins.cli import app; app()", "bench"]
    options = ["--encoder", "hashing", "--entries", "5", "--queries", "10", "--vectors", "50"]
    subprocess.run([*command, *options, "--json", str(told)], check=True, capture_output=True)
    names = [timing["name"] for timing in json.loads(told.read_text())["timings"]]
    assert [name for name in names if name.startswith("nearest")] == [
        "nearest, NumPy scan of 50",
        "nearest, Chroma embedded, 50",
        "nearest, Chroma by HTTP, 50",
    ]
