"""The streaming drivers: fallback before the first chunk, honest ends after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from sls_plugins import Answer, Budget, Candidate, Query, Source, Usage
from sls_plugins.errors import ProviderError


def joined(chunks: Sequence[str]) -> Answer:
    """The answer of these chunks; a chunk is an output token."""
    usage = Usage(input_tokens=1000, output_tokens=len(chunks))
    return Answer(text="".join(chunks), usage=usage, latency_s=0.1)


@dataclass
class Host:
    """Streams words; a candidate may fail before a given chunk."""

    fail_before: dict[str, int] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)

    def open(self, candidate: Candidate, query: Query) -> Iterator[str]:
        self.opened.append(candidate.name)
        for place, word in enumerate(["One ", "two ", "three."]):
            if self.fail_before.get(candidate.name) == place:
                raise ConnectionError(f"{candidate.name} hung up")
            yield word

    def join(self, chunks: Sequence[str]) -> Answer:
        return joined(chunks)

    def replay(self, answer: Answer) -> Iterator[str]:
        yield answer.text


class AsyncHost(Host):
    """The same for async hosts."""

    async def open(self, candidate: Candidate, query: Query) -> AsyncIterator[str]:
        for chunk in super().open(candidate, query):
            await asyncio.sleep(0)
            yield chunk


def test_chunks_come_as_they_are_said_and_the_answer_afterwards(make_engine):
    """The stream names its decision with the first chunk, and has the whole answer at its end."""
    engine = make_engine()
    stream = engine.stream(Query(text="Count!"), Host())
    assert next(stream) == "One "
    assert stream.decision_id
    assert stream.candidate
    assert stream.answer is None
    assert list(stream) == ["two ", "three."]
    assert stream.answer.text == "One two three."
    assert stream.answer.cost_usd > 0


def test_a_cached_answer_streams_too(make_engine):
    """A repeat is replayed without opening a candidate."""
    engine, host = make_engine(), Host()
    list(engine.stream(Query(text="Count!"), host))
    stream = engine.stream(Query(text="Count!"), host)
    assert "".join(stream) == "One two three."
    assert stream.source is Source.CACHE
    assert len(host.opened) == 1


def test_another_candidate_takes_over_before_the_first_chunk(make_engine):
    """The caller sees one whole answer, nothing of the failed one."""
    engine = make_engine()
    first = engine.plan(Query(text="Count!")).candidate
    host = Host(fail_before={first: 0})
    stream = engine.stream(Query(text="Count!"), host)
    assert "".join(stream) == "One two three."
    assert stream.candidate != first or host.opened == [first]
    assert stream.answer.candidate == host.opened[-1]


def test_after_the_first_chunk_a_failure_is_told(make_engine):
    """The stream breaks with the host's error; what was sent is charged, nothing is cached."""
    engine = make_engine(budget=Budget(price=10.0, usd=10.0))
    host = Host(fail_before={"small": 2, "middle": 2, "large": 2})
    stream = engine.stream(Query(text="Count!"), host)
    got = []
    with pytest.raises(ProviderError, match="hung up"):
        got.extend(stream)
    assert len(host.opened) == 1
    purse = engine.parts.ledger.purse()
    assert purse.spent_usd > 0
    assert purse.reserved_usd == 0.0
    assert engine.answer(Query(text="Count!"), lambda c, q: Answer(text="1")).source is Source.MODEL


def test_a_stream_closed_early_is_charged_for_what_was_said(make_engine):
    """Nothing stays reserved, and the half answer is not kept."""
    engine = make_engine(budget=Budget(price=10.0, usd=10.0))
    stream = engine.stream(Query(text="Count!"), Host())
    next(stream)
    assert engine.parts.ledger.purse().reserved_usd > 0
    stream.close()
    purse = engine.parts.ledger.purse()
    assert purse.reserved_usd == 0.0
    assert purse.spent_usd > 0
    assert stream.answer.usage.output_tokens == 1
    again = engine.stream(Query(text="Count!"), Host())
    assert len(list(again)) == 3


