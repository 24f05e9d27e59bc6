"""Single flight: queries that come together are called for once."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from sls_plugins import Answer, Candidate, Engine, Query, Source
from sls_plugins.errors import NoCandidateLeft
from sls_plugins.flow.effects import (
    Board,
    BoardNear,
    Decide,
    Encode,
    FindExact,
    FindNear,
    Follow,
)
from sls_plugins.flow.flights import Flight, Flights, Landed, Landing, Leader
from sls_plugins.flow.together import Boarding, plan_together
from sls_plugins.types import CacheMiss

ASKED = Query(text="What is a heap?", tenant="a", scope="s")
CROWD = 20


class Calls:
    """A provider that says nothing until its gate is open."""

    def __init__(self, **answer: object) -> None:
        self.heard: list[str] = []
        self.gate = threading.Event()
        self._answer = answer
        self._lock = threading.Lock()

    def __call__(self, candidate: Candidate, query: Query) -> Answer:
        with self._lock:
            self.heard.append(query.text)
        assert self.gate.wait(30)
        return Answer(text=f"on {query.text}", cost_usd=0.1, **self._answer)


def together(engine, queries, call, settled) -> list[Answer]:
    """Answers to queries in a thread each; the gate opens once `settled()`."""
    with ThreadPoolExecutor(len(queries)) as pool:
        asked = [pool.submit(engine.answer, query, call) for query in queries]
        wait_for(settled)
        call.gate.set()
        return [each.result(60) for each in asked]


def wait_for(settled) -> None:
    """Until others have come so far."""
    pause = threading.Event()
    for _ in range(6000):
        if settled():
            return
        pause.wait(0.005)
    raise AssertionError("they never came so far")


async def until(settled) -> None:
    """`wait_for` without blocking."""
    await asyncio.to_thread(wait_for, settled)


def followers(engine) -> int:
    """How many wait for somebody else's call."""
    flights = engine.parts.flights
    return sum(len(flight._waiting) for flight in [*flights._by_key.values()])


def test_identical_queries_cause_one_call(make_engine):
    """All get the one answer, each under a decision of its own that takes feedback."""
    engine, call = make_engine(), Calls()
    answers = together(engine, [ASKED] * CROWD, call, lambda: followers(engine) == CROWD - 1)

    assert call.heard == [ASKED.text]
    assert {answer.text for answer in answers} == {"on What is a heap?"}
    assert [answer.source for answer in answers].count(Source.CACHE) == CROWD - 1
    assert len({answer.decision_id for answer in answers}) == CROWD
    engine.feedback(answers[-1].decision_id, 1.0)
    assert len(engine.parts.flights) == 0


def test_walls_stand_between_flights(make_engine):
    """Another tenant, scope or task calls for itself."""
    engine, call = make_engine(), Calls()
    queries = [
        ASKED,
        replace(ASKED, tenant="b"),
        replace(ASKED, scope="t"),
        replace(ASKED, task="u"),
    ]
    together(engine, queries, call, lambda: len(call.heard) == len(queries))
    assert len(call.heard) == len(queries)


def spaced(text: str, count: int) -> list[Query]:
    """The same words with other blanks between them: other keys, the same meaning."""
    words = text.split()
    gaps = [[" " * (1 + (number >> place & 1)) for place in range(8)] for number in range(count)]
    return [
        Query(text="".join(word + gap for word, gap in zip(words, each, strict=True)))
        for each in gaps
    ]


def test_paraphrases_follow_where_acceptance_lets_them(make_engine):
    """Once paraphrases have proved right, new ones that come together cause few calls."""
    engine = make_engine(cache={"max_error": 0.2})
    for query in spaced("Please tell me what a binary heap is", 100):
        engine.answer(query, lambda c, q: Answer(text="A tree."))
    call = Calls()
    crowd = spaced("Please tell me how a splay tree works", CROWD)
    answers = together(engine, crowd, call, lambda: followers(engine) >= CROWD - 3)
    assert len(call.heard) <= 3
    assert len({answer.text for answer in answers}) == len(call.heard)


def test_a_crowd_is_checked_once(make_engine):
    """Of many who have waited for one answer, one at most calls all the same to check the bound."""
    engine = make_engine(cache={"max_error": 0.2, "audit": 0.4})
    for query in spaced("Please tell me what a binary heap is", 100):
        engine.answer(query, lambda c, q: Answer(text="A tree."))
    call = Calls()
    crowd = spaced("Please tell me how a splay tree works", CROWD)
    together(engine, crowd, call, lambda: followers(engine) >= CROWD - 3)
    assert len(call.heard) <= 3


