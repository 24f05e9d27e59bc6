"""What the same question costs that is asked again and again, and graded by nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sls_plugins import Answer, Budget, Candidate, Engine, Query, Source, Usage
from sls_plugins.scheduler.selection import choose_again

ASKED = Query(text="What is a heap?")


@pytest.mark.parametrize("price", [10.0, 100.0])
def test_repeats_are_soon_served_from_the_cache(
    make_engine: Callable[..., Engine], price: float
) -> None:
    """A few calls may find out whether others say the same; who has said it is not asked on."""
    engine = make_engine(budget=Budget(price=price))

    def call(_candidate: Candidate, _query: Query) -> Answer:
        return Answer(text="a tree", usage=Usage(input_tokens=20, output_tokens=100))

    sources = [engine.answer(ASKED, call).source for _ in range(40)]

    assert sources.count(Source.MODEL) <= 8
    assert sources[-20:] == [Source.CACHE] * 20


def test_what_asking_may_tell_is_on_the_receipt(make_engine: Callable[..., Engine]) -> None:
    """Beside a doubted stored answer it counts like quality, and the decision is made again."""
    engine = make_engine(budget=Budget(price=100.0))

    def call(_candidate: Candidate, query: Query) -> Answer:
        return Answer(text=f"of {query.text}", usage=Usage(input_tokens=20, output_tokens=100))

    for word in ("bed", "cat", "dog", "elm", "fig", "gnu", "hen", "ivy", "jay", "kit"):
        for name in ("small", "middle"):  # who agree
            text = f"What is a {word}?"
            engine.answer(Query(text=text, cacheable=False, allow=frozenset({name})), call)
    engine.answer(replace(ASKED, allow=frozenset({"small"})), call)
    answers = [engine.answer(ASKED, call) for _ in range(20)]
    called = [one.decision_id for one in answers if one.source is Source.MODEL]
    receipts = [engine.parts.log.decision(name) for name in called]

    assert any(one.news > 0.0 for receipt in receipts for one in receipt.estimates)
    for receipt in receipts:
        assert choose_again(receipt) == (receipt.ranking, receipt.propensity)
