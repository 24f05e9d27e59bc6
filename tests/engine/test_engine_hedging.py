"""A second candidate is called beside one that is late: the first good answer wins, all is paid."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from threading import Event

import pytest

from sls_plugins import Answer, Budget, Candidate, Decision, Engine, Query, Usage
from sls_plugins.errors import NoCandidateLeft
from sls_plugins.settings import HealthSettings
from sls_plugins.types import Outcome, OutcomeKind

MakeEngine = Callable[..., Engine]

HEDGED = HealthSettings(hedge=True, retries=0)

USAGE = Usage(input_tokens=10, output_tokens=50)


class Models:
    """Answers at once, but for the first candidate of a question that says "slow"."""

    def __init__(self, *, breaks: bool = False, all_break: bool = False) -> None:
        self.free = Event()
        self.breaks = breaks
        self.all_break = all_break
        self.asked: list[str] = []
        self.cancelled: list[str] = []

    def __call__(self, candidate: Candidate, query: Query) -> Answer:
        first = self._ask(candidate, query)
        if first:
            assert self.free.wait(60.0)
        return self._say(candidate, first=first)

    async def later(self, candidate: Candidate, query: Query) -> Answer:
        if self._ask(candidate, query):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.append(candidate.name)
                raise
        return self._say(candidate, first=False)

    def _ask(self, candidate: Candidate, query: Query) -> bool:
        if "slow" not in query.text:
            return False
        self.asked.append(candidate.name)
        return len(self.asked) == 1

    def _say(self, candidate: Candidate, *, first: bool) -> Answer:
        if self.all_break or (self.breaks and not first and self.asked):
            self.free.set()
            raise ValueError("broken")
        latency_s = None if self.asked else 0.01
        return Answer(text=f"by {candidate.name}", usage=USAGE, latency_s=latency_s)


def taught(engine: Engine, models: Models) -> Engine:
    """An engine that knows how long answers take."""
    for number in range(12):
        engine.answer(Query(text=f"question {number}"), models)
    return engine


def lines_of(engine: Engine, wanted: int) -> list[Outcome]:
    """The log's last lines, as soon as there are so many after the twelve that taught."""
    for _ in range(600):
        lines = list(engine.parts.log.after(12, 100))
        if len(lines) >= wanted:
            return lines
        time.sleep(0.1)
    raise AssertionError(f"{len(lines)} lines")


def test_the_first_good_answer_wins_and_the_other_is_paid(make_engine: MakeEngine) -> None:
    """Who was late ends in peace: what it used is charged, learnt, and told by the log."""
    models = Models()
    engine = taught(make_engine(health=HEDGED), models)
    answer = engine.answer(Query(text="a slow one"), models)
    first, second = models.asked
    assert answer.candidate == second != first
    models.free.set()
    lines = lines_of(engine, 2)
    told = {line.candidate: line for line in lines}
    assert told[second].decision_id == answer.decision_id
    assert told[first].decision_id == f"{answer.decision_id}+{first}"
    assert told[first].usage == USAGE
    assert (told[first].cost_usd or 0.0) > 0.0
    assert "quicker" in engine.parts.log.decision(told[first].decision_id).why
    engine.feedback(answer.decision_id, 1.0)
    assert engine.parts.log.find(answer.decision_id).candidate == second


async def test_async_hosts_cancel_the_slower_call(make_engine: MakeEngine) -> None:
    """It is charged for no more than was expected of it, and does not count as a failure."""
    models = Models()
    engine = taught(make_engine(health=HEDGED), models)
    answer = await engine.as_async().answer(Query(text="a slow one"), models.later)
    first, second = models.asked
    assert (answer.candidate, models.cancelled) == (second, [first])
    told = {line.candidate: line for line in lines_of(engine, 2)}
    assert (told[first].kind, told[first].error) == (OutcomeKind.FAILED, "")
    assert told[first].estimate is not None
    assert 0.0 <= (told[first].cost_usd or 0.0) <= told[first].estimate.cost_usd


def test_a_second_call_that_fails_leaves_the_first(make_engine: MakeEngine) -> None:
    """The late one may still answer."""
    models = Models(breaks=True)
    engine = taught(make_engine(health=HEDGED), models)
    answer = engine.answer(Query(text="a slow one"), models)
    assert answer.candidate == models.asked[0]
    failed = [line for line in lines_of(engine, 2) if line.kind is OutcomeKind.FAILED]
    assert [line.candidate for line in failed] == [models.asked[1]]
    assert "broken" in failed[0].error


