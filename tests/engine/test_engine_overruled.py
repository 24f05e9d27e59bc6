"""A stored answer that a believed other one overrules is passed over, whoever looks for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sls_plugins import Answer, CacheHit, Candidate, Engine, Estimate, Outcome, Query
from sls_plugins.cache.witnesses import Witnesses
from sls_plugins.types import OutcomeKind

ASKED = Query(text="session 1 closed")


def told(witnesses: Witnesses, query: Query, text: str, number: int) -> None:
    """Two candidates give this answer."""
    for name in ("small", "large"):
        witnesses.learn_one(
            Outcome(
                decision_id=f"vote {number} of {name}",
                query=query,
                vector=None,
                candidate=name,
                kind=OutcomeKind.ANSWERED,
                answer_text=text,
                estimate=Estimate(
                    candidate=name, quality=0.8, quality_sd=0.1, cost_usd=1e-4, cost_high_usd=2e-4
                ),
            )
        )


@pytest.fixture
def engine(make_engine: Callable[..., Engine]) -> Engine:
    """It holds an answer that nobody voted for, where others agree on another one."""
    made = make_engine()
    made.cache.keep(ASKED, Answer(text="wrong"))
    assert isinstance(made.cache.look_up(ASKED), CacheHit)
    assert made.parts.witnesses is not None
    for number in range(40):
        told(made.parts.witnesses, Query(text=f"{'word ' * number} closed"), "closed", number)
    told(made.parts.witnesses, ASKED, "right", 40)
    return made


def test_a_batch_passes_it_over(engine: Engine) -> None:
    """It is called for, as a single request would be, although the text is the same."""
    heard: list[str] = []

    def call(candidate: Candidate, query: Query) -> Answer:
        heard.append(query.text)
        return Answer(text="right", cost_usd=0.0)

    [answer] = engine.schedule([ASKED], budget_usd=1.0).run(call).answers

    assert heard == [ASKED.text]
    assert answer is not None
    assert answer.text == "right"


def test_a_host_that_calls_for_itself_is_not_given_it(engine: Engine) -> None:
    """Looking up passes it over, and what is kept after that is not compared with it."""
    assert not isinstance(engine.cache.look_up(ASKED), CacheHit)

    kept = engine.cache.keep(Query(text="session 2 closed"), Answer(text="right"))

    assert engine.parts.log.find(kept).nearest_id is None


def test_a_batch_tells_of_the_neighbour_that_it_refused(make_engine: Callable[..., Engine]) -> None:
    """A call of a batch is a label for the cache, like any other call."""
    engine = make_engine()
    engine.cache.keep(Query(text="Please tell me what a binary heap is"), Answer(text="a tree"))
    near = Query(text="Please tell me what a binary heap is, now")

    plan = engine.schedule([near], budget_usd=1.0)
    [answer] = plan.run(lambda _c, _q: Answer(text="a tree", cost_usd=0.0)).answers

    assert answer is not None
    assert engine.parts.log.find(answer.decision_id).nearest_id is not None
