"""Plugins are found by their entry points, one by one, and broken ones are named."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sls_plugins.errors import PluginError
from sls_plugins.plugins import Plugins
from sls_plugins.protocols import Context

CONTEXT = Context(clock=lambda: 0.0)


def install(folder: Path, name: str, source: str, module: str | None = None) -> None:
    """Put a distribution with one entry point where pip would put it."""
    module = module or name
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{name}_dist-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-dist\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[sls_plugins]\n{name} = {module}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed distributions; modules imported from it are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


WORKING = """
from sls_plugins.hookspecs import hookimpl

@hookimpl
def sls_judges():
    return {"NAME": lambda context, options: "made"}
"""


def test_the_built_in_parts_are_there_without_any_plugin() -> None:
    """The built-in plugin is loaded first, also when no other is wanted."""
    plugins = Plugins.load(names=[])
    assert plugins.names == ("builtin",)
    assert {"hashing", "minilm"} <= plugins.encoders().keys()
    assert {"sqlite", "postgresql"} <= plugins.stores().keys()
    assert {"memory", "chroma"} <= plugins.indexes().keys()
    assert plugins.predictors()["online"].plugin == "builtin"
    assert plugins.schedulers()["lagrange"].plugin == "builtin"


def test_an_installed_plugin_is_found_by_its_entry_point(site: Path) -> None:
    """Whatever is installed with an entry point of the group is loaded."""
    install(site, "sls_kind", WORKING.replace("NAME", "kind"))
    plugins = Plugins.load(environ={})
    assert {"builtin", "sls_kind"} <= set(plugins.names)
    assert plugins.make("judge", "kind", CONTEXT, {}) == "made"


@pytest.mark.parametrize(
    ("variable", "loaded"),
    [("", ("builtin",)), (" sls_one , ", ("builtin", "sls_one")), ("builtin", ("builtin",))],
)
def test_the_environment_names_what_is_loaded(
    site: Path, variable: str, loaded: tuple[str, ...]
) -> None:
    """SLS_LOAD_PLUGINS lists plugins with commas; empty means the built-in one alone."""
    install(site, "sls_one", WORKING.replace("NAME", "one"))
    install(site, "sls_two", WORKING.replace("NAME", "two"))
    assert Plugins.load(environ={"SLS_LOAD_PLUGINS": variable}).names == loaded


def test_names_in_the_settings_win_over_the_environment(site: Path) -> None:
    """What is asked for by name is what is loaded."""
    install(site, "sls_one", WORKING.replace("NAME", "one"))
    install(site, "sls_two", WORKING.replace("NAME", "two"))
    plugins = Plugins.load(["sls_two"], environ={"SLS_LOAD_PLUGINS": "sls_one"})
    assert plugins.names == ("builtin", "sls_two")


def test_a_plugin_that_is_not_wanted_is_not_even_imported(site: Path) -> None:
    """A broken plugin does no harm once it is left out."""
    install(site, "sls_broken", "raise RuntimeError('no')")
    assert Plugins.load(names=[]).names == ("builtin",)
    assert "sls_broken" not in sys.modules


def test_a_name_that_is_not_installed_is_an_error_with_near_names(site: Path) -> None:
    """A misspelt plugin name is answered by the right one."""
    install(site, "sls_polite", WORKING.replace("NAME", "polite"))
    with pytest.raises(PluginError, match=r"'sls_polit': is not installed.*sls_polite\?") as caught:
        Plugins.load(["sls_polit"])
    assert caught.value.plugin == "sls_polit"


def test_a_plugin_that_cannot_be_imported_is_named(site: Path) -> None:
    """Whatever an import raises, the error says whose import it was and keeps the cause."""
    install(site, "sls_broken", "raise RuntimeError('no luck')")
    with pytest.raises(PluginError, match=r"sls_broken.*RuntimeError: no luck") as caught:
        Plugins.load(environ={})
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_two_plugins_of_one_name_are_an_error(site: Path, tmp_path: Path) -> None:
    """Two distributions may not claim the same plugin name, the built-in one included."""
    install(site, "builtin", WORKING.replace("NAME", "mine"), module="usurper")
    with pytest.raises(PluginError, match=r"sls_plugins\.defaults and usurper"):
        Plugins.load(environ={})
