"""The border to the host: whatever its models raise becomes a `ProviderError`."""

from __future__ import annotations

import math
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

from sls_plugins.errors import ProviderError, SLSError

__all__ = ["provider"]

PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Answers of HTTP after which the same call may well succeed soon."""

AT_FAULT = frozenset({400, 404, 413, 415, 422})
"""Answers of HTTP which say that the call itself was wrong."""

PASSING_NAMES = ("Timeout", "ConnectionError", "ConnectError", "RateLimit", "Overloaded")
"""Parts of the names of hosts' errors that tell the same without a status."""


@contextmanager
def provider(candidate: str) -> Iterator[None]:
    """Translate the errors of a call. Cancelling and interrupts are no errors and pass."""
    outer = sys.exc_info()[1]
    try:
        yield
    except SLSError:
        raise
    except Exception as error:  # a host's model may raise anything
        told = ProviderError(
            candidate, f"{type(error).__name__}: {error}", retry_after_s=_retry_after_s(error)
        )
        status = _status(error)
        told.passing = status in PASSING or (status is None and _sounds_passing(error))
        told.query_at_fault = status in AT_FAULT
        _let_go(error, outer)
        raise told from error


def _let_go(error: BaseException, outer: BaseException | None) -> None:
    """Let go of what the frames that have ended hold: an open stream of the provider's, say.

    Left to the garbage collector, it is closed in the midst of another call of the same thread,
    which waits for ever if that call holds the lock of the provider's connections. What was being
    handled already when the call began (`outer`) is none of our business.
    """
    one: BaseException | None = error
    seen = {id(outer)}
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        traceback.clear_frames(one.__traceback__)
        one = one.__cause__ or one.__context__


def _status(error: Exception) -> int | None:
    """The status of HTTP that an error tells, itself or by its response."""
    for source in (error, getattr(error, "response", None)):
        status = getattr(source, "status_code", None)
        if isinstance(status, int):
            return status
    return None


def _sounds_passing(error: Exception) -> bool:
    if isinstance(error, TimeoutError | ConnectionError):
        return True
    return any(part in type(error).__name__ for part in PASSING_NAMES)


def _retry_after_s(error: Exception) -> float | None:
    """The provider's Retry-After in seconds from now: a number, or a date of HTTP."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    told = headers.get("retry-after") if headers is not None and hasattr(headers, "get") else None
    if not isinstance(told, str):
        return None
    try:
        seconds = float(told)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(told).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
