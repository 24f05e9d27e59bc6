"""Flips of meaning are stopped by default guards; paraphrases are hardly touched."""

from __future__ import annotations

from pathlib import Path

from sls_plugins.cache.guards import DEFAULT_GUARDS, fired
from sls_plugins.evaluation.flips import made_flips, made_paraphrases
from sls_plugins.evaluation.studies.guards import is_served, open_world, run
from sls_plugins.evaluation.study import StudySetup

KINDS = {
    "number", "unit", "date", "entity", "negation", "on/off", "identifier", "language",
}  # fmt: skip


def test_every_flip_is_vetoed_both_ways_round() -> None:
    """Over 2,000 flips of eight kinds: a default guard vetoes each."""
    flips = made_flips(0)
    assert len(flips) >= 2000
    assert {pair.kind for pair in flips} == KINDS
    assert [pair for pair in flips if not fired(DEFAULT_GUARDS, *pair.texts)] == []


def test_guards_cost_paraphrases_little() -> None:
    """At most 3 % of made paraphrases are lost to guards."""
    pairs = made_paraphrases(0)
    lost = [pair for pair in pairs if fired(DEFAULT_GUARDS, *pair.texts)]
    assert len(lost) <= 0.03 * len(pairs)


def test_a_cache_that_trusts_neighbours_serves_no_flip() -> None:
    """Taught that all near neighbours are right, it still serves none of the flips."""
    world = open_world()
    assert not [pair for pair in made_flips(1)[:150] if is_served(world, pair)]
    assert sum(is_served(world, pair) for pair in made_paraphrases(1)[:40]) >= 30


def test_the_study_tells_both() -> None:
    """The report counts flips that were served and paraphrases that guards stop."""
    setup = StudySetup(
        traces=Path(), seeds=(0,), encoder="hashing", embeddings=Path(), limit=40
    )  # fmt: skip
    facts = run(setup, lambda _done, _note="": None).facts()
    assert (facts["flips"], facts["flips_served"]) == (40, 0)
    assert facts["paraphrases_lost_share"] == 0.0
