"""What the same question costs that is asked again and again, and graded by nobody."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sls_plugins import Answer, Budget, Candidate, Engine, Query, Source, Usage

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
