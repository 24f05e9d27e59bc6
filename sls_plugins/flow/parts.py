"""The parts that one engine is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import RLock

from sls_plugins.cache.witnesses import Witnesses
from sls_plugins.flow.flights import Flights
from sls_plugins.flow.offered import Offered
from sls_plugins.plugins import Plugins
from sls_plugins.protocols import (
    Cache,
    Clock,
    Encoder,
    Judge,
    Ledger,
    OutcomeLog,
    Predictor,
    Scheduler,
    TokenCounter,
)
from sls_plugins.scheduler import Health, Sessions
from sls_plugins.storage.erasure import SeveralErasers, SqlEraser
from sls_plugins.storage.reports import SqlCacheReports
from sls_plugins.types import Candidate, Usage
from sls_plugins.updater import FeedbackStore, Learner, Manager

__all__ = ["Parts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that a request needs; made by `assembly.build`.

    `lock` guards predictor, scheduler and learner, which only compute. `cost_usd` prices a call of
    a candidate. `health` knows who is well enough to be called, `sessions` who answered last in a
    conversation. With `audit_later` checks on the cache are made behind the callers' backs. From
    P(right) `cache_at_cap` on a stored answer is served when no model can be paid; with
    `keeps_tool_calls` hosts keep answers that call tools. `ids` gives
    decision ids; `seed` together with such an id drives all its draws. Without `flights` nobody
    waits for another's call. `eraser` forgets rows, `forget_texts` what else is kept of texts;
    `reports` tells what the cache did, `witnesses` how far stored answers
    are to be believed.
    """

    candidates: Offered
    encoder: Encoder
    tokens: TokenCounter
    cost_usd: Callable[[Candidate, Usage], float]
    cache: Cache | None
    predictor: Predictor
    scheduler: Scheduler
    ledger: Ledger
    log: OutcomeLog
    opinions: FeedbackStore
    learner: Learner
    manager: Manager
    judges: tuple[Judge, ...]
    plugins: Plugins
    clock: Clock
    ids: Callable[[], str]
    seed: int
    lock: RLock
    health: Health
    sessions: Sessions
    cache_at_cap: float = 1.0
    audit_later: bool = False
    witnesses: Witnesses | None = None
    keeps_tool_calls: bool = False
    flights: Flights | None = None
    eraser: SqlEraser | SeveralErasers | None = None
    reports: SqlCacheReports | None = None
    forget_texts: Callable[[Sequence[str]], None] | None = None

    def seed_of(self, decision_id: str) -> int:
        """The seed of all draws of one decision: 63 bits, the same in every process."""
        digest = hashlib.blake2b(f"{self.seed}:{decision_id}".encode(), digest_size=8)
        return int.from_bytes(digest.digest(), "big") >> 1
