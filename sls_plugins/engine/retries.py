"""Calls that failed for a passing reason are made again, as the provider asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from sls_plugins.errors import ProviderError
from sls_plugins.scheduler import HealthRules

__all__ = ["call_again", "call_again_async"]

T = TypeVar("T")


def call_again(rules: HealthRules, attempt: Callable[[], T]) -> T:
    """The result of the first attempt that succeeds; raises what the last one raised."""
    retrying = Retrying(
        stop=stop_after_attempt(1 + rules.retries),
        wait=_waiting(rules),
        retry=retry_if_exception(_worth_it(rules)),
        reraise=True,
    )
    return retrying(attempt)


async def call_again_async(rules: HealthRules, attempt: Callable[[], Awaitable[T]]) -> T:
    """The same for async hosts: waiting does not block the loop."""
    retrying = AsyncRetrying(
        stop=stop_after_attempt(1 + rules.retries),
        wait=_waiting(rules),
        retry=retry_if_exception(_worth_it(rules)),
        reraise=True,
    )
    return await retrying(attempt)


def _worth_it(rules: HealthRules) -> Callable[[BaseException], bool]:
    def worth_it(error: BaseException) -> bool:
        """Whether it is a passing error whose end can be waited for."""
        if not isinstance(error, ProviderError) or not error.passing or error.partial is not None:
            return False
        return (error.retry_after_s or 0.0) <= rules.longest_wait_s

    return worth_it


def _waiting(rules: HealthRules) -> Callable[[RetryCallState], float]:
    def wait_s(state: RetryCallState) -> float:
        """The provider's Retry-After, else twice as long each time."""
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, ProviderError) and error.retry_after_s is not None:
            return error.retry_after_s
        return min(rules.wait_s * 2.0 ** (state.attempt_number - 1), rules.longest_wait_s)

    return wait_s
