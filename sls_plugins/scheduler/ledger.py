"""Holds money before a call, charges it after: hard in every window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from sls_plugins.errors import BudgetExhausted
from sls_plugins.protocols import Accounts, Clock
from sls_plugins.types import Purse, Reservation

__all__ = ["BudgetLedger", "Cap", "window_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """At most `usd` in each window; windows begin at whole hours, days and months of UTC."""

    usd: float
    window: Literal["total", "hour", "day", "month"] = "total"


def window_of(now_s: float, window: str) -> tuple[float, float | None]:
    """Begin of the window that `now_s` is in, and of the next one (None: there is none)."""
    if window == "total":
        return 0.0, None
    now = datetime.fromtimestamp(now_s, UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    if window == "hour":
        return hour.timestamp(), (hour + timedelta(hours=1)).timestamp()
    day = hour.replace(hour=0)
    if window == "day":
        return day.timestamp(), (day + timedelta(days=1)).timestamp()
    month = day.replace(day=1)
    return month.timestamp(), (month + timedelta(days=32)).replace(day=1).timestamp()


class BudgetLedger:
    """The ledger over accounts that are atomic across threads and processes.

    Without a cap money is still held and charged, so that spend can be told, but never refused.
    """

    def __init__(self, accounts: Accounts, *, cap: Cap | None, clock: Clock, hold_s: float) -> None:
        """`hold_s`: seconds after which a reservation of a dead process no longer counts."""
        self._accounts = accounts
        self._cap = cap
        self._clock = clock
        self._hold_s = hold_s

    def purse(self) -> Purse:
        """What may be spent now; without a cap nothing is counted."""
        if self._cap is None:
            return Purse()
        now_s = self._clock()
        since_s, renews_s = window_of(now_s, self._cap.window)
        totals = self._accounts.totals(since_s, now_s)
        left = self._cap.usd - totals.spent_usd - totals.reserved_usd
        return replace(totals, available_usd=max(0.0, left), renews_s=renews_s, now_s=now_s)

    def reserve(self, reservation_id: str, usd: float) -> None:
        """Hold money. Raises BudgetExhausted with the begin of the next window."""
        now_s = self._clock()
        held = Reservation(id=reservation_id, usd=usd, expires_s=now_s + self._hold_s)
        cap = self._cap
        since_s, renews_s = window_of(now_s, cap.window) if cap else (0.0, None)
        cap_usd = cap.usd if cap else None
        if not self._accounts.reserve(held, cap_usd=cap_usd, since_s=since_s, now_s=now_s):
            assert cap is not None
            raise BudgetExhausted(
                f"{usd:.6f} USD do not fit under the cap of {cap.usd} USD ({cap.window})", renews_s
            )

    def settle(self, reservation_id: str, usd: float) -> None:
        """Charge what the call really cost."""
        self._accounts.settle(reservation_id, usd, self._clock())

    def release(self, reservation_id: str) -> None:
        """Give back what was held."""
        self._accounts.release(reservation_id)
