"""Who is well enough to be called now: failures, and the providers' own limits."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from threading import Lock

from sls_plugins.errors import ProviderError
from sls_plugins.protocols import Clock
from sls_plugins.types import Candidate

__all__ = ["Health", "HealthRules"]

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRules:
    """When a candidate is left alone, and how often a call is tried.

    After `failures` failed calls in a row a candidate cools down for `cooldown_s`, twice as long
    each time that its first call afterwards fails too, up to `longest_cooldown_s`. A passing error
    (a full or slow provider) is tried again up to `retries` times, after `wait_s`, then twice as
    long, as long as the provider's Retry-After is no more than `longest_wait_s`. With `hedge` a
    second candidate is called when the first has not answered by the 95 % quantile of its latency.
    """

    failures: int = 5
    cooldown_s: float = 30.0
    longest_cooldown_s: float = 600.0
    retries: int = 1
    wait_s: float = 0.5
    longest_wait_s: float = 5.0
    hedge: bool = False


@dataclass(slots=True)
class _State:
    """What is known of one candidate."""

    calls: deque[tuple[float, int]] = field(default_factory=deque)  # of the last minute
    tokens: int = 0
    running: int = 0
    failed: int = 0
    cooldown_s: float = 0.0
    until_s: float = 0.0


class Health:
    """Counts calls and failures of this process. Threads may share it."""

    def __init__(self, rules: HealthRules, clock: Clock) -> None:
        """`clock` in seconds since the epoch."""
        self.rules = rules
        self._clock = clock
        self._states: dict[str, _State] = {}
        self._lock = Lock()

    def cooling_s(self, name: str) -> float:
        """For how many seconds more a candidate is left alone; 0 if it is not."""
        with self._lock:
            state = self._states.get(name)
            return max(0.0, state.until_s - self._clock()) if state else 0.0

    def obstacle(self, candidate: Candidate, input_tokens: int) -> str:
        """Which limit of the provider's a call would break now; empty if none."""
        if not limited(candidate):
            return ""
        with self._lock:
            return self._obstacle(candidate, input_tokens)

    def begin(self, candidate: Candidate, input_tokens: int) -> str:
        """Count a call that is about to be made, or say why it must not be."""
        with self._lock:
            reason = self._obstacle(candidate, input_tokens)
            if not reason:
                state = self._state(candidate.name)
                state.running += 1
                if candidate.rpm is not None or candidate.tpm is not None:
                    state.calls.append((self._clock(), input_tokens))
                    state.tokens += input_tokens
            return reason

    def end(self, name: str, error: ProviderError | None = None) -> None:
        """A call came to its end; errors that are the query's own fault do not count."""
        with self._lock:
            state = self._state(name)
            state.running = max(0, state.running - 1)
            if error is None:
                state.failed, state.cooldown_s = 0, 0.0
            elif not error.query_at_fault:
                self._failed(state, error.retry_after_s)

    def cancel(self, name: str) -> None:
        """A call was given up by its caller: that tells nothing of the candidate."""
        with self._lock:
            state = self._state(name)
            state.running = max(0, state.running - 1)

    def _failed(self, state: _State, retry_after_s: float | None) -> None:
        now_s, rules = self._clock(), self.rules
        state.failed += 1
        if state.failed >= rules.failures or state.cooldown_s > 0.0:
            longer_s = max(rules.cooldown_s, 2.0 * state.cooldown_s)
            state.cooldown_s = min(longer_s, rules.longest_cooldown_s)
            state.until_s, state.failed = now_s + state.cooldown_s, 0
        if retry_after_s is not None:
            state.until_s = max(state.until_s, now_s + min(retry_after_s, rules.longest_cooldown_s))

    def _obstacle(self, candidate: Candidate, input_tokens: int) -> str:
        state = self._state(candidate.name)
        old_s = self._clock() - MINUTE_S
        while state.calls and state.calls[0][0] <= old_s:
            state.tokens -= state.calls.popleft()[1]
        if candidate.max_concurrency is not None and state.running >= candidate.max_concurrency:
            return f"has {candidate.max_concurrency} calls running, which is its limit"
        if candidate.rpm is not None and len(state.calls) >= candidate.rpm:
            return f"had {candidate.rpm} calls in the last minute, which is its limit"
        if candidate.tpm is not None and state.tokens + input_tokens > candidate.tpm:
            return f"its limit of {candidate.tpm} tokens a minute leaves no room for {input_tokens}"
        return ""

    def _state(self, name: str) -> _State:
        return self._states.setdefault(name, _State())


def limited(candidate: Candidate) -> bool:
    """Whether the candidate has limits of its own."""
    return (
        candidate.rpm is not None
        or candidate.tpm is not None
        or candidate.max_concurrency is not None
    )
