"""The rules of the house, asked of every file."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

REPO = Path(__file__).resolve().parents[1]
ROOTS = ("sls_plugins", "adapters", "examples", "tests")
SOURCES = {
    path.relative_to(REPO).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for root in ROOTS
    for path in sorted((REPO / root).rglob("*.py"))
}
SHIPPED = {
    name: tree for name, tree in SOURCES.items() if name.startswith(("sls_plugins/", "adapters/"))
}
TESTS = {name: tree for name, tree in SOURCES.items() if name.startswith("tests/")}
HEAVY = (
    "chromadb",
    "langchain",
    "langchain_core",
    "llama_index",
    "matplotlib",
    "onnxruntime",
    "pymoo",
    "scipy",
    "sentence_transformers",
    "sklearn",
    "torch",
    "transformers",
)
BROAD = ("Exception", "BaseException")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def nodes(trees: dict[str, ast.Module], *kinds: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """All nodes of some kinds, each with its place."""
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, kinds):
                yield f"{name}:{getattr(node, 'lineno', 1)}", node


def lines(node: ast.AST) -> int:
    return node.end_lineno - node.lineno + 1


def imported(node: ast.AST) -> tuple[str, ...]:
    """Names of the modules that an import statement asks for."""
    if isinstance(node, ast.Import):
        return tuple(alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return (f"{node.module}.{alias.name}" for alias in node.names)
    return ()


def regular_packages() -> list[Path]:
    """Top folders of the import packages we ship (not those of a host's namespace)."""
    homes = [REPO / "sls_plugins", *(REPO / "adapters").iterdir()]
    return [home for home in homes if (home / "__init__.py").exists()]


def test_adapters_is_a_folder_and_no_package() -> None:
    """`adapters` as an import name belongs to another published library."""
    assert not (REPO / "adapters" / "__init__.py").exists()


def test_a_hosts_namespace_is_not_claimed() -> None:
    """`llama_index` and its kinds are namespaces: an `__init__.py` of ours would hide the host."""
    space = REPO / "adapters" / "llama_index"
    assert not (space / "__init__.py").exists()
    assert list(space.glob("*/__init__.py")) == []


def test_every_package_is_typed() -> None:
    """Type checkers read our annotations only where py.typed says so."""
    packages = regular_packages()
    assert len(packages) >= 4
    assert [home.name for home in packages if not (home / "py.typed").exists()] == []


@pytest.mark.parametrize("statement", ["import sls_plugins", "from sls_plugins import *"])
def test_importing_the_core_loads_no_heavy_library(statement: str) -> None:
    """A program that only imports the core pays for none of the extras."""
    program = f"{statement}\nimport sys\nprint(*sys.modules, sep='\\n')"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPO
    )
    loaded = {name.partition(".")[0] for name in ran.stdout.split()}
    assert "sls_plugins" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_bare_import_loads_nothing_but_itself() -> None:
    """The public names are imported when they are first asked for."""
    program = (
        "import sys; old = set(sys.modules); import sls_plugins; print(*set(sys.modules) - old)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPO
    )
    outside = {name.partition(".")[0] for name in ran.stdout.split()} - {"sls_plugins"}
    assert outside.isdisjoint({"numpy", "pydantic", "sqlalchemy", "pluggy"})


