"""Times the cache's look-ups: nearest vectors in each index, and acceptance, at a given size."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from sls_plugins.cache.manager import SemanticCache
from sls_plugins.cache.memory import MemoryIndex
from sls_plugins.cache.policy import CachePolicy
from sls_plugins.evaluation.metrics import percentile
from sls_plugins.evaluation.overhead import Timing
from sls_plugins.evaluation.server import chroma_server
from sls_plugins.plugins import Plugins
from sls_plugins.protocols import Context, Index
from sls_plugins.storage import open_stores
from sls_plugins.types import Answer, CacheEntry, IndexEntry, Matrix, Query, Space, unit_rows

__all__ = ["measure_lookups"]

DIMENSION = 384
FINGERPRINT = "bench"
NEIGHBOURS = 10
PAGE = 5000
HERE = Space("bench", "s")


def measure_lookups(
    entries: int, queries: int, seed: int, advance: Callable[[int], None]
) -> tuple[Timing, ...]:
    """The nearest of `entries` vectors in memory, in Chroma (embedded, by HTTP), and acceptance.

    Chroma's figures are those of its own search, without the memory in front of it. `advance` is
    told how many of four steps are done. Chroma is left out where it is not installed.
    """
    dice = np.random.default_rng(seed)
    rows = unit_rows(dice.normal(size=(entries, DIMENSION)))
    asked = unit_rows(rows[dice.integers(entries, size=queries)] + 0.02 * dice.normal(
        size=(queries, DIMENSION)))  # fmt: skip
    held = [IndexEntry(id=f"e{at}", space=HERE, vector=row) for at, row in enumerate(rows)]
    memory = MemoryIndex(DIMENSION)
    memory.add(held)
    found = [_searches(f"nearest, NumPy scan of {entries}", memory, asked)]
    advance(1)
    found.append(_near(held, asked))
    advance(2)
    if importlib.util.find_spec("chromadb"):
        with tempfile.TemporaryDirectory() as folder:
            with _chroma({"path": str(Path(folder) / "embedded")}) as index:
                found.append(_fills(f"nearest, Chroma embedded, {entries}", index, held, asked))
            advance(3)
            server = chroma_server(Path(folder) / "server")
            with server as url, _chroma({"url": url}) as index:
                found.append(_fills(f"nearest, Chroma by HTTP, {entries}", index, held, asked))
    advance(4)
    return tuple(found)


@contextmanager
def _chroma(options: dict[str, object]) -> Iterator[Index]:
    context = Context(clock=time.time, dimension=DIMENSION, fingerprint=FINGERPRINT)
    index = cast("Index", Plugins.load().make("index", "chroma", context, options))
    try:
        yield index
    finally:
        index.close()


def _fills(name: str, index: Index, held: Sequence[IndexEntry], asked: Matrix) -> Timing:
    for start in range(0, len(held), PAGE):
        index.add(held[start : start + PAGE])
        index.flush()
    return _searches(name, index, asked)


def _searches(name: str, index: Index, asked: Matrix) -> Timing:
    durable = getattr(index, "search_durable", index.search)  # Chroma's own search
    durable(HERE, asked[0], NEIGHBOURS)
    return _timed(name, [partial(durable, HERE, one, NEIGHBOURS) for one in asked])


def _near(held: Sequence[IndexEntry], asked: Matrix) -> Timing:
    """A whole near look-up: scan, rows from SQL, guards, evidence, verdict."""
    stores = open_stores(None, time.time)
    for entry in held:
        stores.entries.add(_row(entry), entry.vector, FINGERPRINT)
    few = MemoryIndex(DIMENSION)
    cache = SemanticCache(
        entries=stores.entries,
        index=few,
        policy=CachePolicy(),
        fingerprint=FINGERPRINT,
        clock=time.time,
    )
    queries = [Query(text=f"a question that is like number {at}", tenant="bench", scope="s")
               for at in range(len(asked))]  # fmt: skip
    pairs = list(zip(queries, asked, strict=True))
    work = [partial(cache.find_near, query, vector, "bench") for query, vector in pairs]
    work[0]()
    timing = _timed(f"near look-up among {len(held)}: scan, rows, acceptance", work)
    stores.database.close()
    return timing


def _row(entry: IndexEntry) -> CacheEntry:
    return CacheEntry(
        id=entry.id,
        space=entry.space,
        key=entry.id,
        query_id=entry.id,
        text=f"a question like number {entry.id}",
        answer=Answer(text=f"answer {entry.id}", candidate="model", cost_usd=0.001),
    )


def _timed(name: str, work: Sequence[Callable[[], object]]) -> Timing:
    sample_ms = []
    for each in work:
        start_s = time.perf_counter()
        each()
        sample_ms.append(1000 * (time.perf_counter() - start_s))
    return Timing(name, percentile(sample_ms, 0.5), percentile(sample_ms, 0.99), len(sample_ms))
