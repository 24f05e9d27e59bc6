"""Money held and charged, counted in SQL."""

from __future__ import annotations

import math

from sqlalchemy import Connection, ScalarSelect, and_, bindparam, delete, func, select, text

from sls_plugins.storage.database import Database
from sls_plugins.storage.quick import QuickChange
from sls_plugins.storage.tables import charges, reservations, spend
from sls_plugins.types import Purse, Reservation

__all__ = ["SqlAccounts"]

TOPIC = "accounts"
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
SWEEP_S = 60.0  # expired rows do not count, so there is no hurry to delete them
ROUNDING_USD = 1e-12  # ten times 0.1 USD fit under a cap of 1 USD

_held = reservations.c
_charged = charges.c


def _quick(words: str) -> QuickChange:
    return QuickChange(text(words))


def _summed(width_s: int, begin: str, end: str | None) -> ScalarSelect[float]:
    """USD of the sums of one width that start within a span."""
    within = and_(spend.c.width_s == width_s, spend.c.start_s >= bindparam(begin))
    if end is not None:
        within = and_(within, spend.c.start_s < bindparam(end))
    return select(func.coalesce(func.sum(spend.c.usd), 0.0)).where(within).scalar_subquery()


# Row by row to the next whole minute, then minutes to the hour, hours to the day, days: a few
# hundred rows at most, however many charges there are.
_spent = (
    select(func.coalesce(func.sum(_charged.usd), 0.0))
    .where(_charged.settled_s >= bindparam("since_s"), _charged.settled_s < bindparam("minute_s"))
    .scalar_subquery()
    + _summed(MINUTE_S, "minute_s", "hour_s")
    + _summed(HOUR_S, "hour_s", "day_s")
    + _summed(DAY_S, "day_s", None)
)
_open = (
    select(func.coalesce(func.sum(_held.usd), 0.0))
    .where(_held.expires_s > bindparam("now_s"), _held.id != bindparam("except_id"))
    .scalar_subquery()
)
_TOTALS = select(_spent.label("spent_usd"), _open.label("reserved_usd"))
_SWEEP = delete(reservations).where(_held.expires_s <= bindparam("now_s"))
_DROP = QuickChange(delete(reservations).where(_held.id == bindparam("held_id")))
_HOLD = _quick(
    "INSERT INTO reservations (id, usd, created_s, expires_s) "
    "VALUES (:id, :usd, :created_s, :expires_s) ON CONFLICT (id) DO UPDATE SET "
    "usd = excluded.usd, created_s = excluded.created_s, expires_s = excluded.expires_s"
)
_CHARGE = _quick(
    "INSERT INTO charges (reservation_id, usd, settled_s) "
    "VALUES (:reservation_id, :usd, :settled_s)"
)
_KNOWN = select(_charged.seq).where(_charged.reservation_id == bindparam("held_id")).limit(1)
_SUM_UP = _quick(
    "INSERT INTO spend (width_s, start_s, usd) VALUES "
    "(60, :minute_s, :usd), (3600, :hour_s, :usd), (86400, :day_s, :usd) "
    "ON CONFLICT (width_s, start_s) DO UPDATE SET usd = spend.usd + excluded.usd"
)


class SqlAccounts:
    """`Accounts` in a database: no two threads or processes can reserve the same money."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._swept_s = -math.inf

    def reserve(
        self, reservation: Reservation, *, cap_usd: float | None, since_s: float, now_s: float
    ) -> bool:
        """Hold money if charges and open reservations since `since_s` leave room under the cap.

        Returns False, holding nothing, if they do not. Expired reservations do not count. Holding
        the same id again replaces what it held. Without a cap it is written behind.
        """
        sweep = abs(now_s - self._swept_s) >= SWEEP_S
        self._swept_s = now_s if sweep else self._swept_s

        def hold(sql: Connection) -> bool:
            if sweep:
                sql.execute(_SWEEP, {"now_s": now_s})
            if cap_usd is not None:
                totals = _totals(sql, since_s, now_s, reservation.id)
                wanted_usd = totals.spent_usd + totals.reserved_usd + reservation.usd
                if wanted_usd > cap_usd + ROUNDING_USD:
                    return False
            _HOLD.run(sql, _row(reservation, now_s))
            return True

        if cap_usd is not None:
            return self._database.write(hold)
        self._database.write_later(hold, TOPIC)
        return True

    def settle(self, reservation_id: str, usd: float, now_s: float) -> None:
        """Replace a reservation by a charge (written behind); also when it had expired.

        A second settlement of what was charged already, and is not held again, is ignored.
        """
        charged_usd = float(usd)

        def charge(sql: Connection) -> None:
            wanted = {"held_id": reservation_id}
            if not _DROP.run(sql, wanted) and sql.execute(_KNOWN, wanted).first():
                return
            values = {"reservation_id": reservation_id, "usd": charged_usd, "settled_s": now_s}
            _CHARGE.run(sql, values)
            _SUM_UP.run(
                sql,
                {
                    "usd": charged_usd,
                    "minute_s": _whole(now_s, MINUTE_S),
                    "hour_s": _whole(now_s, HOUR_S),
                    "day_s": _whole(now_s, DAY_S),
                },
            )

        self._database.write_later(charge, TOPIC)

    def release(self, reservation_id: str) -> None:
        """Drop a reservation that was never used (written behind)."""
        wanted = {"held_id": reservation_id}
        self._database.write_later(lambda sql: _DROP.run(sql, wanted), TOPIC)

    def totals(self, since_s: float, now_s: float) -> Purse:
        """Spent and reserved USD since then; `available_usd` is None here."""
        self._database.catch_up(TOPIC)
        return self._database.read(lambda sql: _totals(sql, since_s, now_s, ""))


def _totals(sql: Connection, since_s: float, now_s: float, except_id: str) -> Purse:
    minute_s = _next(since_s, MINUTE_S)
    hour_s = _next(minute_s, HOUR_S)
    span = {
        "since_s": since_s,
        "minute_s": minute_s,
        "hour_s": hour_s,
        "day_s": _next(hour_s, DAY_S),
        "now_s": now_s,
        "except_id": except_id,
    }
    row = sql.execute(_TOTALS, span).one()
    return Purse(spent_usd=float(row.spent_usd), reserved_usd=float(row.reserved_usd))


def _row(reservation: Reservation, now_s: float) -> dict[str, object]:
    return {
        "id": reservation.id,
        "usd": float(reservation.usd),
        "created_s": now_s,
        "expires_s": float(reservation.expires_s),
    }


def _whole(time_s: float, width_s: int) -> int:
    """The begin of the minute, hour or day that a time is in."""
    return math.floor(time_s / width_s) * width_s


def _next(time_s: float, width_s: int) -> int:
    """The first whole minute, hour or day that does not begin before a time."""
    return math.ceil(time_s / width_s) * width_s
