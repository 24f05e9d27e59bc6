"""Does work behind the callers' backs, a little at a time."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from sls_plugins.errors import SLSError

__all__ = ["AsyncBackground", "Background"]

_log = logging.getLogger(__name__)

MOST = 32
"""Works that may wait or run; a further one is refused."""


class Background:
    """One thread that works off what it is given. Threads may share it."""

    def __init__(self) -> None:
        """No thread is started before it is needed."""
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._open = True
        self._works: set[Future[object]] = set()

    def take(self, work: Callable[[], object]) -> bool:
        """Do it later; False if too much waits already, or it is closed. Errors are logged."""
        with self._lock:
            if not self._open or len(self._works) >= MOST:
                return False
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="sls-later")
            future: Future[object] = self._pool.submit(work)
            self._works.add(future)
        future.add_done_callback(self._done)
        return True

    def close(self) -> None:
        """Wait for what is being done; what has not begun is given up."""
        with self._lock:
            self._open, pool = False, self._pool
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def _done(self, future: Future[object]) -> None:
        with self._lock:
            self._works.discard(future)
        if not future.cancelled():
            _tell(future.exception())


class AsyncBackground:
    """Tasks of one event loop. What its end cancels is given up."""

    def __init__(self) -> None:
        """Nothing runs."""
        self._tasks: set[asyncio.Task[object]] = set()

    def take(self, work: Coroutine[Any, Any, object]) -> bool:
        """Run it beside the caller; False if too much runs already. Errors are logged."""
        if len(self._tasks) >= MOST:
            work.close()
            return False
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return True

    def _done(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            _tell(task.exception())


def _tell(error: BaseException | None) -> None:
    if isinstance(error, SLSError):
        _log.warning("what was done behind the callers' backs came to nothing: %s", error)
    elif error is not None:
        _log.error("what was done behind the callers' backs failed", exc_info=error)
