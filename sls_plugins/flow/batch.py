"""A batch known in advance: planned as one knapsack, run query by query, planned anew as it goes.

Nothing here calls anybody: a driver asks for `take`, answers it, and tells `done`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.errors import (
    BudgetExhausted,
    InputError,
    NoCandidateLeft,
    SLSError,
)
from sls_plugins.flow.jobs import Job
from sls_plugins.flow.parts import Parts
from sls_plugins.flow.planned import Planned
from sls_plugins.scheduler.batch import Plan, assign
from sls_plugins.types import (
    Answer,
    Decision,
    Estimate,
)

__all__ = ["Batch", "BatchAim"]

Floats = NDArray[np.float64]

RENEWALS = 20
"""How often a batch is planned anew on the way, to take in what calls really cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAim:
    """What a batch is to reach: the most quality in a budget, or a mean quality at least cost."""

    budget_usd: float | None = None
    min_quality: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant. Raises InputError."""
        if (self.budget_usd is None) == (self.min_quality is None):
            raise InputError("schedule: give either budget_usd or min_quality, one of them")
        if self.budget_usd is not None and not 0 < self.budget_usd < math.inf:
            raise InputError(f"schedule: budget_usd must be more than 0, not {self.budget_usd}")
        if self.min_quality is not None and not 0 <= self.min_quality <= 1:
            raise InputError(f"schedule: min_quality must be within 0…1, not {self.min_quality}")


class Batch:
    """A batch on its way. Not for two threads at once: its driver takes turns."""

    def __init__(self, parts: Parts, jobs: Sequence[Job], aim: BatchAim) -> None:
        """Plans at once. Raises InputError where the aim is out of reach."""
        self._parts = parts
        self.jobs = tuple(jobs)
        self.aim = aim
        self.names = tuple(parts.candidates)
        self.spent_usd = sum(job.answer.cost_usd or 0.0 for job in jobs if job.answer is not None)
        self.replans = 0
        self._since = 0
        self._queue: deque[Job] = deque()
        self._waiting_usd = 0.0
        self._running: list[Job] = []
        self._bills = {name: [0.0, 0.0] for name in self.names}  # real and expected USD
        self.plan = self._plan(strict=True)

    @property
    def open(self) -> list[Job]:
        """Jobs of which something may still come, and that do not run now."""
        return [job for job in self.jobs if not job.settled and job not in self._running]

    @property
    def held_usd(self) -> float:
        """What the calls that run now may cost at most."""
        return sum(job.held_usd for job in self._running)

    @property
    def finished(self) -> bool:
        """Whether every query has its answer or its error."""
        return not self._running and all(job.settled for job in self.jobs)

    def _plan(self, *, strict: bool = False) -> Plan | None:
        """Assign all open jobs with what is left; without `strict` the cheapest way if it must."""
        jobs = self.open
        calls = [job for job in jobs if job.hit is None]
        self._queue = deque([*(job for job in jobs if job.hit is not None), *calls])
        for job in jobs:
            job.least_usd = self._least_usd(job)
        self._waiting_usd = sum(job.least_usd for job in jobs)
        self._since, plan = 0, None
        if not calls:
            return None
        quality, cost = self._arrays(calls)
        if strict:
            self._check(calls, quality, float(np.nanmin(cost, axis=1).sum()))
        try:
            plan = assign(
                quality, cost, budget_usd=self._left_usd(), min_quality=self._lacking(calls)
            )
        except InputError:
            if strict:
                raise
            columns = np.nanargmin(cost, axis=1)
        else:
            columns = plan.columns
        for job, column in zip(calls, columns.tolist(), strict=True):
            job.column = int(column)
        return plan

    def _check(self, calls: Sequence[Job], quality: Floats, least_usd: float) -> None:
        """Raises InputError, with what can be had, where the aim is out of reach."""
        total = sum(len(job.places) for job in self.jobs)
        left_usd, lacking = self._left_usd(), self._lacking(calls)
        if left_usd is not None and least_usd > left_usd * (1.0 + 1e-9):
            raise InputError(
                f"schedule: a budget of {self.aim.budget_usd} USD is too low: {self.spent_usd:.4g} "
                f"are spent, and the cheapest way for the rest is to cost {least_usd:.4g} USD"
            )
        most = float(np.nanmax(quality, axis=1).sum())
        if lacking is not None and lacking > most * (1.0 + 1e-9):
            can = (self.aim.min_quality or 0.0) - (lacking - most) / total
            raise InputError(
                f"schedule: a mean quality of {self.aim.min_quality} cannot be reached: the "
                f"highest that is expected of these {total} queries is {can:.4g}"
            )

    def _arrays(self, jobs: Sequence[Job]) -> tuple[Floats, Floats]:
        shape = (len(jobs), len(self.names))
        quality, cost = np.full(shape, np.nan), np.full(shape, np.nan)
        places = {name: at for at, name in enumerate(self.names)}
        for row, job in enumerate(jobs):
            for one in job.estimates:
                if one.candidate not in job.failed:
                    at = places[one.candidate]
                    quality[row, at] = one.quality * len(job.places)
                    cost[row, at] = one.cost_usd * self._ratio(one.candidate)
        return quality, cost

    def _ratio(self, name: str) -> float:
        """How much dearer than expected this candidate's calls in this batch are so far."""
        real, expected = self._bills[name]
        known = sum(bill[1] for bill in self._bills.values()) or 1.0
        prior = known / (10.0 * len(self.names))
        return (real + prior) / (expected + prior)

    def _least_usd(self, job: Job) -> float:
        """What this job costs with the cheapest who is left."""
        costs = [
            one.cost_usd * self._ratio(one.candidate)
            for one in job.estimates
            if one.candidate not in job.failed
        ]
        return min(costs, default=0.0) if job.hit is None else 0.0

    def _left_usd(self) -> float | None:
        """What is left for the jobs that do not run yet; None without a budget."""
        if self.aim.budget_usd is None:
            return None
        running = sum(job.running.cost_usd for job in self._running if job.running is not None)
        return max(self.aim.budget_usd - self.spent_usd - running, 1e-12)

    def _lacking(self, calls: Sequence[Job]) -> float | None:
        """The sum of quality that these must still bring; None without a target."""
        if self.aim.min_quality is None:
            return None
        total = sum(len(job.places) for job in self.jobs)
        calling = {id(job) for job in calls}
        others = sum(_expected(job) for job in self.jobs if id(job) not in calling)
        return self.aim.min_quality * total - others

    def take(self) -> Planned | None:
        """The next call to make; None: wait for one that runs, or there is none left."""
        if self._since * RENEWALS >= max(len(self.jobs), RENEWALS):
            self._renew()
        while self._queue:
            job = self._queue.popleft()
            self._waiting_usd -= job.least_usd
            if job.hit is not None:
                self._serve(job)
                continue
            one = self._chosen(job)
            if one is not None:
                job.held_usd = one.cost_high_usd * max(1.0, self._ratio(one.candidate))
                job.running = one
                self._running.append(job)
                return self._planned(job, one)
            if self._running:
                self._queue.appendleft(job)
                self._waiting_usd += job.least_usd
                return None
            job.error = BudgetExhausted(
                f"what is left of the budget, {self._room_usd():.3g} USD, pays nobody for query "
                f"{job.query.id!r}"
            )
        return None

    def done(self, decision_id: str, came: Answer | SLSError) -> None:
        """What came of a call that `take` gave."""
        job = next(job for job in self._running if _id_of(job) == decision_id)
        self._running.remove(job)
        name, job.held_usd = self.names[job.column], 0.0
        self._since += 1
        if isinstance(came, Answer):
            job.answer = came
            self.spent_usd += came.cost_usd or 0.0
            self._bills[name][0] += came.cost_usd or 0.0
            self._bills[name][1] += job.running.cost_usd if job.running is not None else 0.0
            return
        job.attempt += 1
        job.failed[name] = came
        if all(one.candidate in job.failed for one in job.estimates):
            job.error = NoCandidateLeft(job.query.id, {**dict(job.ineligible), **job.failed})
            return
        self._renew()

    def _serve(self, job: Job) -> None:
        """Serve a stored answer, unless it was taken out of the cache since it was planned."""
        job.look_up(self._parts)
        if job.hit is not None:
            self._parts.log.add_hit(job.hit, job.query, job.vector)
            with self._parts.lock:
                self._parts.scheduler.skip(job.query)
            job.answer = job.hit.answer
        elif job.estimates:
            self._renew()
        else:
            job.error = NoCandidateLeft(job.query.id, dict(job.ineligible))

    def _renew(self) -> None:
        self.replans += 1
        self._plan()

    def _room_usd(self) -> float:
        if self.aim.budget_usd is None:
            return math.inf
        return self.aim.budget_usd - self.spent_usd - self.held_usd

    def _chosen(self, job: Job) -> Estimate | None:
        """Who is assigned, if there is room for the most that it may cost; None to wait for some.

        Room is what is left when every job that waits gets its cheapest. When nothing runs that may
        cost less than was held for it, it is the best who can be paid, at last the cheapest.
        """
        room = self._room_usd() - self._waiting_usd
        open_ones = [one for one in job.estimates if one.candidate not in job.failed]
        assigned = [one for one in open_ones if one.candidate == self.names[job.column]]
        others = [] if self._running else sorted(open_ones, key=lambda one: -one.quality)
        for one in (*assigned, *others):
            if one.cost_high_usd * max(1.0, self._ratio(one.candidate)) <= room:
                return one
        if self._running or not open_ones:
            return None
        least = min(open_ones, key=lambda one: one.cost_usd)
        return least if least.cost_high_usd <= self._room_usd() else None

    def _planned(self, job: Job, one: Estimate) -> Planned:
        job.column = self.names.index(one.candidate)
        decision_id = _id_of(job)
        aim = self.aim
        sought = (
            f"a budget of {aim.budget_usd:.6g} USD"
            if aim.budget_usd is not None
            else f"a mean quality of {aim.min_quality}"
        )
        decision = Decision(
            id=decision_id,
            query_id=job.query.id,
            candidate=one.candidate,
            ranking=(one.candidate,),
            estimates=job.estimates,
            propensity=1.0,
            price=0.0,
            seed=self._parts.seed_of(decision_id),
            why=f"assigned within a batch of {len(self.jobs)} calls for {sought}",
            created_s=self._parts.clock(),
            task=job.query.task,
            ineligible=job.ineligible,
        )
        made = Planned(decision=decision, query=job.query, vector=job.vector, miss=job.miss)
        self._parts.log.add_decision(
            decision, job.query, job.vector, made.nearest, job.miss.evidence
        )
        return made


def _id_of(job: Job) -> str:
    return f"{job.name}/{job.attempt}"


def _expected(job: Job) -> float:
    """Quality that counts as reached, over all queries of a job."""
    if job.error is not None:
        return 0.0
    one = job.answer.estimate if job.answer is not None else None
    if one is None and job.held_usd:
        one = job.running
    if one is not None:
        return one.quality * len(job.places)
    quality = job.hit.p_right if job.hit is not None else float(job.answer is not None)
    return quality * len(job.places)
