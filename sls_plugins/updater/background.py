"""Does the updater's rounds in a thread of its own, off the path of requests."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from typing import Protocol

from sls_plugins.errors import SLSError

__all__ = ["Background", "Rounds"]

_log = logging.getLogger(__name__)

STOP_S = 30.0


class Rounds(Protocol):
    """What is done again and again."""

    def round(self) -> None:
        """One round; what it could not do now it does in the next."""


class Background:
    """Runs a round every `every_s` seconds, and at once when woken.

    It holds the rounds weakly: a forgotten engine takes its thread with it. A round that fails is
    logged and tried again.
    """

    def __init__(self, rounds: Rounds, every_s: float) -> None:
        """Start the thread."""
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        forgotten = weakref.ref(rounds, lambda _: self._stop())
        self._thread = threading.Thread(
            target=_work,
            args=(forgotten, self._wanted, self._stopped, every_s),
            name="sls-updater",
            daemon=True,
        )
        self._thread.start()

    def wake(self) -> None:
        """Do a round now, in the thread."""
        self._wanted.set()

    def close(self) -> None:
        """Let the round that is going on end, then no more. May be called again."""
        self._stop()
        if threading.current_thread() is not self._thread:
            self._thread.join(STOP_S)

    def _stop(self) -> None:
        self._stopped.set()
        self._wanted.set()


def _work(
    rounds: Callable[[], Rounds | None],
    wanted: threading.Event,
    stopped: threading.Event,
    every_s: float,
) -> None:
    while not stopped.is_set():
        wanted.wait(every_s)
        wanted.clear()
        doing = rounds()
        if doing is None or stopped.is_set():
            return
        try:
            doing.round()
        except SLSError as error:
            _log.warning("a round of the updater failed and is tried again: %s", error)
        del doing
