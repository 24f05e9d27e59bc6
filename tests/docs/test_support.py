"""Tables of what is supported, generated from the tests that show it.

Run this file as a program to write them anew into the docs.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

REPO = Path(__file__).resolve().parents[2]
WAYS = ("blocking", "async", "streaming", "async streaming")
REPEATS = {"free": "from the cache", "afresh": "called afresh"}

TABLES = {
    "langchain": (
        REPO / "docs/adapters.md",
        REPO / "tests/langchain_sls/test_chat_support.py",
    ),
    "llama-index": (
        REPO / "docs/adapters.md",
        REPO / "tests/llama_index_sls/test_router_llm_support.py",
    ),
}
"""By name: the page that shows a table, and the module whose `USES` are tested.

A use has `name`, `way` (one of WAYS) and `repeats` (one of REPEATS).
"""


def module_of(path: Path) -> ModuleType:
    """The test module at this path."""
    known = sys.modules.get(path.stem)
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def table_of(path: Path) -> str:
    """The table of a test module's uses: one line each, one column for each way."""
    uses = module_of(path).USES
    lines = [
        f"| Use | {' | '.join(way.capitalize() for way in WAYS)} | A repeat |",
        f"|{'---|' * (len(WAYS) + 2)}",
    ]
    for name in dict.fromkeys(use.name for use in uses):
        shown = {use.way: REPEATS[use.repeats] for use in uses if use.name == name}
        cells = ["yes" if way in shown else "" for way in WAYS]
        [repeat] = set(shown.values())
        lines.append(f"| {name} | {' | '.join(cells)} | {repeat} |".replace("|  ", "| "))
    return "\n".join(lines)


def marked(name: str) -> re.Pattern[str]:
    """The place of a table in its page."""
    return re.compile(rf"(<!-- support: {name} -->\n\n).*?(\n\n<!-- end -->)", re.DOTALL)


@pytest.mark.parametrize("name", TABLES)
def test_the_docs_show_what_is_tested(name: str) -> None:
    """The table in the docs is the one that the tests give."""
    page, module = TABLES[name]
    found = marked(name).search(page.read_text(encoding="utf-8"))

    assert found is not None
    assert found[0] == f"{found[1]}{table_of(module)}{found[2]}"


def write() -> None:
    """Bring all tables up to date."""
    for name, (page, module) in TABLES.items():
        text = page.read_text(encoding="utf-8")
        table = table_of(module)
        page.write_text(
            marked(name).sub(lambda found, made=table: f"{found[1]}{made}{found[2]}", text),
            encoding="utf-8",
        )


if __name__ == "__main__":
    write()
