"""Made streams, the rule of vCache, and what both rules do on them."""

from __future__ import annotations

import numpy as np
import pytest

from sls_plugins.cache.policy import CachePolicy
from sls_plugins.evaluation.studies.streams import made_stream, run_ours, run_vcache
from sls_plugins.evaluation.vcache import VCacheRule


def test_the_rival_explores_until_an_entry_has_labels_of_its_own() -> None:
    """Without labels it always calls; with many right ones at a similarity seldom, never surely."""
    rule = VCacheRule(0.02)
    assert rule.explores_with(7, 0.99) == 1.0
    for _ in range(5):
        rule.observe(7, 0.95, right=True)
    few = rule.explores_with(7, 0.95)
    for _ in range(100):
        rule.observe(7, 0.95, right=True)
    assert 0.0 <= rule.explores_with(7, 0.95) < few < 1.0
    assert rule.explores_with(8, 0.95) == 1.0


def test_the_rival_leaves_delta_to_hopeless_matches() -> None:
    """An entry whose labels were all wrong is still served to a share of about delta."""
    rule = VCacheRule(0.1)
    for _ in range(50):
        rule.observe(1, 0.9, right=False)
    assert rule.explores_with(1, 0.9) == pytest.approx(0.9, abs=0.02)


def test_both_rules_keep_the_bound_on_made_streams() -> None:
    """On a few streams nothing is broken by more than chance, and exact repeats are found."""
    for number in range(2):
        stream = made_stream(np.random.default_rng((5, number)))
        ours = run_ours(stream, CachePolicy(max_error=0.02, seed=number))
        rival = run_vcache(stream, VCacheRule(0.02, seed=number))
        assert ours.wrong <= 0.02 * ours.hits
        assert ours.hits - ours.near > 200
        assert 0 < rival.hits < ours.possible == rival.possible
