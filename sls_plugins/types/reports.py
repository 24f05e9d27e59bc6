"""What the cache has done, in numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sls_plugins.types.answers import CacheEntry

__all__ = ["AuditedPair", "CacheRow", "CacheStats", "Share", "TaskAudit", "TaskStats"]

_Z = 1.96


@dataclass(frozen=True, slots=True)
class Share:
    """So many out of so many, with a 95 % interval (Wilson's)."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """The share, 0…1; None out of nothing."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share may well be."""
        if not self.of:
            return 0.0, 1.0
        n, p = self.of, self.count / self.of
        middle = p + _Z**2 / (2 * n)
        reach = _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n * n))
        whole = 1 + _Z**2 / n
        return max(0.0, (middle - reach) / whole), min(1.0, (middle + reach) / whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStats:
    """One task: queries, hits, those that were said to be wrong, what hits saved.

    `saved_usd` and `saved_s` are sums of what the calls had cost whose answers were served;
    `saved_usd_sd` and `saved_s_sd` the standard deviations of these sums.
    """

    task: str
    queries: int = 0
    hits: int = 0
    exact: int = 0
    wrong: Share = Share(0, 0)
    saved_usd: float = 0.0
    saved_usd_sd: float = 0.0
    saved_s: float = 0.0
    saved_s_sd: float = 0.0

    @property
    def near(self) -> int:
        """Hits that were no exact repeats."""
        return self.hits - self.exact


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """Rows by kind, their bytes, and all tasks."""

    live: int
    revoked: int
    aliases: int
    bytes: int
    tasks: tuple[TaskStats, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRow:
    """A row of the cache, whether it is still served, and the keys that share its answer."""

    entry: CacheEntry
    live: bool
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedPair:
    """An acceptable neighbour that was called for all the same; `right` is None if unknown."""

    decision_id: str
    task: str
    text: str
    entry_id: str
    entry_text: str
    similarity: float | None
    right: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAudit:
    """How many audits of a task found a wrong answer, out of those that found out."""

    task: str
    audits: int
    wrong: Share
