"""SLS, a scheduler for large language models that plugs into LangChain and LlamaIndex.

The names below are imported when they are first asked for, so that ``import sls_plugins`` is quick.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_HOMES = {
    "Answer": "types",
    "AsyncEngine": "engine",
    "Budget": "settings",
    "CacheHit": "types",
    "CacheSettings": "settings",
    "Candidate": "types",
    "Decision": "types",
    "Engine": "engine",
    "Estimate": "types",
    "Feedback": "types",
    "Outcome": "types",
    "Query": "types",
    "Settings": "settings",
    "Source": "types",
    "Usage": "types",
    "build": "assembly",
    "hookimpl": "hookspecs",
}

__all__ = [*_HOMES, "__version__"]  # noqa: PLE0604 - names of text


def __getattr__(name: str) -> object:
    """Import a public name from its home. Raises AttributeError for any other."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    """Public names, also those not yet imported."""
    return sorted(__all__)