def test_some_wait_for_an_answer_that_more_must_agree_with():
    """A call that would serve alone is followed first, then one that serves if more agree."""
    flights, vector = Flights(30.0), np.array((1.0, 0.0), dtype=np.float32)

    def board(text: str, follows) -> Leader | None:
        flight, _ = flights.board(Query(text=text))
        return flights.board_near(flight, vector, follows)

    assert board("one", lambda *_: False) is None
    hopeful = board("two", lambda _query, _similarity, agreeing: agreeing > 1)
    assert hopeful is not None
    assert (hopeful.flight.query.text, hopeful.serves) == ("one", False)
    sure = board("three", lambda *_: True)
    assert sure is not None
    assert sure.serves


def test_hopeful_waits_end_where_they_are_in_vain():
    """Where those who waited had to call after all, nobody waits in hope; later it is tried again.

    What serves alone is waited for all the same, and other spaces are not concerned.
    """
    flights, vector = Flights(30.0), np.array((1.0, 0.0), dtype=np.float32)

    def board(text: str, follows, tenant: str = "a") -> Leader | None:
        flight, _ = flights.board(Query(text=text, tenant=tenant))
        leader = flights.board_near(flight, vector, follows)
        flights.land(flight, Landing.KEPT)
        return leader

    def hopeful(_query: Query, _similarity: float, agreeing: int) -> bool:
        return agreeing > 1

    for tenant in ("a", "b"):
        leads, _ = flights.board(Query(text="the first", tenant=tenant))
        flights.board_near(leads, vector, lambda *_: False)
    space = flights.board(Query(text="the first", tenant="a"))[0].space
    vain = 0
    while board(f"one of {vain}", hopeful) is not None:
        flights.waited(space, served=False)
        vain += 1
        assert vain < 20
    assert vain > 3
    assert board("sure", lambda *_: True) is not None
    assert board("elsewhere", hopeful, "b") is not None
    assert any(board(f"again {number}", hopeful) is not None for number in range(100))
    flights.waited(space, served=True)
    assert board("worth while", hopeful) is not None


def test_the_most_central_of_those_who_hoped_leads_next():
    """The others wait for it, unless it has gone; none is left in the air in the end."""
    flights = Flights(30.0)
    vectors = {"left": (1.0, 0.0), "middle": (0.8, 0.6), "right": (0.0, 1.0)}
    arrays = {text: np.array(each, dtype=np.float32) for text, each in vectors.items()}

    def board(text: str) -> Leader | None:
        flight, _ = flights.board(Query(text=text))
        return flights.board_near(flight, arrays[text], lambda *given: given[2] > 1)

    def land(text: str) -> None:
        flights.land(flights.board(Query(text=text))[0], Landing.KEPT)

    arrays["first"] = arrays["left"]
    assert board("first") is None
    assert all(board(text) is not None for text in vectors)
    land("first")
    assert board("middle") is None
    for text in ("left", "right"):
        leader = board(text)
        assert leader is not None
        assert leader.flight.query.text == "middle"
    land("left")  # it has gone
    land("middle")
    assert board("right") is None
    land("right")
    assert len(flights) == 0
    assert flights._by_space == {}


@pytest.mark.parametrize(("landing", "waits"), [(Landing.FOUND, 9), (Landing.KEPT, 4)])
def test_who_sees_others_served_goes_on_waiting(make_engine, landing, waits):
    """A leader that found something stored was no call, so it is not counted as a wait for one."""
    parts = make_engine().parts
    leader = Leader(Flight(Query(text="another")), serves=False)
    answers = {
        FindExact: None,
        Board: (Flight(ASKED), True),
        Encode: np.array((1.0, 0.0), dtype=np.float32),
        FindNear: CacheMiss(why="not sure enough"),
        BoardNear: leader,
        Follow: Landed(landing),
    }
    steps = plan_together(parts, ASKED, Boarding())
    effect, followed = next(steps), 0
    while not isinstance(effect, Decide) and followed < 9:
        followed += isinstance(effect, Follow)
        effect = steps.send(answers[type(effect)])
    steps.close()
    assert followed == waits


class Hopeful:
    """A cache to which every answer on its way is one that more must agree with."""

    def __init__(self, cache) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> object:
        return getattr(self._cache, name)

    def follows(self, query: Query, leader: Query, similarity: float, agreeing: int) -> bool:
        return agreeing > 1


