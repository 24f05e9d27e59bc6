"""Streams that come together: those who come later listen to the first one's stream."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from sls_plugins import Answer, Budget, Candidate, Query, Source, Usage
from sls_plugins.errors import ProviderError

ASKED = Query(text="Count!")
WORDS = ["One ", "two ", "three."]


class Host:
    """Streams words; each but the first waits until the gate is open."""

    def __init__(self, fail_at: int | None = None, fail_first: int = 0) -> None:
        self.opened = 0
        self.gate = threading.Event()
        self.fail_at = fail_at
        self.fail_first = fail_first

    def open(self, candidate: Candidate, query: Query) -> Iterator[str]:
        self.opened += 1
        if self.opened <= self.fail_first:
            raise ConnectionError("hung up")
        for place, word in enumerate(WORDS):
            if place:
                assert self.gate.wait(30)
            if place == self.fail_at:
                raise ConnectionError("hung up")
            yield word

    def join(self, chunks: Sequence[str]) -> Answer:
        usage = Usage(input_tokens=1000, output_tokens=len(chunks))
        return Answer(text="".join(chunks), usage=usage)

    def replay(self, answer: Answer) -> Iterator[str]:
        yield f"replayed: {answer.text}"


class AsyncHost(Host):
    """The same for async hosts."""

    def __init__(self, fail_at: int | None = None) -> None:
        super().__init__(fail_at)
        self.agate = asyncio.Event()

    async def open(self, candidate: Candidate, query: Query) -> AsyncIterator[str]:
        self.opened += 1
        for place, word in enumerate(WORDS):
            if place:
                await self.agate.wait()
            if place == self.fail_at:
                raise ConnectionError("hung up")
            yield word


def test_those_who_come_later_hear_all_from_the_first_chunk(make_engine):
    """A follower gets chunks while the leader's answer is still being said, for nothing."""
    engine, host = make_engine(budget=Budget(price=10.0, usd=10.0)), Host()
    leader, follower = engine.stream(ASKED, host), engine.stream(ASKED, host)
    assert next(leader) == "One "
    assert next(follower) == "One "
    assert (follower.source, follower.candidate) == (Source.CACHE, leader.candidate)
    host.gate.set()
    assert list(leader) == WORDS[1:]
    assert list(follower) == WORDS[1:]
    assert host.opened == 1
    assert follower.answer.text == leader.answer.text
    assert (follower.answer.cost_usd, follower.answer.source) == (0.0, Source.CACHE)
    assert follower.decision_id not in {"", leader.decision_id}
    engine.feedback(follower.decision_id, 1.0)
    assert engine.parts.ledger.purse().spent_usd == pytest.approx(leader.answer.cost_usd)


def test_a_follower_may_be_ahead_of_its_leader(make_engine):
    """A leader who reads slowly holds nobody up; his answer is heard, then logged at once."""
    engine, host = make_engine(), Host()
    host.gate.set()
    leader, follower = engine.stream(ASKED, host), engine.stream(ASKED, host)
    next(leader)
    assert list(follower) == WORDS
    assert follower.answer.text == "One two three."
    engine.feedback(follower.decision_id, 1.0)
    assert list(leader) == WORDS[1:]
    assert host.opened == 1


def test_a_leader_who_goes_leaves_the_stream_to_the_others(make_engine):
    """The answer is brought to its end, charged once, and kept."""
    engine, host = make_engine(budget=Budget(price=10.0, usd=10.0)), Host()
    leader, follower = engine.stream(ASKED, host), engine.stream(ASKED, host)
    next(leader)
    next(follower)
    host.gate.set()
    leader.close()
    assert list(follower) == WORDS[1:]
    assert leader.answer.text == "One two three."
    purse = engine.parts.ledger.purse()
    assert (purse.spent_usd > 0, purse.reserved_usd) == (True, 0.0)
    assert "".join(engine.stream(ASKED, host)) == "replayed: One two three."


