"""Candidates whose provider still has a query's beginning in its prompt cache."""

from __future__ import annotations

from sls_plugins import Budget, Candidate, Decision, Query
from sls_plugins.types import Session


def test_a_warm_candidate_is_cheaper(make_engine):
    """Of two candidates of nearly one price the warm one is chosen; what is held stays the same."""
    twins = tuple(
        Candidate(
            name=name,
            input_usd_per_mtok=price,
            output_usd_per_mtok=1.0,
            cached_input_usd_per_mtok=0.1,
        )
        for name, price in (("first", 1.0), ("second", 1.01))
    )
    engine = make_engine(candidates=twins, budget=Budget(price=1e6))

    cold = engine.plan(Query(text="Go on!", input_tokens=10_000))
    warm = engine.plan(
        Query(text="Go on!", input_tokens=10_000, session=Session(held=(("second", 9_000),)))
    )

    assert isinstance(cold, Decision)
    assert isinstance(warm, Decision)
    assert (cold.candidate, warm.candidate) == ("first", "second")
    saved = cold.estimate_of("second").cost_usd - warm.estimate_of("second").cost_usd
    assert round(saved, 9) == round(9_000 * 0.91e-6, 9)
    assert warm.estimate_of("second").cost_high_usd == cold.estimate_of("second").cost_high_usd
