"""A stored decision can be explained, and made again bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from sls_plugins import Answer, Budget, Candidate, Engine, Query, Usage
from sls_plugins.cli import app
from sls_plugins.errors import InputError
from sls_plugins.scheduler.selection import choose_again
from sls_plugins.types import Decision

MakeEngine = Callable[..., Engine]


@pytest.mark.parametrize(
    "budget",
    [
        Budget(price=30.0),
        Budget(usd_per_query=0.0006, deadline_s=2.0, latency_weight=0.01),
        Budget(usd=0.5, window="day"),
        Budget(),
    ],
)
def test_stored_decisions_are_made_again_bit_for_bit(
    make_engine: MakeEngine, budget: Budget, tmp_path: Path
) -> None:
    """From the receipt alone come the same ranking and the same propensity, whatever the aim."""
    engine = make_engine(tmp_path, budget=budget, seed=11)
    rng, made = np.random.default_rng(3), []

    def call(candidate: Candidate, query: Query) -> Answer:
        return Answer(
            text="fine", usage=Usage(input_tokens=9, output_tokens=int(rng.integers(400)))
        )

    for number in range(60):
        query = Query(text=f"A question about {number * 37 % 11} and {number}")
        answer = engine.answer(query, call)
        made.append(answer.decision_id)
        engine.feedback(answer.decision_id, float(rng.random()))
    engine.close()
    log = make_engine(tmp_path, budget=budget).parts.log
    chances = []
    for decision_id in made:
        stored = log.decision(decision_id)
        assert choose_again(stored) == (stored.ranking, stored.propensity)
        chances.append(stored.propensity)
    assert min(chances) < 1.0


def test_an_explanation_tells_all(make_engine: MakeEngine, tmp_path: Path) -> None:
    """Who was eligible, what was expected, λ, why, and what it would have taken otherwise."""
    engine = make_engine(tmp_path, budget=Budget(price=20.0))
    needing = Query(text="What is a heap?", needs=frozenset({"tools"}))
    decision = engine.plan(needing)
    assert isinstance(decision, Decision)
    told = decision.explain()
    assert {offer.candidate for offer in told.offers} == {"middle", "large"}
    assert dict(told.ineligible) == {"small": "lacks tools"}
    best = max(told.offers, key=lambda offer: offer.worth)
    for offer in told.offers:
        assert offer.worth == pytest.approx(offer.quality - 20.0 * offer.cost_usd)
        if offer is best:
            assert offer.would_take == "the best value"
            continue
        assert best.worth == pytest.approx(offer.worth + offer.lacking)
        if offer.affordable_usd is not None:
            assert offer.quality - 20.0 * offer.affordable_usd == pytest.approx(best.worth)
        if offer.price_low is not None:
            price = offer.price_low
            worths = {one.candidate: one.quality - price * one.cost_usd for one in told.offers}
            assert max(worths.values()) == pytest.approx(worths[offer.candidate])
    text = str(told)
    for part in ("middle", "large", "small", "lacks tools", "quality per USD", "would have taken"):
        assert part in text
    engine.close()
    ran = CliRunner().invoke(app, ["explain", decision.id, "--database", str(tmp_path / "sls.db")])
    assert ran.exit_code == 0
    assert "made again from its receipt: the same" in " ".join(ran.output.split())


def test_what_was_not_chosen_cannot_be_made_again(make_engine: MakeEngine) -> None:
    """An answer given elsewhere has no terms."""
    engine = make_engine()
    kept = engine.cache.keep(Query(text="What is a heap?"), Answer(text="A tree.", candidate="x"))
    with pytest.raises(InputError, match="terms"):
        choose_again(engine.parts.log.decision(kept))
