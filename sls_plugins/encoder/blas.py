"""One BLAS thread for as long as anybody embeds.

Two threads collapse when the machine is shared, and a small model gains little from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from threadpoolctl import ThreadpoolController

__all__ = ["OneThread"]


class OneThread:
    """Limits BLAS while at least one thread is inside `limited`.

    The limit is the process's: the first one in sets it and the last one out lifts it, so that
    threads that overlap never restore each other's limit.
    """

    def __init__(self) -> None:
        self._controller = ThreadpoolController().select(user_api="blas")
        self._lock = Lock()
        self._inside = 0
        self._lift: Callable[[], None]

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Hold BLAS at one thread within the block."""
        with self._lock:
            if self._inside == 0:
                self._lift = self._controller.limit(limits=1).restore_original_limits
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._lift()
