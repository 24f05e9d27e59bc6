"""Three query engines of different skill and cost, learnt from a grader's marks alone."""

from __future__ import annotations

import pytest

from llama_index_sls.studies.selector import WORLDS, run


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_nearly_as_good_as_the_best_assignment(seed: int) -> None:
    """Over the first 300 queries, from zero: 95 % of the best choice per topic, for no more."""
    shares = run(WORLDS["truthful"], seed)

    assert shares.quality >= 0.95
    assert shares.cost <= 1.0


@pytest.mark.parametrize("seed", [0, 1])
def test_wrong_descriptions_are_seen_through(seed: int) -> None:
    """Where a description promises what its query engine cannot do, grades correct it."""
    shares = run(WORLDS["misleading"], seed)

    assert shares.quality >= 0.9
    assert shares.late_quality >= 0.97
    assert shares.late_cost <= 1.15
