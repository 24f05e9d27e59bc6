"""Imports what a command does only when it runs."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["work"]


def work(name: str) -> Any:
    """The module `sls_plugins.cli.work.<name>`; its `run` does what the command promises."""
    return importlib.import_module(f"sls_plugins.cli.work.{name}")
