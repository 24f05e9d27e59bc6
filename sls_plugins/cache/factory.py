"""Makes the built-in index from a context, for the plugin registry."""

from __future__ import annotations

from collections.abc import Mapping

from sls_plugins.cache.memory import MemoryIndex
from sls_plugins.errors import SettingsError
from sls_plugins.protocols import Context

__all__ = ["make_memory_index"]


def make_memory_index(context: Context, options: Mapping[str, object]) -> MemoryIndex:
    """An index in memory for the context's encoder. It has no options: SettingsError if any."""
    for key in options:
        raise SettingsError("index options", key, "the memory index has no options", "Remove it.")
    return MemoryIndex(context.dimension)
