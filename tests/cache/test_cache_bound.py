"""The bound on a rate: what counts as sure."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sls_plugins.cache.bound import surely_below, widest_below


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
    """114 right answers show fewer than 2 % errors with a doubt of 10 %; 113 do not."""
    assert not surely_below(0, 113, 0.02, 0.1)
    assert surely_below(0, 114, 0.02, 0.1)
    assert not surely_below(0, 0, 0.02, 0.1)


def test_safe_bins_do_not_pay_for_a_bad_one() -> None:
    """Many safe cases never open a bin that is clearly worse than the limit by itself."""
    cases, wrong = np.array([10_000.0, 200.0, 200.0]), np.array([1.0, 3.0, 20.0])
    assert sum(wrong) / sum(cases) < 0.01
    assert widest_below(cases, wrong, 0.02, 0.1) == 2


def test_too_few_cases_open_nothing() -> None:
    """Without evidence every bin stays closed."""
    assert widest_below(np.array([20.0, 50.0]), np.zeros(2), 0.02, 0.1) == 0
