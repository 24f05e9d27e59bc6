"""The ledger: money is held, charged, and never over the cap of a window."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sls_plugins.errors import BudgetExhausted
from sls_plugins.scheduler.ledger import BudgetLedger, Cap, window_of
from sls_plugins.storage import Stores, open_stores


class Clock:
    """A clock that is moved by hand."""

    now_s = datetime(2026, 2, 27, 23, 30, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stores(clock: Clock) -> Iterator[Stores]:
    stores = open_stores(None, clock)
    yield stores
    stores.database.close()


def ledger_of(stores: Stores, clock: Clock, cap: Cap | None) -> BudgetLedger:
    return BudgetLedger(stores.accounts, cap=cap, clock=clock, hold_s=60.0)


def test_a_reservation_counts_until_it_is_settled_or_released(stores: Stores, clock: Clock):
    """Held money is not free; settling replaces it by the real cost."""
    ledger = ledger_of(stores, clock, Cap(usd=1.0))
    ledger.reserve("a", 0.6)
    with pytest.raises(BudgetExhausted, match="cap of 1"):
        ledger.reserve("b", 0.5)
    ledger.settle("a", 0.2)
    ledger.reserve("b", 0.5)
    purse = ledger.purse()
    assert (purse.spent_usd, purse.reserved_usd) == (pytest.approx(0.2), pytest.approx(0.5))
    assert purse.available_usd == pytest.approx(0.3)
    ledger.release("b")
    assert ledger.purse().available_usd == pytest.approx(0.8)


def test_a_reservation_that_nobody_settles_expires(stores: Stores, clock: Clock):
    """After the time limit the money is free again, and a late settlement still counts."""
    ledger = ledger_of(stores, clock, Cap(usd=1.0))
    ledger.reserve("a", 0.9)
    clock.now_s += 61
    assert ledger.purse().available_usd == pytest.approx(1.0)
    ledger.settle("a", 0.4)
    assert ledger.purse().available_usd == pytest.approx(0.6)


def test_each_window_has_its_own_money(stores: Stores, clock: Clock):
    """When the hour is over the cap is whole again; the error tells when that is."""
    ledger = ledger_of(stores, clock, Cap(usd=1.0, window="hour"))
    ledger.reserve("a", 1.0)
    ledger.settle("a", 1.0)
    with pytest.raises(BudgetExhausted) as caught:
        ledger.reserve("b", 0.1)
    assert caught.value.available_s == clock.now_s + 1800
    clock.now_s += 1800
    ledger.reserve("b", 0.1)


def test_without_a_cap_nothing_is_refused(stores: Stores, clock: Clock):
    """Spend is counted all the same."""
    ledger = ledger_of(stores, clock, None)
    ledger.reserve("a", 1e9)
    ledger.settle("a", 1e9)
    assert ledger.purse().available_usd is None
    assert stores.accounts.totals(0.0, clock.now_s).spent_usd == pytest.approx(1e9)


@pytest.mark.parametrize(
    ("window", "begin", "end"),
    [
        ("hour", (2026, 2, 27, 23), (2026, 2, 28, 0)),
        ("day", (2026, 2, 27), (2026, 2, 28)),
        ("month", (2026, 2, 1), (2026, 3, 1)),
    ],
)
def test_windows_are_whole_hours_days_and_months(clock: Clock, window, begin, end):
    """Windows begin and end at whole units of UTC."""
    assert window_of(clock.now_s, window) == (
        datetime(*begin, tzinfo=UTC).timestamp(),
        datetime(*end, tzinfo=UTC).timestamp(),
    )
