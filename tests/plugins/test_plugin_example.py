"""The example plugin is installed as a user would, found, and does what its README says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
EXAMPLE = REPO / "examples" / "04_plugin"


def python(*words: str, paths: tuple[Path, ...] = ()) -> str:
    """What a Python process prints; `paths` stand first on its import path."""
    path = os.pathsep.join(map(str, (*paths, REPO, REPO / "adapters")))
    ran = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path, "PIP_NO_INDEX": "1"},
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip installed the example."""
    folder = tmp_path_factory.mktemp("site")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    python("-m", "pip", "install", *options, "--target", str(folder), str(EXAMPLE))
    return folder


def test_the_installed_example_is_found_by_its_entry_point(site: Path) -> None:
    """Installing is all: the judge is there under the name the plugin gave it."""
    program = (
        "from sls_plugins.plugins import Plugins\n"
        "plugins = Plugins.load(environ={})\n"
        "print('concise' in plugins.names, plugins.judges()['concise'].plugin)"
    )
    assert python("-c", program, paths=(site,)) == "True concise\n"


def test_the_example_prints_what_its_readme_says(site: Path) -> None:
    """The program beside the plugin has the output that stands in the README."""
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    output = re.findall(r"^```text\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert [python("-W", "error", str(EXAMPLE / "run.py"), paths=(site,))] == output