def test_nobody_left_is_told(make_engine: MakeEngine) -> None:
    """When both calls fail the rest is tried once, and every cause is carried."""
    models = Models(breaks=True)
    engine = taught(make_engine(health=HEDGED), models)
    models.all_break = True
    with pytest.raises(NoCandidateLeft) as caught:
        engine.answer(Query(text="a slow one"), models)
    assert set(caught.value.causes) == {"small", "middle", "large"}
    assert sorted(models.asked) == ["large", "middle", "small"]
    assert engine.parts.ledger.purse().reserved_usd == 0.0


def test_an_answer_tells_who_failed_beside_it(make_engine: MakeEngine) -> None:
    """The first to be asked may be the one that failed while another was already called."""
    engine = taught(make_engine(health=HEDGED), Models())
    asked: list[str] = []
    broken = Event()

    def call(candidate: Candidate, query: Query) -> Answer:
        asked.append(candidate.name)
        if len(asked) == 1:
            while len(asked) < 2:
                time.sleep(0.01)
            broken.set()
            raise ValueError("broken")
        assert broken.wait(60.0)
        time.sleep(0.2)
        return Answer(text="good", usage=USAGE)

    answer = engine.answer(Query(text="a slow one"), call)
    assert answer.candidate == asked[1]
    assert [name for name, _ in answer.failures] == asked[:1]


def test_the_second_call_is_made_within_the_budget(make_engine: MakeEngine) -> None:
    """What it may cost is held first: where there is no room for it, the first is waited for."""
    models = Models()
    engine = taught(make_engine(health=HEDGED, budget=Budget(usd=1.0, window="total")), models)
    decision = engine.plan(Query(text="which one is late", id="x"))
    assert isinstance(decision, Decision)
    least_usd = min(one.cost_high_usd for one in decision.estimates)
    left_usd = engine.parts.ledger.purse().available_usd or 0.0
    engine.parts.ledger.reserve("others", left_usd - 1.2 * least_usd)

    def late(candidate: Candidate, query: Query) -> Answer:
        models.asked.append(candidate.name)
        time.sleep(0.5)
        return Answer(text="late", usage=Usage(input_tokens=1, output_tokens=1))

    assert engine.answer(Query(text="which one is late?"), late).text == "late"
    assert models.asked == ["small"]


def test_nothing_is_hedged_by_default(make_engine: MakeEngine) -> None:
    """The late one is waited for."""
    models = Models()
    models.free.set()
    engine = taught(make_engine(), models)
    engine.answer(Query(text="a slow one"), models)
    assert len(models.asked) == 1


class Streams:
    """Streams of two words; the first candidate of a slow question speaks only when it is let."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self.closed: list[str] = []

    def open(self, candidate: Candidate, query: Query) -> Iterator[str]:
        try:
            yield self.models(candidate, query).text
            yield "!"
        finally:
            self.closed.append(candidate.name)

    def join(self, chunks: Sequence[str]) -> Answer:
        return Answer(text="".join(chunks), usage=USAGE)

    def replay(self, answer: Answer) -> Iterator[str]:
        yield answer.text


class AsyncStreams(Streams):
    """The same for async hosts."""

    async def open(  # type: ignore[override]
        self, candidate: Candidate, query: Query
    ) -> AsyncGenerator[str, None]:
        try:
            yield (await self.models.later(candidate, query)).text
            yield "!"
        finally:
            self.closed.append(candidate.name)


def test_a_stream_that_is_late_is_overtaken_before_its_first_chunk(make_engine: MakeEngine) -> None:
    """Whoever speaks first is heard to the end; the other is closed when it begins, and paid."""
    models = Models()
    engine = taught(make_engine(health=HEDGED), models)
    host = Streams(models)
    stream = engine.stream(Query(text="a slow one"), host)
    said = list(stream)
    first, second = models.asked
    assert said == [f"by {second}", "!"]
    assert stream.answer is not None
    assert stream.answer.candidate == stream.candidate == second
    models.free.set()
    told = {line.candidate: line for line in lines_of(engine, 2)}
    assert told[first].decision_id == f"{stream.decision_id}+{first}"
    assert sorted(host.closed) == sorted([first, second])


async def test_async_streams_are_overtaken_too(make_engine: MakeEngine) -> None:
    """The late one is cancelled before it has said anything."""
    models = Models()
    engine = taught(make_engine(health=HEDGED), models)
    host = AsyncStreams(models)
    stream = engine.as_async().stream(Query(text="a slow one"), host)  # type: ignore[arg-type]
    said = [chunk async for chunk in stream]
    first, second = models.asked
    assert said == [f"by {second}", "!"]
    assert models.cancelled == [first]
    assert stream.answer is not None
    assert stream.answer.candidate == second
    assert {line.candidate for line in lines_of(engine, 2)} == {first, second}
    assert sorted(host.closed) == sorted([first, second])
