"""Near the cap: cheaper candidates, then stored answers, then an error that says when."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sls_plugins import Answer, Budget, Candidate, Engine, Query, Usage
from sls_plugins.errors import BudgetExhausted
from sls_plugins.types import Source

MakeEngine = Callable[..., Engine]

START_S = 1_700_000_000 // 3600 * 3600.0


class Clock:
    """A clock that is moved by hand."""

    now_s = START_S + 3590  # the hour is nearly over: nothing is saved for later

    def __call__(self) -> float:
        return self.now_s


def call(candidate: Candidate, query: Query) -> Answer:
    """An answer of 200 tokens."""
    return Answer(text=f"{candidate.name} on it", usage=Usage(input_tokens=10, output_tokens=200))


def spend_all(engine: Engine, clock: Clock) -> tuple[list[str], BudgetExhausted]:
    """Who answered until nothing could be paid any more."""
    names: list[str] = []
    for number in range(1000):
        clock.now_s += 0.001
        try:
            names.append(
                engine.answer(Query(text=f"Explain item {number}", cacheable=False), call).candidate
            )
        except BudgetExhausted as error:
            return names, error
    raise AssertionError("the cap was never felt")


def test_the_cap_degrades_before_it_refuses(make_engine: MakeEngine) -> None:
    """The last answers come from the cheapest; the error tells when the next hour begins."""
    clock = Clock()
    budget = Budget(usd=0.03, window="hour", price=0.0)
    engine = make_engine(clock=clock, budget=budget)
    names, error = spend_all(engine, clock)
    assert "large" in names[:5]
    assert names[-1] == "small"
    assert error.available_s == START_S + 3600
    assert engine.parts.ledger.purse().spent_usd <= 0.03
    clock.now_s = START_S + 3601
    assert engine.answer(Query(text="A new hour begins"), call).source is Source.MODEL


@pytest.mark.parametrize("enough", [0.05, 1.0])
def test_a_stored_answer_is_served_when_nobody_can_be_paid(
    make_engine: MakeEngine, enough: float
) -> None:
    """What is probably right is better than nothing, if the settings say so; it is a hit."""
    clock = Clock()
    budget = Budget(usd=0.02, window="hour", price=0.0, cache_at_cap=enough)
    engine = make_engine(clock=clock, budget=budget)
    engine.answer(Query(text="How do I sort a list in Python?"), call)
    _, error = spend_all(engine, clock)
    assert error.available_s is not None
    near = Query(text="How do I sort a list in Python, please?")
    if enough == 1.0:
        with pytest.raises(BudgetExhausted):
            engine.answer(near, call)
        return
    answer = engine.answer(near, call)
    assert answer.source is Source.CACHE
    assert answer.cost_usd == 0.0
    engine.feedback(answer.decision_id, 1.0)