def test_the_wheel_holds_the_packages_and_no_adapters_folder(tmp_path: Path) -> None:
    """What is installed are the import packages, the licence and the entry points."""
    [wheel] = WheelBuilder(str(REPO)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [entry_points] = [name for name in names if name.endswith("entry_points.txt")]
        declared = archive.read(entry_points).decode()
    tops = {name.partition("/")[0] for name in names}
    assert {name.removeprefix("adapters/") for name in SHIPPED} <= set(names)
    assert {home.name for home in regular_packages()} <= tops
    assert tops.isdisjoint({"adapters", "tests", "examples", "docs"})
    for home in regular_packages():
        shipped = home.relative_to(REPO / "adapters") if home.parent != REPO else home.name
        assert f"{shipped}/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "[sls_plugins]\nbuiltin = sls_plugins.defaults" in declared


def test_every_module_says_in_one_sentence_what_it_is() -> None:
    """A module's docstring begins with one sentence on one line."""
    odd = [
        name
        for name, tree in SOURCES.items()
        if tree.body and not (ast.get_docstring(tree) or "").partition("\n")[0].endswith((".", ":"))
    ]
    assert odd == []


def test_every_test_says_in_one_sentence_what_it_shows() -> None:
    """A test's docstring is one sentence about behaviour."""
    odd = [
        f"{place} {node.name}"
        for place, node in nodes(TESTS, ast.FunctionDef, ast.AsyncFunctionDef)
        if node.name.startswith("test_") and not (ast.get_docstring(node) or "").endswith(".")
    ]
    assert odd == []


def test_files_are_small() -> None:
    """No file is longer than 400 lines."""
    long = [name for name in SOURCES if (REPO / name).read_text(encoding="utf-8").count("\n") > 400]
    assert long == []


def test_functions_are_small() -> None:
    """No function is longer than 50 lines."""
    odd = [
        f"{place} {node.name}: {lines(node)}"
        for place, node in nodes(SOURCES, ast.FunctionDef, ast.AsyncFunctionDef)
        if lines(node) > 50
    ]
    assert odd == []


def test_classes_have_few_public_methods() -> None:
    """No class we ship has more than twelve public methods of its own."""
    odd = []
    for place, node in nodes(SHIPPED, ast.ClassDef):
        public = [
            each.name
            for each in node.body
            if isinstance(each, Function) and not each.name.startswith("_")
        ]
        if len(public) > 12:
            odd.append(f"{place} {node.name}: {len(public)}")
    assert odd == []


def test_no_test_mocks() -> None:
    """Tests are made of real little parts."""
    odd = [
        place
        for place, node in nodes(TESTS, ast.Import, ast.ImportFrom)
        if any(name.startswith(("unittest.mock", "mock", "pytest_mock")) for name in imported(node))
    ]
    assert odd == []


def test_a_broad_except_stands_only_where_strangers_code_runs() -> None:
    """Everything is caught by name, but round plugins and round the host's models."""
    odd = {
        place.partition(":")[0]
        for place, node in nodes(SHIPPED, ast.ExceptHandler)
        if node.type is None
        or any(isinstance(each, ast.Name) and each.id in BROAD for each in ast.walk(node.type))
    }
    assert odd == {"sls_plugins/plugins.py", "sls_plugins/engine/boundary.py"}


def test_imports_stand_at_the_top() -> None:
    """No import hides in a function, under TYPE_CHECKING or in a try."""
    hiding = (ast.FunctionDef, ast.AsyncFunctionDef, ast.If, ast.Try, ast.With, ast.ClassDef)
    odd = [
        place
        for place, node in nodes(SOURCES, *hiding)
        if any(isinstance(each, ast.Import | ast.ImportFrom) for each in ast.walk(node))
    ]
    assert odd == []


def test_nobody_imports_from_the_package_root_within() -> None:
    """Inside the core, names are imported from where they live (but for the version)."""
    known = {"sls_plugins/__version__"}
    for name in SHIPPED:
        known |= {str(Path(name).with_suffix("")), str(Path(name).parent)}
    odd = [
        place
        for place, node in nodes(SHIPPED, ast.ImportFrom)
        if place.startswith("sls_plugins/")
        and node.module == "sls_plugins"
        and any(f"sls_plugins/{alias.name}" not in known for alias in node.names)
    ]
    assert odd == []


def test_nothing_is_pickled() -> None:
    """What is stored can be read without running it."""
    odd = [
        place
        for place, node in nodes(SHIPPED, ast.Import, ast.ImportFrom)
        if any(name.split(".")[0] in {"pickle", "dill", "joblib"} for name in imported(node))
    ]
    assert odd == []


def test_every_public_name_is_described() -> None:
    """What a module lists in `__all__` and defines itself has a docstring."""
    odd = []
    for name, tree in SHIPPED.items():
        public = {
            each.value
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
            for each in ast.walk(node.value)
            if isinstance(each, ast.Constant)
        }
        odd += [
            f"{name}:{node.lineno} {node.name}"
            for node in tree.body
            if isinstance(node, ast.ClassDef | Function)
            and node.name in public
            and not ast.get_docstring(node)
        ]
    assert odd == []