def test_when_all_have_gone_the_answer_is_cut_short(make_engine):
    """What was said is charged, nothing is kept, nobody waits."""
    engine, host = make_engine(budget=Budget(price=10.0, usd=10.0)), Host()
    leader, follower = engine.stream(ASKED, host), engine.stream(ASKED, host)
    next(leader)
    next(follower)
    leader.close()
    assert engine.parts.ledger.purse().reserved_usd > 0
    follower.close()
    purse = engine.parts.ledger.purse()
    assert (purse.spent_usd > 0, purse.reserved_usd) == (True, 0.0)
    assert len(engine.parts.flights) == 0
    host.gate.set()
    assert list(engine.stream(ASKED, host)) == WORDS


def test_a_stream_that_breaks_is_broken_for_all_who_heard_it(make_engine):
    """After the first chunk nobody can unsee it; before it another candidate takes over."""
    engine, host = make_engine(), Host(fail_at=1)
    host.gate.set()
    leader, follower = engine.stream(ASKED, host), engine.stream(ASKED, host)
    next(leader)
    next(follower)
    for stream in (leader, follower):
        with pytest.raises(ProviderError, match="hung up") as caught:
            next(stream)
        assert caught.value.partial.text == "One "
    other = make_engine()
    host = Host(fail_first=1)
    host.gate.set()
    assert list(other.stream(ASKED, host)) == WORDS


def test_streams_and_whole_answers_wait_for_each_other(make_engine):
    """Whoever leads, the others are told what he got in their own way."""
    engine, host = make_engine(), Host()
    stream = engine.stream(ASKED, host)
    next(stream)
    with ThreadPoolExecutor(1) as pool:
        whole = pool.submit(engine.answer, ASKED, lambda c, q: Answer(text="never"))
        host.gate.set()
        list(stream)
        assert whole.result(30).text == "One two three."


async def test_async_streams_are_shared(make_engine):
    """A hundred listeners hear one stream, each as it is said."""
    engine, host = make_engine(), AsyncHost()
    twin = engine.as_async()
    heard_first: list[int] = []

    async def listen(number: int) -> str:
        said = []
        async for chunk in twin.stream(ASKED, host):
            if not said:
                heard_first.append(number)
                if len(heard_first) == 100:
                    host.agate.set()
            said.append(chunk)
        return "".join(said)

    said = await asyncio.gather(*(listen(number) for number in range(100)))
    assert set(said) == {"One two three."}
    assert host.opened == 1


async def test_an_async_leader_who_is_cancelled_leaves_the_stream_to_the_others(make_engine):
    """Cancelled while the source is asked, it goes on for those who listen."""
    engine, host = make_engine(budget=Budget(price=10.0, usd=10.0)), AsyncHost()
    twin = engine.as_async()
    first = asyncio.Event()

    async def read() -> None:
        async for _ in twin.stream(ASKED, host):
            first.set()

    leader = asyncio.create_task(read())
    await first.wait()
    follower = twin.stream(ASKED, host)
    assert await anext(follower) == "One "
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    host.agate.set()
    assert [chunk async for chunk in follower] == WORDS[1:]
    purse = engine.parts.ledger.purse()
    assert (purse.spent_usd > 0, purse.reserved_usd) == (True, 0.0)
    again = [chunk async for chunk in twin.stream(ASKED, host)]
    assert again == ["replayed: One two three."]


async def test_when_all_async_listeners_have_gone_the_source_is_closed(make_engine):
    """Nothing stays reserved, nobody waits, and the source has ended."""
    engine = make_engine(budget=Budget(price=10.0, usd=10.0))
    closed = asyncio.Event()

    class Closing(AsyncHost):
        async def open(self, candidate: Candidate, query: Query) -> AsyncIterator[str]:
            try:
                async for chunk in super().open(candidate, query):
                    yield chunk
            finally:
                closed.set()

    host, twin = Closing(), engine.as_async()
    leader, follower = twin.stream(ASKED, host), twin.stream(ASKED, host)
    await anext(leader)
    await anext(follower)
    await leader.aclose()
    assert not closed.is_set()
    await follower.aclose()
    await asyncio.wait_for(closed.wait(), 30)
    purse = engine.parts.ledger.purse()
    assert (purse.spent_usd > 0, purse.reserved_usd) == (True, 0.0)
    assert len(engine.parts.flights) == 0
