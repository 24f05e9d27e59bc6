"""`engine.schedule`: a batch as a plan, which can then be run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from sls_plugins import flow
from sls_plugins.engine.bar import shown
from sls_plugins.errors import InputError, SLSError
from sls_plugins.protocols import AsyncCall, Call
from sls_plugins.types import Answer

__all__ = ["AsyncBatchPlan", "BatchPlan", "BatchResult", "Progress"]

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many queries are done, of how many."""


class Driver(Protocol):
    """How an engine carries out one call."""

    def __call__(self, work: flow.Planned, call: Call) -> Answer:
        """The answer. Raises SLSError."""


class AsyncDriver(Protocol):
    """The same for async hosts."""

    async def __call__(self, work: flow.Planned, call: AsyncCall) -> Answer:
        """The answer. Raises SLSError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What came of a batch: an answer (or None) per query, in order, and why it has none.

    `replans` tells how often what was left was planned anew.
    """

    answers: tuple[Answer | None, ...]
    errors: Mapping[int, SLSError]
    cost_usd: float
    replans: int


class _Plan:
    """What both plans share: what is expected, and what came."""

    def __init__(self, batch: flow.Batch, queries: int, name: str) -> None:
        self._batch = batch
        self._queries = queries
        self.name = name

    @property
    def candidates(self) -> tuple[str, ...]:
        """Who is to answer each query, in order; "cache" for a stored answer, "" for nobody."""
        names = [""] * self._queries
        for job in self._batch.jobs:
            for place in job.places:
                names[place] = self._name(job)
        return tuple(names)

    def _name(self, job: flow.Job) -> str:
        if job.answer is not None:
            return job.answer.candidate
        if job.hit is not None:
            return "cache"
        return self._batch.names[job.column] if job.column >= 0 else ""

    @property
    def quality(self) -> float:
        """Expected mean quality of the queries that are to be called."""
        plan = self._batch.plan
        called = sum(len(job.places) for job in self._batch.jobs if job.column >= 0)
        return plan.quality / called if plan is not None and called else 0.0

    @property
    def cost_usd(self) -> float:
        """Expected cost of all that is to be called."""
        return self._batch.plan.cost_usd if self._batch.plan is not None else 0.0

    @property
    def gap(self) -> float:
        """Sum of expected quality that the best possible plan can have more, at most."""
        return self._batch.plan.gap if self._batch.plan is not None else 0.0

    @property
    def done(self) -> int:
        """Queries that have their answer, or their error."""
        return sum(len(job.places) for job in self._batch.jobs if job.settled)

    @staticmethod
    def _told(workers: int, *, progress: Progress | bool) -> Progress:
        """Who is told how far it is. Raises InputError for no workers."""
        if workers < 1:
            raise InputError(f"workers must be 1 or more, not {workers}")
        if callable(progress):
            return progress
        return (shown() if progress else None) or _unheard

    def _result(self) -> BatchResult:
        answers: list[Answer | None] = [None] * self._queries
        errors: dict[int, SLSError] = {}
        for job in self._batch.jobs:
            for place in job.places:
                answers[place] = job.answer
                if job.error is not None:
                    errors[place] = job.error
        return BatchResult(
            answers=tuple(answers),
            errors=errors,
            cost_usd=self._batch.spent_usd,
            replans=self._batch.replans,
        )


class BatchPlan(_Plan):
    """A plan for a batch: look at it, then `run` it."""

    def __init__(self, batch: flow.Batch, queries: int, name: str, drive: Driver) -> None:
        """Made by `Engine.schedule`."""
        super().__init__(batch, queries, name)
        self._drive = drive

    def run(
        self, call: Call, *, workers: int = 8, progress: Progress | bool = False
    ) -> BatchResult:
        """Make the calls, so many at a time; failed ones are planned anew within what is left.

        `progress` is told how far it is; True draws a bar on standard error if that is a terminal.
        Stop it at any time: what was answered is in the log, and a plan of the same name goes on.
        """
        tell = self._told(workers, progress=progress)
        running: dict[Future[Answer], str] = {}
        with ThreadPoolExecutor(workers, thread_name_prefix="sls-batch") as pool:
            while True:
                while len(running) < workers and (work := self._batch.take()) is not None:
                    running[pool.submit(self._drive, work, call)] = work.decision.id
                tell(self.done, self._queries)
                if not running:
                    return self._result()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    self._batch.done(running.pop(future), _came(future))


class AsyncBatchPlan(_Plan):
    """`BatchPlan` for async hosts."""

    def __init__(self, batch: flow.Batch, queries: int, name: str, drive: AsyncDriver) -> None:
        """Made by `AsyncEngine.schedule`."""
        super().__init__(batch, queries, name)
        self._drive = drive

    async def run(
        self, call: AsyncCall, *, workers: int = 8, progress: Progress | bool = False
    ) -> BatchResult:
        """Make the calls, so many at a time; failed ones are planned anew within what is left."""
        tell = self._told(workers, progress=progress)
        running: dict[asyncio.Task[Answer], str] = {}
        try:
            while True:
                while len(running) < workers and (work := self._batch.take()) is not None:
                    running[asyncio.ensure_future(self._drive(work, call))] = work.decision.id
                tell(self.done, self._queries)
                if not running:
                    return self._result()
                ready, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in ready:
                    self._batch.done(running.pop(task), _came(task))
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


def _unheard(done: int, total: int) -> None:
    """Nobody wants to know."""


def _came(done: Future[Answer] | asyncio.Task[Answer]) -> Answer | SLSError:
    """The answer, or the error that was met; others than ours are bugs and pass."""
    error = done.exception()
    if error is None:
        return done.result()
    if isinstance(error, SLSError):
        return error
    raise error
