"""How threads share a database: many read, one at a time writes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from sls_plugins.errors import SLSError, StorageError
from sls_plugins.storage.dialect import Place
from sls_plugins.storage.held import Held, is_away
from sls_plugins.storage.transactor import (
    CannotBeginError,
    Losses,
    Operation,
    Transactor,
    was_cut_off,
)

__all__ = ["DirectAccess", "QueuedAccess"]

T = TypeVar("T")

BATCH_OPERATIONS = 256
BEHIND_OPERATIONS = 16
"""Writes behind that wait in the caller's thread, where there is no other, until one pays them."""

BACKLOG_OPERATIONS = 4096
CLOSE_S = 60.0
IDLE_READERS = 32
AGAIN_S = 1.0
"""Between two tries while the database cannot write and nothing new comes."""

# What an operation may end with: the database's word, ours, or a value that cannot be stored.
OPERATION_ERRORS = (
    SQLAlchemyError,
    SLSError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


class DirectAccess:
    """Reads and writes in the caller's thread, on one connection under a lock.

    Writes behind are done a few at a time, or when somebody wants to see them.
    """

    def __init__(self, transactor: Transactor, losses: Losses) -> None:
        self._transactor = transactor
        self._losses = losses
        self._behind: list[Operation[object]] = []
        self._topics: set[str] = set()
        self._lock = threading.Lock()

    def read(self, operation: Operation[T]) -> T:
        """Run it on committed rows."""
        with self._lock:
            return operation(self._transactor.connection)

    waiting: tuple[int, Exception] | None = None
    """Nothing is ever kept for later."""

    def write(self, operation: Operation[T], *, keep: bool = False) -> T:  # noqa: ARG002
        """Run it in a transaction of its own; memory is never away, so nothing is kept."""
        with self._lock:
            self._write_behind()
            result: T = self._transactor.run([operation])[0]
        return result

    def write_later(self, operation: Operation[object], topic: str) -> None:
        """Run it soon: that is quicker than another thread."""
        with self._lock:
            self._behind.append(operation)
            self._topics.add(topic)
            if len(self._behind) >= BEHIND_OPERATIONS:
                self._write_behind()

    def catch_up(self, topic: str) -> None:
        """Return when what was queued on this topic is done."""
        if topic in self._topics:
            self.flush()

    def flush(self) -> None:
        """Return when all that was queued is done."""
        with self._lock:
            self._write_behind()

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._write_behind()
            self._transactor.close()

    def _write_behind(self) -> None:
        """All that waits, in one transaction; each in its own if one of them is at fault."""
        behind, self._behind = self._behind, []
        self._topics.clear()
        if not behind:
            return
        try:
            self._transactor.run(behind)
        except OPERATION_ERRORS as error:
            if len(behind) == 1:
                self._losses.add(error)
            for operation in behind if len(behind) > 1 else ():
                self._behind = [operation]
                self._write_behind()


@dataclass(slots=True)
class _Job:
    operation: Operation[Any]
    future: Future[Any] | None
    keep: bool
    """Whether it is to be written later if the database is away now."""


class QueuedAccess:
    """One thread that writes what is queued, in order: all that is waiting in one transaction.

    While the database is away (a restart, a full disk), writes behind are kept in memory.
    """

    def __init__(self, transactor: Transactor, losses: Losses, place: Place) -> None:
        self._transactor = transactor
        self._losses = losses
        self._place = place
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._queued = 0
        self._done = 0
        self._newest: dict[str, int] = {}
        self._batch: Sequence[_Job] = ()
        self._held = Held(transactor, losses, OPERATION_ERRORS)
        self._readers: deque[Connection] = deque()
        self._thread = threading.Thread(target=self._work, name="sls-storage", daemon=True)
        self._thread.start()

    def read(self, operation: Operation[T]) -> T:
        """Run it on committed rows, in the caller's thread, on a connection kept for readers.

        If the server has cut the readers off meanwhile, it is run once more on a new one.
        """
        try:
            return self._read(operation)
        except SQLAlchemyError as error:
            if not was_cut_off(error):
                raise
        while self._readers:
            with suppress(IndexError):
                self._readers.pop().close()
        return self._read(operation)

    def _read(self, operation: Operation[T]) -> T:
        connection = self._reader()
        sound = False
        try:
            result = operation(connection)
            sound = True
        finally:
            if sound and not self._closed and len(self._readers) < IDLE_READERS:
                self._readers.append(connection)
            else:
                connection.close()
        return result

    @property
    def waiting(self) -> tuple[int, Exception] | None:
        """How many writes are kept until the database can write again, and why; else None."""
        count, error = len(self._held), self._held.error
        return (count, error) if count and error is not None else None

    def write(self, operation: Operation[T], *, keep: bool = False) -> T:
        """Wait until it, and all that was queued before, is committed.

        With `keep`, what a database that is away cannot take now is written later, although this
        raises.
        """
        future: Future[T] = Future()
        self._put(_Job(operation, future, keep), "")
        return future.result()

    def write_later(self, operation: Operation[object], topic: str) -> None:
        """Queue it; waits only if too much is queued."""
        if self._queued - self._done > BACKLOG_OPERATIONS:
            self.flush()
        self._put(_Job(operation, None, True), topic)

    def catch_up(self, topic: str) -> None:
        """Return when what was queued on this topic is done."""
        if self._newest.get(topic, 0) > self._done:
            self.flush()

    def flush(self) -> None:
        """Return when all that was queued is done."""
        self.write(_nothing)

    def close(self) -> None:
        """Write what is queued, then end the thread."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_S)
        while self._readers:
            self._readers.popleft().close()

    def _reader(self) -> Connection:
        with suppress(IndexError):
            return self._readers.pop()
        return self._transactor.engine.connect()

    def _put(self, job: _Job, topic: str) -> None:
        with self._lock:
            if self._closed:
                raise StorageError(self._place.shown, "it is closed; open it again to write")
            self._queue.put(job)
            self._queued += 1
            self._newest[topic] = self._queued

    def _work(self) -> None:
        try:
            while (batch := self._next_batch()) is not None:
                self._batch = batch
                self._commit(batch)
                self._batch = ()
                self._done += len(batch)
        finally:
            self._abandon()

    def _next_batch(self) -> list[_Job] | None:
        """What is waiting; nothing when kept writes are due again; None at the end."""
        batch: list[_Job] = []
        while len(batch) < BATCH_OPERATIONS and not (batch and self._queue.empty()):
            try:
                job = self._queue.get(timeout=AGAIN_S if self._held else None)
            except Empty:
                break
            if job is None:
                self._queue.put(None)  # seen again by the next call, which then finds it alone
                return batch or None
            batch.append(job)
        return batch

    def _commit(self, batch: Sequence[_Job]) -> None:
        if self._held:
            self._held.retry()
        together = not self._held and self._at_once(batch)
        if not together:  # one of them is at fault, or there is no room for all of them
            for job in batch:
                if self._held and job.keep:  # in order, behind those that are kept already
                    self._fail(job, self._held.error or CannotBeginError("", "it is away"))
                else:
                    self._at_once([job])

    def _at_once(self, batch: Sequence[_Job]) -> bool:
        """Write all in one transaction; False if several were tried and they must be parted."""
        try:
            results = self._transactor.run([job.operation for job in batch])
        except CannotBeginError as error:
            for job in batch:
                self._fail(job, error)
        except OPERATION_ERRORS as error:
            if len(batch) > 1:
                return False
            self._fail(batch[0], error)
        else:
            for job, result in zip(batch, results, strict=True):
                if job.future is not None:
                    job.future.set_result(result)
        return True

    def _fail(self, job: _Job, error: Exception) -> None:
        if job.keep and is_away(error):
            self._held.add(job.operation, error)
        elif job.future is None:
            self._losses.add(error)
        if job.future is not None:
            job.future.set_exception(error)

    def _abandon(self) -> None:
        """Leave nobody waiting, also when the thread ends by a bug."""
        with self._lock:
            self._closed = True
        left = [job for job in self._batch if job.future is None or not job.future.done()]
        while not self._queue.empty():
            job = self._queue.get()
            if job is not None:
                left.append(job)
        for job in left:
            ended = StorageError(self._place.shown, "the writing thread has ended; open it again")
            self._fail(job, ended)
        self._held.retry()
        self._held.give_up()
        self._transactor.close()


def _nothing(_connection: Connection) -> None:
    """Write nothing, in order."""
