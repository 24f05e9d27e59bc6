"""Imports what a command does only when it runs."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["module", "work"]


def work(name: str) -> Any:
    """The module `sls_plugins.cli.work.<name>`; its `run` does what the command promises."""
    return module(f"sls_plugins.cli.work.{name}")


def module(name: str) -> Any:
    """A module of ours by its whole name, for what only some runs of a command need."""
    return importlib.import_module(name)