def test_a_crowd_that_waited_in_vain_calls_side_by_side_the_next_time(make_engine):
    """Everybody who waited for the first crowd's calls had to call after all."""
    made = make_engine()
    engine = Engine(replace(made.parts, cache=Hopeful(made.parts.cache)))

    def crowd(word: str) -> list[Query]:
        return [Query(text=f"{word} number {number}") for number in range(CROWD)]

    first = Calls()
    together(engine, crowd("first"), first, lambda: followers(engine) == CROWD - 1)
    assert len(first.heard) == CROWD

    second = Calls()
    together(engine, crowd("second"), second, lambda: len(second.heard) == CROWD)
    assert len(second.heard) == CROWD


def test_the_last_landing_of_a_space_is_known():
    """Who came before an answer was there may take it as if he had waited for it."""
    flights = Flights(30.0)
    before = flights.landings
    flight, _ = flights.board(ASKED)
    assert flights.landed_since(flight.space, before) is None
    flights.land(flight, Landing.KEPT)
    assert flights.landed_since(flight.space, before) is flight
    assert flights.landed_since(flight.space, flights.landings) is None
    assert [flight.claim_check(), flight.claim_check()] == [True, False]
    found, _ = flights.board(replace(ASKED, text="another wording"))
    flights.land(found, Landing.FOUND)
    assert flights.landed_since(flight.space, before) is flight, "else each hit allows a check"


def test_a_failed_leader_does_not_fail_its_followers(make_engine):
    """Where the leader's call fails, another query leads, and answers all the rest."""
    engine = make_engine()
    gate, calls, lock = threading.Event(), [], threading.Lock()

    def call(candidate: Candidate, query: Query) -> Answer:
        assert gate.wait(30)
        with lock:
            calls.append(candidate.name)
            if len(calls) <= 3:  # all candidates of the first one
                raise ValueError("no model of mine")  # not worth another try
        return Answer(text="fine")

    with ThreadPoolExecutor(CROWD) as pool:
        asked = [pool.submit(engine.answer, ASKED, call) for _ in range(CROWD)]
        wait_for(lambda: followers(engine) == CROWD - 1)
        gate.set()
        errors = [each.exception(60) for each in asked]
    failed = [error for error in errors if error is not None]
    assert [type(error) for error in failed] == [NoCandidateLeft]
    assert len(calls) == 4


def test_an_answer_that_is_not_for_others_is_not_shared(make_engine):
    """Where nothing is kept, everybody calls, side by side."""
    engine, call = make_engine(), Calls(cacheable=False)
    answers = together(engine, [ASKED] * 4, call, lambda: followers(engine) == 3)
    assert len(call.heard) == 4
    assert {answer.source for answer in answers} == {Source.MODEL}


@pytest.mark.parametrize("wait_s", [0.0, 0.05])
def test_nobody_waits_longer_than_he_wants(make_engine, wait_s):
    """Who has waited long enough, or never waits, calls for himself."""
    engine, call = make_engine(cache={"single_flight_s": wait_s}), Calls()
    together(engine, [ASKED] * 3, call, lambda: len(call.heard) == 3)
    assert len(call.heard) == 3


async def test_async_queries_fly_together(make_engine):
    """A hundred tasks wait for one call, without threads."""
    engine = make_engine()
    heard, gate = [], asyncio.Event()

    async def call(candidate: Candidate, query: Query) -> Answer:
        heard.append(query.text)
        await gate.wait()
        return Answer(text="A tree.")

    tasks = [asyncio.create_task(engine.as_async().answer(ASKED, call)) for _ in range(100)]
    await until(lambda: followers(engine) == 99)
    tasks[5].cancel()
    tasks[6].cancel()
    gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    texts = [answer.text for answer in answers if isinstance(answer, Answer)]
    assert texts == ["A tree."] * 98
    assert len(heard) == 1


async def test_a_cancelled_leader_does_not_cancel_its_followers(make_engine):
    """The next one calls."""
    engine = make_engine()
    heard, gate = [], asyncio.Event()

    async def call(candidate: Candidate, query: Query) -> Answer:
        heard.append(query.text)
        await gate.wait()
        return Answer(text="A tree.")

    twin = engine.as_async()
    leader = asyncio.create_task(twin.answer(ASKED, call))
    await until(lambda: heard)
    others = [asyncio.create_task(twin.answer(ASKED, call)) for _ in range(5)]
    await until(lambda: followers(engine) == 5)
    leader.cancel()
    gate.set()
    assert {answer.text for answer in await asyncio.gather(*others)} == {"A tree."}
    assert len(heard) == 2
