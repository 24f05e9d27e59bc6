"""The border to the host: whatever its models raise becomes a `ProviderError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sls_plugins.errors import ProviderError, SLSError

__all__ = ["provider"]


@contextmanager
def provider(candidate: str) -> Iterator[None]:
    """Translate the errors of a call. Cancelling and interrupts are no errors and pass."""
    try:
        yield
    except SLSError:
        raise
    except Exception as error:  # a host's model may raise anything
        raise ProviderError(candidate, f"{type(error).__name__}: {error}") from error
