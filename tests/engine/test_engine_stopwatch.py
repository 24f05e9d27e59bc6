"""A stream's latency is its source's, whoever reads it and however slowly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from sls_plugins import Answer, Query


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Slow:
    """Takes two seconds for each of its words, and tells no latency (or the one it is given)."""

    def __init__(self, clock: Clock, latency_s: float | None = None) -> None:
        self.clock = clock
        self.latency_s = latency_s

    def open(self, candidate: object, query: Query) -> Iterator[str]:
        for word in ("One ", "two."):
            self.clock.now_s += 2
            yield word

    def join(self, chunks: Sequence[str]) -> Answer:
        return Answer(text="".join(chunks), latency_s=self.latency_s)

    def replay(self, answer: Answer) -> Iterator[str]:
        yield answer.text


class AsyncSlow(Slow):
    """The same for async hosts."""

    async def open(self, candidate: object, query: Query) -> AsyncIterator[str]:
        for word in super().open(candidate, query):
            yield word


def test_what_the_reader_takes_is_no_latency(make_engine) -> None:
    """A reader that holds each chunk for an hour does not make the candidate slow."""
    clock = Clock()
    stream = make_engine(clock=clock).stream(Query(text="Count!"), Slow(clock))
    for _ in stream:
        clock.now_s += 3600
    assert stream.answer.latency_s == pytest.approx(4.0)


async def test_what_the_async_reader_takes_is_no_latency(make_engine) -> None:
    """The same for async streams."""
    clock = Clock()
    stream = make_engine(clock=clock).as_async().stream(Query(text="Count!"), AsyncSlow(clock))
    async for _ in stream:
        clock.now_s += 3600
    assert stream.answer.latency_s == pytest.approx(4.0)


def test_a_stream_that_is_left_took_what_it_took(make_engine) -> None:
    """What came until the caller went away is timed as well."""
    clock = Clock()
    stream = make_engine(clock=clock).stream(Query(text="Count!"), Slow(clock))
    next(stream)
    clock.now_s += 3600
    stream.close()
    assert stream.answer.latency_s == pytest.approx(2.0)


def test_a_host_may_know_better(make_engine) -> None:
    """A latency that the host tells is taken as it is."""
    clock = Clock()
    stream = make_engine(clock=clock).stream(Query(text="Count!"), Slow(clock, latency_s=0.5))
    assert list(stream) == ["One ", "two."]
    assert stream.answer.latency_s == 0.5


def test_a_clock_that_is_set_back(make_engine) -> None:
    """No latency is less than nothing."""
    clock = Clock()
    stream = make_engine(clock=clock).stream(Query(text="Count!"), Slow(clock))
    next(stream)
    clock.now_s -= 100
    assert list(stream) == ["two."]
    assert stream.answer.latency_s >= 0
