"""Makes the built-in index and guards from a context, for the plugin registry."""

from __future__ import annotations

from collections.abc import Mapping

from sls_plugins.cache import guards
from sls_plugins.cache.memory import MemoryIndex
from sls_plugins.errors import SettingsError
from sls_plugins.protocols import Context, Factory, Guard

__all__ = ["make_memory_index"]


def make_memory_index(context: Context, options: Mapping[str, object]) -> MemoryIndex:
    """An index in memory for the context's encoder. It has no options: SettingsError if any."""
    for key in options:
        raise SettingsError("index options", key, "the memory index has no options", "Remove it.")
    return MemoryIndex(context.dimension)


def _always(guard: Guard) -> Factory:
    def make(context: Context, options: Mapping[str, object]) -> Guard:  # noqa: ARG001 - a factory
        for key in options:
            raise SettingsError("guard options", key, "a built-in guard has none", "Remove it")
        return guard

    return make


numbers_differ = _always(guards.numbers_differ)
quotes_differ = _always(guards.quotes_differ)
identifiers_differ = _always(guards.identifiers_differ)
negation_differs = _always(guards.negation_differs)
opposites_meet = _always(guards.opposites_meet)
question_differs = _always(guards.question_differs)
order_differs = _always(guards.order_differs)
names_differ = _always(guards.names_differ)
languages_differ = _always(guards.languages_differ)
