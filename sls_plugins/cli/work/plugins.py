"""`sls plugins`: which plugins there are, what they bring."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from sls_plugins.cli.work.screen import show
from sls_plugins.evaluation.files import write_json
from sls_plugins.evaluation.results import JsonValue
from sls_plugins.plugins import Kind, Plugins, Registered

__all__ = ["run"]


def run(json: Path | None) -> None:
    """List them. Raises PluginError for one that is broken."""
    found = Plugins.load()
    kinds = found.parts
    table = Table(caption=f"plugins: {', '.join(found.names)}", caption_justify="left")
    for heading in ("part", "name", "plugin", "made by"):
        table.add_column(heading, overflow="fold")
    for kind, parts in kinds.items():
        for name, part in sorted(parts.items()):
            table.add_row(kind, escape(name), escape(part.plugin), escape(_maker(part)))
    for candidate in found.candidates():
        table.add_row("candidate", escape(candidate.name), "", "")
    show(table)
    if json is not None:
        write_json(json, _facts(found, kinds))


def _maker(part: Registered) -> str:
    """Where its factory is."""
    if isinstance(part.factory, str):
        return part.factory
    module = getattr(part.factory, "__module__", "")
    return f"{module}:{getattr(part.factory, '__qualname__', repr(part.factory))}"


def _facts(found: Plugins, kinds: Mapping[Kind, Mapping[str, Registered]]) -> dict[str, JsonValue]:
    return {
        "plugins": list(found.names),
        "parts": [
            {"part": kind, "name": name, "plugin": part.plugin, "made_by": _maker(part)}
            for kind, parts in kinds.items()
            for name, part in sorted(parts.items())
        ],
        "candidates": [candidate.name for candidate in found.candidates()],
    }
