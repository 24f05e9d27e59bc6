"""Checks behind the callers' backs, and stored answers that money decides on."""

from __future__ import annotations

import asyncio
import threading

import pytest

from sls_plugins import Answer, Budget, CacheHit, Candidate, Query, Source
from tests.engine.test_engine_flights import spaced, wait_for

LATER = {"max_error": 0.2, "audit": 0.4, "audit_later": True}
USD = 0.25


def warm(engine, count: int = 100) -> None:
    """Let acceptance see that blanks make no difference."""
    for query in spaced("Please tell me what a binary heap is", count):
        answer = engine.answer(query, lambda c, q: Answer(text="A tree.", cost_usd=0.0))
        engine.feedback(answer.decision_id, 1.0)


def test_a_check_is_made_behind_the_callers_back(make_engine):
    """While the model keeps silent stored answers are served; its call is paid, logged, learnt."""
    engine = make_engine(cache=LATER)
    warm(engine)
    gate, heard = threading.Event(), []

    def call(_candidate, query: Query) -> Answer:
        heard.append(query.text)
        assert gate.wait(30)
        return Answer(text="A tree.", cost_usd=USD)

    crowd = spaced("Please tell me what a binary heap is", 128)[100:]
    answers = [engine.answer(query, call) for query in crowd]  # nobody waits for the gate
    assert {answer.source for answer in answers} == {Source.CACHE}
    before = engine.parts.log.last_seq()
    gate.set()
    wait_for(lambda: len(engine._later._works) == 0)
    assert len(heard) > 1
    assert engine.parts.log.last_seq() == before + len(heard)


async def test_an_async_check_is_a_task(make_engine):
    """On a loop, too, the caller has the stored answer before the model has said anything."""
    engine = make_engine(cache=LATER)
    warm(engine)
    gate, heard = asyncio.Event(), []

    async def call(_candidate, query: Query) -> Answer:
        heard.append(query.text)
        await gate.wait()
        return Answer(text="A tree.", cost_usd=USD)

    twin = engine.as_async()
    crowd = spaced("Please tell me what a binary heap is", 128)[100:]
    answers = [await twin.answer(query, call) for query in crowd]
    assert {answer.source for answer in answers} == {Source.CACHE}
    gate.set()
    await asyncio.gather(*twin._later._tasks)
    assert len(heard) > 1


def test_a_failed_check_harms_nobody(make_engine, caplog):
    """What goes wrong behind the caller's back is logged."""
    engine = make_engine(cache=LATER)
    warm(engine)

    def call(_candidate, _query: Query) -> Answer:
        raise ValueError("no model of mine")

    crowd = spaced("Please tell me what a binary heap is", 128)[100:]
    answers = [engine.answer(query, call) for query in crowd]
    assert {answer.source for answer in answers} == {Source.CACHE}
    wait_for(lambda: len(engine._later._works) == 0)
    assert "behind the callers' backs came to nothing" in caplog.text


def about(number: int) -> Query:
    """A question that looks a little less alike."""
    word = "".join(chr(ord("a") + int(digit)) for digit in str(number * 7919 % 10_000))
    return Query(text=f"Please tell me what a binary heap of {word} is")


@pytest.mark.parametrize("price", [0.0, 1e6])
def test_in_the_grey_band_money_decides(make_engine, price: float):
    """An acceptable answer that is not quite sure serves where money counts, else a model does."""
    engine = make_engine(budget=Budget(price=price), cache={"max_error": 0.02, "audit": 1e-6})

    def ask(query: Query, text: str) -> None:
        answer = engine.answer(query, lambda c, q: Answer(text=text, cost_usd=0.1))
        engine.feedback(answer.decision_id, 1.0)

    for number, query in enumerate(spaced("Please tell me what a binary heap is", 128)):
        ask(query, "A tree.")
        if number % 4 == 3:
            ask(about(number), "A tree.")
    found = [engine.plan(about(number)) for number in range(200, 260)]
    kinds = {one.grey for one in found if isinstance(one, CacheHit)}
    assert (True in kinds) == (price > 0)
    assert False in kinds


def test_a_lone_candidate_is_not_asked_again_whether_it_was_right(make_engine):
    """Where nobody else could be asked, exact repeats are served, graded or not."""
    engine = make_engine(candidates=(Candidate(name="m", input_usd_per_mtok=1.0,
                                               output_usd_per_mtok=1.0),))  # fmt: skip
    for round_ in range(3):
        for number in range(40):
            answer = engine.answer(
                Query(text=f"the line {number} says"), lambda c, q: Answer(text="the line # says")
            )
            assert (answer.source is Source.CACHE) == (round_ > 0)
