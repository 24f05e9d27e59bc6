"""The bound on a rate: what counts as sure."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sls_plugins.cache.bound import evidence_below, log_evidence


def surely_below(wrong: float, cases: float, limit: float, doubt: float) -> bool:
    return bool(log_evidence(np.array(wrong), np.array(cases), limit) >= -math.log(doubt))


def chance_of_at_most(wrong: int, cases: int, rate: float) -> float:
    return sum(math.comb(cases, k) * rate**k * (1 - rate) ** (cases - k) for k in range(wrong + 1))


@pytest.mark.parametrize("limit", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("doubt", [0.2, 0.05])
def test_it_never_claims_more_than_the_binomial_tail_allows(limit: float, doubt: float) -> None:
    """Whatever is called sure had at most this chance at the limit itself."""
    sure = [
        chance_of_at_most(wrong, cases, limit)
        for cases in range(1, 600, 7)
        for wrong in range(12)
        if surely_below(wrong, cases, limit, doubt)
    ]
    assert sure
    assert max(sure) <= doubt


def test_without_errors_it_takes_as_many_cases_as_it_must() -> None:
    """132 right answers show fewer than 2 % errors with a doubt of 10 %; 131 do not."""
    assert not surely_below(0, 131, 0.02, 0.1)
    assert surely_below(0, 132, 0.02, 0.1)
    assert not surely_below(0, 0, 0.02, 0.1)


@pytest.mark.parametrize(("limit", "doubt"), [(0.02, 0.1), (0.1, 0.05)])
def test_looking_after_every_case_breaks_no_promise(limit: float, doubt: float) -> None:
    """At a rate of just the limit, at most a share `doubt` of streams is ever called sure."""
    rng = np.random.default_rng(0)
    wrong = np.cumsum(rng.random((1000, 2000)) < limit, axis=1, dtype=np.float64)
    cases = np.arange(1.0, 2001.0)
    ever = (log_evidence(wrong, np.broadcast_to(cases, wrong.shape), limit)).max(axis=1)
    assert 0 < np.mean(ever >= -math.log(doubt)) <= doubt + 0.02


def strata(*rows: tuple[float, float, float]) -> NDArray[np.float64]:
    return np.array(rows)


def width(found: NDArray[np.float64], able: NDArray[np.bool_]) -> int:
    """How many strata are open at 2 % with a doubt of 10 %."""
    return int(np.sum(evidence_below(found, 0.02, able) >= -math.log(0.1)))


def test_a_bad_stratum_stays_shut() -> None:
    """Many safe cases open no stratum that is not able by itself, nor any beyond it."""
    found = strata((10_000, 1, 10_000), (200, 20, 200), (200, 0, 200))
    assert width(found, np.array((True, True, True))) == 3
    assert width(found, np.array((True, False, True))) == 1


def test_traffic_weighs_what_is_seldom_seen() -> None:
    """Cases of an open stratum stand for many: they make room for a riskier one or shut both."""
    risky, able = (300.0, 9.0, 300.0), np.ones(2, dtype=np.bool_)
    assert width(strata((400, 0, 400), risky), able) == 1
    assert width(strata((1600, 0, 4000), risky), able) == 2
    assert width(strata((50, 0, 4000), risky), able) == 0


def test_too_few_cases_open_nothing() -> None:
    """Without evidence every stratum stays closed."""
    able = np.ones(2, dtype=np.bool_)
    assert width(strata((20, 0, 20), (50, 0, 50)), able) == 0
    assert width(strata((0, 0, 0), (0, 0, 0)), able) == 0


def test_a_stratum_counts_with_those_that_open_with_it() -> None:
    """A stratum of few cases shares the evidence of a wider one that is surer."""
    able = np.ones(2, dtype=np.bool_)
    found = evidence_below(strata((20, 0, 20), (300, 0, 300)), 0.02, able)
    assert found[0] == found[1] > 2.0
