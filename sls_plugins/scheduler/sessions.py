"""Who answered last in a conversation: its provider may still hold what was sent."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Lock

from sls_plugins.protocols import Clock
from sls_plugins.types import Candidate, Estimate, Query

__all__ = ["Sessions"]

KEPT_S = 300.0
"""Seconds for which providers keep what was sent."""

MOST = 10_000
"""Conversations that are remembered."""


class Sessions:
    """Makes staying with a conversation's candidate as cheap as it is. Threads may share it.

    Providers read what they have just seen at a lower price; whoever switches pays for all of it
    again. That is a part of what the others cost more.
    """

    def __init__(self, clock: Clock) -> None:
        """`clock` in seconds since the epoch."""
        self._clock = clock
        self._last: OrderedDict[tuple[str, str], tuple[str, int, float]] = OrderedDict()
        self._lock = Lock()

    def note(self, query: Query, candidate: str) -> None:
        """A candidate has answered in this conversation."""
        if not query.session:
            return
        with self._lock:
            key = (query.tenant, query.session)
            self._last[key] = (candidate, query.input_tokens or 0, self._clock())
            self._last.move_to_end(key)
            while len(self._last) > MOST:
                self._last.popitem(last=False)

    def adjust(
        self, query: Query, estimates: Sequence[Estimate], candidates: Mapping[str, Candidate]
    ) -> tuple[Estimate, ...]:
        """The estimates, less what the conversation's candidate need not read afresh.

        A query that tells by `warm` who holds what has been seen to already.
        """
        known = bool(query.session) and not query.warm
        last = self._last.get((query.tenant, query.session)) if known else None
        if last is None or self._clock() - last[2] > KEPT_S:
            return tuple(estimates)
        name, sent_tokens, _ = last
        held = sent_tokens if query.cached_tokens is None else query.cached_tokens
        tokens = min(held, query.input_tokens or held)
        return tuple(
            cheaper(one, candidates[name], tokens) if one.candidate == name else one
            for one in estimates
        )


def cheaper(one: Estimate, candidate: Candidate, cached_tokens: int) -> Estimate:
    """The estimate with so many input tokens at the price of a cache read; never below nothing."""
    cached, full = candidate.cached_input_usd_per_mtok, candidate.input_usd_per_mtok
    if cached is None or full is None or cached >= full:
        return one
    saved_usd = min(cached_tokens * (full - cached) / 1e6, one.cost_usd)
    return replace(
        one, cost_usd=one.cost_usd - saved_usd, cost_high_usd=one.cost_high_usd - saved_usd
    )
