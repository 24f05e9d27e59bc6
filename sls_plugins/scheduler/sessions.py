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
        if query.session is None or not query.session.name:
            return
        with self._lock:
            key = (query.tenant, query.session.name)
            self._last[key] = (candidate, query.input_tokens or 0, self._clock())
            self._last.move_to_end(key)
            while len(self._last) > MOST:
                self._last.popitem(last=False)

    def adjust(
        self, query: Query, estimates: Sequence[Estimate], candidates: Mapping[str, Candidate]
    ) -> tuple[Estimate, ...]:
        """The estimates, less what candidates of the conversation need not read afresh."""
        held = self._held(query)
        return tuple(
            cheaper(one, candidates[one.candidate], held[one.candidate])
            if one.candidate in held
            else one
            for one in estimates
        )

    def _held(self, query: Query) -> Mapping[str, int]:
        """Input tokens by the candidate that holds them."""
        if query.session is None:
            return {}
        held = dict(query.session.held)
        last = self._last.get((query.tenant, query.session.name))
        if not held and last is not None and self._clock() - last[2] <= KEPT_S:
            held = {last[0]: last[1]}
        return {name: min(tokens, query.input_tokens or tokens) for name, tokens in held.items()}


def cheaper(one: Estimate, candidate: Candidate, cached_tokens: int) -> Estimate:
    """The estimate with so many input tokens at the price of a cache read; never below nothing.

    What is reserved for the call stays: the provider may have forgotten them.
    """
    cached, full = candidate.cached_input_usd_per_mtok, candidate.input_usd_per_mtok
    if cached is None or full is None or cached >= full:
        return one
    saved_usd = min(cached_tokens * (full - cached) / 1e6, one.cost_usd)
    return replace(one, cost_usd=one.cost_usd - saved_usd)
