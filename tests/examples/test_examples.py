"""Every numbered program prints what it says it prints."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("[0-9]*.py"))
PROMISE = "It prints:\n\n"


@pytest.mark.parametrize("program", EXAMPLES, ids=lambda path: path.stem)
def test_program_prints_what_it_promises(program: Path, tmp_path: Path) -> None:
    """A program run alone, in an empty folder, prints the lines that its docstring states."""
    docstring = ast.get_docstring(ast.parse(program.read_text(encoding="utf-8")))
    assert docstring is not None
    assert PROMISE in docstring

    ran = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )

    assert ran.returncode == 0, ran.stderr
    promised = textwrap.dedent(docstring.split(PROMISE, 1)[1]).strip()
    assert ran.stdout.strip() == promised
    assert list(tmp_path.iterdir()) == []


def test_examples_are_numbered_without_gaps() -> None:
    """The programs can be read in order."""
    numbers = sorted(
        int(path.name[:2]) for path in EXAMPLES[0].parent.iterdir() if path.name[:2].isdigit()
    )

    assert numbers == list(range(1, len(numbers) + 1))
