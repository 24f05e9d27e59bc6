"""The streaming drivers: fallback before the first chunk, honest ends after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from sls_plugins import Answer, Budget, Candidate, Query, Source, Usage
from sls_plugins.engine import StreamPolicy
from sls_plugins.errors import InputError, ProviderError, UnusableAnswerError


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
    waiting, all_wait = 0, asyncio.Event()

    async def call(candidate: Candidate, query: Query) -> Answer:
        nonlocal waiting
        waiting += 1
        if waiting == 100:
            all_wait.set()
        await all_wait.wait()
        return joined([query.text])

    answers = await asyncio.gather(
        *(engine.as_async().answer(Query(text=f"question {n}"), call) for n in range(100))
    )
    assert len(answers) == 100
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


class Resuming(Host):
    """A host whose second candidate goes on after the chunks that were said."""

    def may_resume(self, said: Sequence[str]) -> bool:
        return True

    def resume(self, candidate: Candidate, query: Query, said: Sequence[str]) -> Iterator[str]:
        yield from list(Host().open(candidate, query))[len(said) :]


class AsyncResuming(AsyncHost):
    """The same for async hosts."""

    def may_resume(self, said: Sequence[str]) -> bool:
        return True

    async def resume(
        self, candidate: Candidate, query: Query, said: Sequence[str]
    ) -> AsyncIterator[str]:
        for chunk in list(Host().open(candidate, query))[len(said) :]:
            yield chunk


def test_another_candidate_goes_on_in_mid_stream(make_engine):
    """Where the policy allows it the text is whole, each pays for its own chunks."""
    engine = make_engine(budget=Budget(price=10.0, usd=10.0))
    host = Resuming(fail_before=dict.fromkeys(("small", "middle", "large"), 2))
    stream = engine.stream(Query(text="Count!"), host, StreamPolicy(takeovers=1))

    assert "".join(stream) == "One two three."
    assert stream.answer.text == "One two three."
    lines = engine.parts.log.after(0, 10)
    assert [line.candidate for line in lines] == [host.opened[0], stream.answer.candidate]
    assert dict(stream.answer.failures).keys() == {host.opened[0]}
    assert [line.usage.output_tokens for line in lines] == [2, 1]
    assert engine.parts.ledger.purse().reserved_usd == 0.0
    assert engine.answer(Query(text="Count!"), lambda c, q: Answer(text="1")).source is Source.MODEL


async def test_another_candidate_goes_on_in_async_streams(make_engine):
    """The async stream is taken over as the blocking one is."""
    engine = make_engine()
    host = AsyncResuming(fail_before=dict.fromkeys(("small", "middle", "large"), 1))

    stream = engine.as_async().stream(Query(text="Count!"), host, StreamPolicy(takeovers=1))

    assert [chunk async for chunk in stream] == ["One ", "two ", "three."]


@pytest.mark.parametrize("takeovers", [0, 1])
def test_takeovers_are_limited(make_engine, takeovers):
    """With one more break than the policy allows, the stream raises and tells what was said."""
    engine = make_engine(budget=Budget(price=10.0, usd=10.0))

    class Breaking(Resuming):
        def resume(self, candidate: Candidate, query: Query, said: Sequence[str]) -> Iterator[str]:
            self.opened.append(candidate.name)
            yield "more "
            raise ConnectionError("again")

    host = Breaking(fail_before=dict.fromkeys(("small", "middle", "large"), 1))
    with pytest.raises(ProviderError) as caught:
        list(engine.stream(Query(text="Count!"), host, StreamPolicy(takeovers=takeovers)))

    assert len(host.opened) == 1 + takeovers
    assert caught.value.partial is not None
    assert engine.parts.ledger.purse().reserved_usd == 0.0


def test_a_takeover_stays_under_the_querys_ceiling(make_engine):
    """Where the broken answer has left too little for the next candidate, that is not asked."""
    engine = make_engine(budget=Budget(price=1e6))  # the cheapest comes first
    query = Query(text="Count!", deny=frozenset({"large"}))
    dear_usd = max(each.cost_high_usd for each in engine.plan(query).estimates)
    host = Resuming(fail_before={"small": 2})

    with pytest.raises(ProviderError):
        list(engine.stream(replace(query, max_usd=dear_usd), host, StreamPolicy(takeovers=5)))

    assert host.opened == ["small"]
    whole = engine.stream(replace(query, max_usd=2 * dear_usd), host, StreamPolicy(takeovers=5))
    assert "".join(whole) == "One two three."


async def test_a_deadline_ends_an_async_stream(make_engine):
    """A stream that hangs is stopped at its deadline, though other candidates are left."""
    engine = make_engine(budget=Budget(price=10.0, usd=10.0), clock=lambda: 1000.0)

    class Hanging(AsyncHost):
        async def open(self, candidate: Candidate, query: Query) -> AsyncIterator[str]:
            self.opened.append(candidate.name)
            await asyncio.sleep(60)
            yield "never"

    host = Hanging()
    with pytest.raises(ProviderError):
        async for _ in engine.as_async().stream(
            Query(text="Count!"), host, StreamPolicy(takeovers=5, deadline_s=0.05)
        ):
            pass

    assert len(host.opened) == 1
    assert engine.parts.ledger.purse().reserved_usd == 0.0


def test_a_deadline_ends_a_blocking_stream_at_the_next_chunk(make_engine):
    """A blocking stream notices its deadline between two chunks; what was said is charged."""
    now_s = [1000.0]
    engine = make_engine(clock=lambda: now_s[0])

    class Slow(Host):
        def open(self, candidate: Candidate, query: Query) -> Iterator[str]:
            for chunk in super().open(candidate, query):
                now_s[0] += 3.0
                yield chunk

    with pytest.raises(ProviderError, match="deadline"):
        list(engine.stream(Query(text="Count!"), Slow(), StreamPolicy(deadline_s=2.0)))

    (line,) = engine.parts.log.after(0, 10)
    assert line.usage.output_tokens == 1


@pytest.mark.parametrize("wrong", [{"takeovers": -1}, {"deadline_s": 0.0}])
def test_policies_that_cannot_be_are_refused(wrong):
    """A policy says what is wrong with it."""
    with pytest.raises(InputError, match=next(iter(wrong))):
        StreamPolicy(**wrong)


@pytest.mark.parametrize(("usable", "asked"), [(0, 2), (1, 2), (9, 1)])
def test_an_answer_in_the_wrong_form_falls_back_once(make_engine, usable, asked):
    """It is charged, counts as quality 0 and is not kept; if the next is wrong too, that is it."""
    engine = make_engine()
    calls = []

    def call(candidate: Candidate, query: Query) -> Answer:
        calls.append(candidate.name)
        answer = Answer(text=f"{candidate.name} says", usage=Usage(output_tokens=5))
        if usable == 0 or len(calls) <= usable < 9:
            raise UnusableAnswerError(candidate.name, "no JSON", answer)
        return answer

    answer = engine.answer(Query(text="Count!"), call)

    assert len(calls) == asked
    assert answer.text == f"{calls[-1]} says"
    lines = engine.parts.log.after(0, 10)
    assert [line.candidate for line in lines] == calls
    wanted = {0: [0.0, 0.0], 1: [0.0, None], 9: [None]}[usable]
    assert [line.quality for line in lines] == wanted
    assert all(line.cost_usd > 0 for line in lines)
    kept = engine.answer(Query(text="Count!"), lambda c, q: Answer(text="1"))
    assert (kept.source is Source.CACHE) == (usable != 0)
