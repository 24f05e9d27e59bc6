"""A cache on parts in memory."""

from __future__ import annotations

import pytest

from sls_plugins.cache import CachePolicy
from sls_plugins.testing.cache_world import CacheWorld


@pytest.fixture
def world() -> CacheWorld:
    """A cache on parts in memory that refuses nothing acceptable."""
    return CacheWorld(policy=CachePolicy(audit=0.0))
