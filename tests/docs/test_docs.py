"""What the docs claim, checked against what is there."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

import sls_plugins
from sls_plugins import errors, hookspecs
from sls_plugins.cli import app
from sls_plugins.settings import Budget, CacheSettings, Settings
from sls_plugins.types import Candidate

REPO = Path(__file__).resolve().parents[2]
DOCS = sorted((REPO / "docs").glob("*.md"))
PAGES = [REPO / "README.md", *DOCS, *sorted((REPO / "examples").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
ADAPTERS = ("langchain_sls", "llama_index_sls", "sls_chroma")


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(REPO).as_posix()


def anchors(path: Path) -> set[str]:
    """The anchors that headings get on the usual hosts of Markdown."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", read(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def run(program: str, folder: Path) -> str:
    """What a program prints, run alone in an empty folder with warnings as errors."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{REPO}{os.pathsep}{REPO / 'adapters'}"},
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_readmes_program_prints_what_the_readme_says(tmp_path: Path) -> None:
    """The first program of the README has the output that stands below it."""
    blocks = FENCE.findall(read(REPO / "README.md"))
    program = next(body for kind, body in blocks if kind == "python")
    output = next(body for kind, body in blocks if kind == "text")
    assert run(program, tmp_path) == output


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file or folder that exists, and a heading in it."""
    lost = []
    for link in LINK.findall(FENCE.sub("", read(page))):
        place, _, anchor = link.partition("#")
        if place.startswith(("http://", "https://")):
            continue
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_in_the_docs_is_python(page: Path) -> None:
    """Every Python block can be compiled."""
    for kind, body in FENCE.findall(read(page)):
        if kind == "python":
            compile(body, str(page), "exec")


def test_every_hook_is_documented_with_its_arguments() -> None:
    """docs/plugins.md lists exactly the hooks that exist, as they are called."""
    hooks = {
        f"{name}({', '.join(inspect.signature(hook).parameters)})"
        for name, hook in vars(hookspecs).items()
        if name.startswith("sls_")
    }
    assert (
        set(re.findall(r"^\| `(sls_\w+\([^)]*\))` ", read(REPO / "docs/plugins.md"), re.MULTILINE))
        == hooks
    )


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    """The docstring of errors.py shows every class below its own base."""
    drawn: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^    ([│├└─ ]*)(\w+)", line)
        if found and found[2] in vars(errors):
            depth = len(found[1]) // 4
            above[depth:] = [found[2]]
            drawn[found[2]] = above[depth - 1] if depth else "Exception"
    real = {name: getattr(errors, name).__bases__[0].__name__ for name in errors.__all__}
    assert drawn == real


def test_every_error_is_documented() -> None:
    """docs/errors.md lists exactly the errors below the root."""
    listed = re.findall(r"^\| `(\w+)` \|", read(REPO / "docs/errors.md"), re.MULTILINE)
    assert set(listed) == set(errors.__all__) - {"SLSError"}


def test_every_setting_is_documented() -> None:
    """docs/operations.md names every key of the settings, and of a candidate."""
    page = read(REPO / "docs/operations.md")
    keys = {
        *Settings.model_fields,
        *Budget.model_fields,
        *CacheSettings.model_fields,
        *Candidate.__dataclass_fields__,
    }
    assert sorted(key for key in keys if f"`{key}`" not in page) == []


def test_every_public_name_of_the_core_is_documented() -> None:
    """docs/index.md names all that `sls_plugins` exports."""
    page = read(REPO / "docs/index.md")
    names = set(sls_plugins.__all__) - {"__version__"}
    assert len(names) <= 30
    assert sorted(name for name in names if f"`{name}`" not in page) == []


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_public_name_of_an_adapter_is_documented(adapter: str) -> None:
    """docs/adapters.md names the classes that an adapter exports, and no others."""
    page = read(REPO / "docs/adapters.md")
    exported = {name for name in importlib.import_module(adapter).__all__ if name[0].isupper()}
    assert sorted(name for name in exported if f"`{name}" not in page) == []


def test_classes_the_adapters_page_names_exist() -> None:
    """docs/adapters.md promises no class that cannot be imported."""
    page = read(REPO / "docs/adapters.md")
    exported = {name for each in ADAPTERS for name in importlib.import_module(each).__all__}
    promised = set(re.findall(r"`((?:Chat|Chroma)?SLS\w*|ChromaIndex)[`(]", page))
    assert promised - exported == set()


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    """What the docs say of `sls …` is true of the command line."""
    commands = set(typer.main.get_command(app).commands)
    pages = "\n".join(read(page) for page in [REPO / "README.md", *DOCS])
    named = set(re.findall(r"(?:`|^)sls ([a-z][\w-]*)", pages, re.MULTILINE))
    assert named == commands


def test_every_option_that_is_shown_exists() -> None:
    """Command lines in the docs use options that their commands have."""
    commands = typer.main.get_command(app).commands
    lost = []
    for page in PAGES:
        for line in re.findall(r"^sls (.+)$", read(page), re.MULTILINE):
            name, *words = line.split()
            known = {option for each in commands[name].params for option in each.opts}
            lost += [line for word in words if word.startswith("--") and word not in known]
    assert lost == []


def test_every_target_that_is_named_exists() -> None:
    """`make …` in the docs is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", read(REPO / "Makefile"), re.MULTILINE))
    pages = "\n".join(read(page) for page in PAGES)
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", pages, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_the_changelog_knows_this_version() -> None:
    """A version that is built has its section."""
    assert f"\n## [{sls_plugins.__version__}]" in read(REPO / "docs/changelog.md")
