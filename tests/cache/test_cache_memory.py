"""The index in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

from sls_plugins.cache.factory import make_memory_index
from sls_plugins.cache.memory import MemoryIndex
from sls_plugins.errors import SettingsError
from sls_plugins.protocols import Context
from sls_plugins.testing.contracts.index import IndexContract, entry_of, unit_vector
from sls_plugins.types import IndexEntry, Space


class TestMemoryIndex(IndexContract):
    @pytest.fixture
    def index_factory(self) -> Callable[[], MemoryIndex]:
        return lambda: MemoryIndex(8)


def test_turnover_finds_what_a_full_scan_finds() -> None:
    """After many additions and removals the nearest is still the exact one."""
    rng = np.random.default_rng(0)
    index, kept = MemoryIndex(8), {}
    for step in range(600):
        entry = entry_of(f"e{step}", step)
        index.add([entry])
        kept[entry.id] = entry.vector
        if step % 3:
            gone = list(kept)[int(rng.integers(len(kept)))]
            index.remove([gone])
            del kept[gone]
    for seed in range(1000, 1020):
        query = unit_vector(seed)
        best = max(kept, key=lambda one: float(kept[one] @ query))
        assert index.search(entry_of("x", 0).space, query, 1)[0].id == best


def test_memory_is_given_back_when_entries_go() -> None:
    """Dead rows are dropped, so that turnover does not grow the matrix."""
    index = MemoryIndex(8)
    for step in range(5000):
        index.add([entry_of(f"e{step}", step % 50)])
        index.remove([f"e{step - 10}"])
    [rows] = index._spaces.values()
    assert len(rows.matrix) <= 100


def test_searches_while_others_write_see_whole_rows() -> None:
    """A search during additions and removals never gives a similarity that no entry has."""
    index, space = MemoryIndex(64), Space()
    vectors = [unit_vector(seed, 64) for seed in range(200)]
    query = unit_vector(999, 64)
    truth = {f"e{at}": float(vector @ query) for at, vector in enumerate(vectors)}
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for at, vector in enumerate(vectors):
                index.add([IndexEntry(id=f"e{at}", space=space, vector=vector)])
                index.remove([f"e{(at * 7) % 200}"])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        found = [one for _ in range(500) for one in index.search(space, query, 5)]
    finally:
        stop.set()
        writer.join()
    assert all(one.similarity == pytest.approx(truth[one.id], abs=1e-5) for one in found)


def test_a_query_that_is_not_finite_finds_nothing() -> None:
    """A broken vector has no neighbours, and none may be stored."""
    index = MemoryIndex(8)
    index.add([entry_of("e", 1)])
    broken = np.full(8, np.nan, dtype=np.float32)
    assert index.search(entry_of("e", 1).space, broken, 1) == ()
    with pytest.raises(ValueError, match="not finite"):
        index.add([IndexEntry(id="f", space=Space(), vector=broken)])


def test_the_factory_takes_no_options() -> None:
    """A misspelt option of the settings is an error."""
    context = Context(clock=lambda: 0.0, dimension=8)
    assert isinstance(make_memory_index(context, {}), MemoryIndex)
    with pytest.raises(SettingsError, match="no options"):
        make_memory_index(context, {"path": "x"})
