"""Judges inside an engine: their verdicts are learnt from, their costs counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sls_plugins import Answer, Budget, Candidate, Engine, Query, Settings, build
from sls_plugins.types import Usage

SMALL = Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.1)
JUDGE = Candidate(name="judge", input_usd_per_mtok=100.0, output_usd_per_mtok=100.0)


def call(candidate: Candidate, query: Query) -> Answer:
    return Answer(text="forty-two", usage=Usage(input_tokens=10, output_tokens=10))


def verdict(candidate: Candidate, query: Query) -> Answer:
    return Answer(text="9", usage=Usage(input_tokens=1000, output_tokens=1))


@pytest.fixture
def make_engine() -> Callable[..., Engine]:
    made = []

    def make(judges: list[object], *, sources: object = None, **budget: object) -> Engine:
        settings = Settings(
            candidates=[SMALL, JUDGE],
            encoder="hashing",
            index="memory",
            plugins=(),
            judges=judges,
            learning={"sources": sources or {}},
            budget=Budget(**budget),
        )
        made.append(build(settings))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


def ask(engine: Engine, text: str) -> Answer:
    return engine.answer(Query(text=text, allow=frozenset({"small"})), call)


def model_judge(**options: object) -> dict[str, object]:
    return {"name": "model", "options": {"candidate": "judge", "call": verdict, **options}}


def test_a_model_judges_cost_is_spent(make_engine) -> None:
    """The ledger has the calls and what judging them cost."""
    engine = make_engine([model_judge(rate=1.0)], usd=10.0)
    answer = ask(engine, "What?")
    assert engine.parts.ledger.purse().spent_usd == pytest.approx(answer.cost_usd + 0.1001)
    known = engine.parts.log.find(answer.decision_id)
    assert known.quality == 0.9
    assert known.quality_source == "judge:judge"


def test_a_judge_that_the_budget_cannot_pay_is_not_asked(make_engine) -> None:
    """The answer is given without a grade, and nothing is held or spent for the judge."""
    engine = make_engine([model_judge(rate=1.0)], usd=0.001)
    answer = ask(engine, "What?")
    assert engine.parts.log.find(answer.decision_id).quality is None
    purse = engine.parts.ledger.purse()
    assert purse.spent_usd == pytest.approx(answer.cost_usd)
    assert purse.reserved_usd == 0.0


def test_a_judge_that_fails_breaks_no_answer(make_engine) -> None:
    """The other judges' verdict stands, and money held for the failing one is given back."""

    def fail(candidate: Candidate, query: Query) -> Answer:
        raise RuntimeError("down")

    engine = make_engine(
        [model_judge(rate=1.0, call=fail), {"name": "regex", "options": {"pattern": "forty"}}],
        usd=10.0,
    )
    answer = ask(engine, "What?")
    assert engine.parts.log.find(answer.decision_id).quality == 1.0
    purse = engine.parts.ledger.purse()
    assert purse.reserved_usd == 0.0
    assert purse.spent_usd == pytest.approx(answer.cost_usd)


def test_a_reply_without_a_verdict_is_paid_all_the_same(make_engine) -> None:
    """No grade is learnt, but the call was made."""

    def dither(candidate: Candidate, query: Query) -> Answer:
        return Answer(text="hard to say", usage=Usage(input_tokens=1000, output_tokens=1))

    engine = make_engine([model_judge(rate=1.0, call=dither)], usd=10.0)
    answer = ask(engine, "What?")
    assert engine.parts.log.find(answer.decision_id).quality is None
    assert engine.parts.ledger.purse().spent_usd == pytest.approx(answer.cost_usd + 0.1001)


def test_a_judge_that_users_contradict_is_believed_less(make_engine) -> None:
    """Its reliability is estimated where users grade the same answers; its praise counts less."""
    lenient = {"name": "regex", "options": {"pattern": "forty", "name": "lenient"}}
    engine = make_engine([lenient], sources={"lenient": 0.9})
    sources = engine.parts.learner._learners["sources"]
    assert sources.reliability("lenient") == 0.9
    for number in range(40):
        answer = engine.answer(
            Query(text=f"What {number}?", allow=frozenset({"small"}), cacheable=False), call
        )
        engine.feedback(answer.decision_id, quality=float(number % 4 == 0))
    assert sources.reliability("lenient") < 0.75
    praised = engine.parts.log.after(0, 1)[0]
    assert praised.quality == 1.0
    assert sources.corrected(praised).quality < 0.95