async def test_async_chunks_fall_back_and_finish_alike(make_engine):
    """The async stream behaves as the blocking one."""
    engine = make_engine()
    first = engine.plan(Query(text="Count!")).candidate
    host = AsyncHost(fail_before={first: 0})
    stream = engine.as_async().stream(Query(text="Count!"), host)
    assert [chunk async for chunk in stream] == ["One ", "two ", "three."]
    again = engine.as_async().stream(Query(text="Count!"), host)
    assert [chunk async for chunk in again] == ["One two three."]
    assert again.source is Source.CACHE


async def test_an_async_stream_that_breaks_says_so(make_engine):
    """After the first chunk the error reaches the caller."""
    engine = make_engine(budget=Budget(price=10.0, usd=10.0))
    host = AsyncHost(fail_before={"small": 1, "middle": 1, "large": 1})
    got = []
    with pytest.raises(ProviderError, match="hung up"):
        async for chunk in engine.as_async().stream(Query(text="Count!"), host):
            got.append(chunk)  # noqa: PERF401 - a comprehension would lose what came before
    assert got == ["One "]
    assert engine.parts.ledger.purse().reserved_usd == 0.0


async def test_an_async_stream_cancelled_while_waiting_settles(make_engine):
    """A client that goes away in mid-stream leaves no reservation behind."""
    engine = make_engine(budget=Budget(price=10.0, usd=10.0))

    class Slow(AsyncHost):
        async def open(self, candidate: Candidate, query: Query) -> AsyncIterator[str]:
            yield "One "
            await asyncio.sleep(60)

    async def read() -> None:
        async for _ in engine.as_async().stream(Query(text="Count!"), Slow()):
            reached.set()

    reached = asyncio.Event()
    task = asyncio.create_task(read())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    purse = engine.parts.ledger.purse()
    assert purse.reserved_usd == 0.0
    assert purse.spent_usd > 0


async def test_async_answers_run_side_by_side(make_engine):
    """A hundred calls wait together, not one after the other, and each is charged once."""
    engine = make_engine(budget=Budget(price=10.0, usd=100.0))
    running = peak = 0

    async def call(candidate: Candidate, query: Query) -> Answer:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.05)
        running -= 1
        return joined([query.text])

    answers = await asyncio.gather(
        *(engine.as_async().answer(Query(text=f"question {n}"), call) for n in range(100))
    )
    assert peak > 10
    purse = engine.parts.ledger.purse()
    assert purse.spent_usd == pytest.approx(sum(answer.cost_usd for answer in answers))
    assert purse.reserved_usd == 0.0


async def test_a_cancelled_answer_gives_its_money_back(make_engine):
    """Cancelling during the call releases the reservation at once."""
    engine = make_engine(budget=Budget(price=10.0, usd=10.0))
    called = asyncio.Event()

    async def call(candidate: Candidate, query: Query) -> Answer:
        called.set()
        await asyncio.sleep(60)
        raise AssertionError

    task = asyncio.create_task(engine.as_async().answer(Query(text="Wait!"), call))
    await called.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.parts.ledger.purse().reserved_usd == 0.0


async def test_the_async_twin_shares_cache_and_feedback(make_engine):
    """What one twin learnt, the other knows."""
    engine = make_engine()
    twin = engine.as_async()
    first = await twin.answer(Query(text="Count!"), async_echo)
    assert engine.answer(Query(text="Count!"), lambda c, q: joined(["?"])).source is Source.CACHE
    await twin.feedback(first.decision_id, 0.0)
    assert (await twin.plan(Query(text="Count!"))).id
    assert (await twin.answer(Query(text="Count!"), async_echo)).source is Source.MODEL


async def async_echo(candidate: Candidate, query: Query) -> Answer:
    """An async provider."""
    return joined([query.text])
