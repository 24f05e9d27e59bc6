"""Answers from earlier answers where that is safe."""

from sls_plugins.cache.acceptance import Acceptance, AcceptanceRule
from sls_plugins.cache.keys import exact_key, pattern_of, scope_of
from sls_plugins.cache.manager import SemanticCache
from sls_plugins.cache.memory import MemoryIndex
from sls_plugins.cache.policy import CachePolicy

__all__ = [
    "Acceptance",
    "AcceptanceRule",
    "CachePolicy",
    "MemoryIndex",
    "SemanticCache",
    "exact_key",
    "pattern_of",
    "scope_of",
]
