"""A candidate whose prices change is looked at anew."""

from __future__ import annotations

import pytest

from sls_plugins.scheduler import Aim
from sls_plugins.scheduler.exploration import Scenarios
from sls_plugins.scheduler.safety import Safety
from sls_plugins.scheduler.selection import Terms, pick
from sls_plugins.testing.contracts.scheduler import estimate


@pytest.mark.parametrize(("factor", "tried"), [(0.1, {"large"}), (0.9, set()), (10.0, set())])
def test_who_becomes_much_cheaper_is_tried_anew(factor: float, tried: set[str]) -> None:
    """Few bad outcomes of one that was far too dear no longer keep it from being tried."""
    safety, dear = Safety(Aim(price=100.0)), estimate("large", 0.7, 0.02)
    small = estimate("small", 0.9, 0.001)
    for number in range(200):
        safety.observe((small, dear), 0.0)
        offer, quality = (dear, 0.0) if number % 50 == 0 else (small, 0.9)
        picked = pick([offer], Terms(price=100.0, purse_usd=1.0), Scenarios(0), number)
        safety.chosen(str(number), picked, Terms(price=100.0, purse_usd=1.0))
        safety.graded(str(number), offer, quality)
        safety.billed(offer, offer.cost_usd)
    safety.fund_usd = 1.0
    now = estimate("large", 0.7, 0.02 * factor)
    assert safety.trial((small, now), 1.0, price=100.0) == {}
    safety.standing.reprice("large", factor)
    assert safety.standing.means(safety.standing.rows(["large"]))[1] == pytest.approx(0.02 * factor)
    again = Safety(Aim(price=100.0))
    again.load("s", safety.save("s"))
    for one in (safety, again):
        assert set(one.trial((small, now), 1.0, price=100.0)) == tried
    for number in range(40):
        picked = pick([now], Terms(price=100.0, purse_usd=1.0), Scenarios(0), number)
        safety.chosen(f"again {number}", picked, Terms(price=100.0, purse_usd=1.0))
    safety.fund_usd = 1.0
    assert safety.trial((small, now), 1.0, price=100.0) == {}, "tried long enough"
