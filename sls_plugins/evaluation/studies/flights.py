"""How many calls a hundred queries cause that come together."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sls_plugins.assembly import build
from sls_plugins.engine import Engine
from sls_plugins.evaluation.phrases import TOPICS, desk_settings, wordings
from sls_plugins.evaluation.study import Advance, Cell, StudyReport, StudySetup, Table
from sls_plugins.settings import PartSettings
from sls_plugins.types import Answer, Candidate, Query

__all__ = ["run"]

CROWD = 100
SAID_S = 1.0
"""How long a call takes."""

WARM_TOPICS = 30
WARM_WORDINGS = 20


class Model:
    """A provider that takes its time and counts its calls, in every way of calling."""

    def __init__(self) -> None:
        self.calls = 0
        self._lock = threading.Lock()

    def answer(self, _candidate: Candidate, query: Query) -> Answer:
        """A whole answer."""
        self._count()
        time.sleep(SAID_S)
        return _said(query)

    async def aanswer(self, _candidate: Candidate, query: Query) -> Answer:
        """A whole answer, without blocking."""
        self._count()
        await asyncio.sleep(SAID_S)
        return _said(query)

    def open(self, _candidate: Candidate, query: Query) -> Iterator[str]:
        """Two chunks."""
        self._count()
        yield "said "
        time.sleep(SAID_S)
        yield _topic(query)

    def join(self, chunks: Sequence[str]) -> Answer:
        """The whole answer."""
        return Answer(text="".join(chunks), cost_usd=0.001)

    def replay(self, answer: Answer) -> Iterator[str]:
        """A stored answer."""
        yield answer.text

    def _count(self) -> None:
        with self._lock:
            self.calls += 1


class AsyncModel(Model):
    """The same, streaming without blocking."""

    async def open(  # type: ignore[override]
        self, _candidate: Candidate, query: Query
    ) -> AsyncIterator[str]:
        """Two chunks."""
        self._count()
        yield "said "
        await asyncio.sleep(SAID_S)
        yield _topic(query)


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Identical queries, then wordings of one question, in four ways of calling."""
    crowd = min(CROWD, setup.limit or CROWD)
    rows: list[tuple[Cell, ...]] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = desk_settings(setup, Path(folder), PartSettings(name="memory"))
        with build(settings) as engine:
            _warm(engine, min(WARM_TOPICS, crowd), advance)
            for place, (name, ask) in enumerate(_WAYS.items()):
                topics = TOPICS[WARM_TOPICS + 2 * place :]
                same = ask(engine, [Query(text=f"What is {topics[0]}?")] * crowd)
                alike = ask(engine, [Query(text=text) for text in wordings(topics[1], crowd)])
                rows.append((name, crowd, same, alike))
                advance(WARM_TOPICS + place + 1, name)
    table = Table(
        title="calls caused by queries that come together",
        columns=("way of calling", "queries", "calls if identical", "calls if reworded"),
        rows=tuple(rows),
        note="Reworded: a new question, after 30 others were answered in 20 wordings each.",
    )
    return StudyReport(title="Single flight", tables=(table,))


def _warm(engine: Engine, topics: int, advance: Advance) -> None:
    """Let acceptance see that wordings of one question have one answer."""
    for place, topic in enumerate(TOPICS[:topics]):
        for text in wordings(topic, WARM_WORDINGS):
            said = engine.answer(
                Query(text=text),
                lambda _candidate, _query, topic=topic: Answer(text=topic, cost_usd=0.001),  # type: ignore[misc]
            )
            engine.feedback(said.decision_id, 1.0)
        advance(place + 1, "learning")


def _threads(engine: Engine, queries: Sequence[Query]) -> int:
    model = Model()
    _at_once(queries, lambda query: engine.answer(query, model.answer))
    return model.calls


def _thread_streams(engine: Engine, queries: Sequence[Query]) -> int:
    model = Model()
    _at_once(queries, lambda query: list(engine.stream(query, model)))
    return model.calls


def _at_once(queries: Sequence[Query], ask: Callable[[Query], object]) -> None:
    """Every query in a thread of its own; none begins before all threads run."""
    ready = threading.Barrier(len(queries))

    def begin(query: Query) -> None:
        ready.wait()
        ask(query)

    with ThreadPoolExecutor(len(queries)) as pool:
        list(pool.map(begin, queries))


def _tasks(engine: Engine, queries: Sequence[Query]) -> int:
    model, twin = Model(), engine.as_async()

    async def ask() -> None:
        await asyncio.gather(*(twin.answer(query, model.aanswer) for query in queries))

    asyncio.run(ask())
    return model.calls


def _task_streams(engine: Engine, queries: Sequence[Query]) -> int:
    model, twin = AsyncModel(), engine.as_async()

    async def listen(query: Query) -> None:
        async for _ in twin.stream(query, model):
            pass

    async def ask() -> None:
        await asyncio.gather(*map(listen, queries))

    asyncio.run(ask())
    return model.calls


_WAYS = {
    "threads": _threads,
    "threads, streaming": _thread_streams,
    "tasks": _tasks,
    "tasks, streaming": _task_streams,
}


def _said(query: Query) -> Answer:
    return Answer(text=f"said {_topic(query)}", cost_usd=0.001)


def _topic(query: Query) -> str:
    return max((topic for topic in TOPICS if topic in query.text), key=len, default="nothing")
