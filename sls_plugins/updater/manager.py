"""The update manager: reads what others wrote, joins what waited, answers alarms, learns anew."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sls_plugins.protocols import Clock, OutcomeLog
from sls_plugins.types import Candidate, Event, Feedback, Outcome, OutcomeKind, Source
from sls_plugins.updater.learning import Learner
from sls_plugins.updater.reactions import Reactions
from sls_plugins.updater.refit import Refit, Refitter
from sls_plugins.updater.stores import EventStore, FeedbackStore, Retention

__all__ = ["Manager", "MeanQuality", "Policy", "Upkeep", "joined_line"]

MARGIN = 100
"""Lines before an alarm that tell of the candidate as it is now."""

JOINED = 500
HURRY = 10_000
"""Lines behind at which the background no longer rests."""

SLICE_S = 0.002
SWEEP_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When the manager acts: lines between refits (0: never), how long rows are kept.

    `busy` (0…1) is the share of its time that the background may compute.
    """

    refit_every: int = 0
    refit_window: int = 4000
    keep_s: float | None = None
    busy: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What the manager works with; `observe` lets cache and learners read an appended line."""

    log: OutcomeLog
    opinions: FeedbackStore
    events: EventStore
    learner: Learner
    reactions: Reactions
    refitter: Refitter
    candidates: Mapping[str, Candidate]
    observe: Callable[[Outcome], None]
    corrected: Callable[[Outcome], Outcome]
    note: Callable[[Event], None]
    retention: Retention
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanQuality:
    """Mean quality of called answers: what was expected of all, corrected where some were graded.

    Grades of crowds are read as `Sources` reads them, so that neither wrong labels nor a habit of
    complaining moves the mean.
    """

    mean: float
    answers: int
    grades: int


class Manager:
    """What is done beside requests: by hand (`round`), or again and again in the background."""

    def __init__(self, upkeep: Upkeep, policy: Policy) -> None:
        """Nothing is done before the first round."""
        self._upkeep = upkeep
        self._policy = policy
        self._refitted_seq = upkeep.learner.seq
        self._swept_s = -math.inf
        self._worked_s = time.perf_counter()

    def round(self) -> None:
        """Read what others wrote, join what waited, learn anew if it is due, let go of the old.

        Raises StorageError; what was done until then stands.
        """
        learner = self._upkeep.learner
        behind = self._upkeep.log.last_seq() - learner.seq
        learner.catch_up(None if behind > HURRY else self.rest)
        self.join()
        if self._refit_due():
            self.refit("drift" if self._upkeep.reactions.alarmed else "so many lines")
        now_s = self._upkeep.clock()
        if now_s - self._swept_s >= SWEEP_S:
            self._swept_s = now_s
            self.sweep(now_s)

    def reprice(self, before: Candidate, after: Candidate, factor: float) -> None:
        """A candidate's prices were changed, by this factor, while the engine runs."""
        self._upkeep.reactions.reprice(before, after, factor, self._upkeep.learner.seq)

    def events(self, limit: int) -> Sequence[Event]:
        """The newest events, newest first."""
        return self._upkeep.events.newest(limit)

    def quality(self) -> MeanQuality:
        """How good the called answers were, from the whole log; see `MeanQuality`."""
        expected, errors, weights, seq = [0.0, 0.0], 0.0, 0.0, 0
        grades = 0
        while lines := self._upkeep.log.after(seq, JOINED):
            seq = lines[-1].seq
            for line in lines:
                if line.source is Source.CACHE or line.estimate is None:
                    continue
                if line.kind is OutcomeKind.ANSWERED:
                    expected = [expected[0] + line.estimate.quality, expected[1] + 1.0]
                if line.quality is not None:
                    read = self._upkeep.corrected(line)
                    errors += read.weight * ((read.quality or 0.0) - line.estimate.quality)
                    weights += read.weight
                    grades += 1
        mean = expected[0] / max(expected[1], 1.0) + errors / max(weights, 1e-9)
        return MeanQuality(mean=mean, answers=int(expected[1]), grades=grades)

    def join(self) -> int:
        """Append the opinions that waited for a decision which is known by now."""
        joined = 0
        for told in self._upkeep.opinions.ready(JOINED):
            known = self._upkeep.log.find(told.decision_id)
            line = joined_line(known, told, self._upkeep.clock())
            logged = self._upkeep.opinions.append(line, told)
            if logged is not None:
                self._upkeep.observe(logged)
                joined += 1
        return joined

    def refit(self, reason: str) -> Refit:
        """Learn anew from the log's end; the outcome and its reason are an event."""
        upkeep = self._upkeep
        with upkeep.learner.turn:
            upto = upkeep.learner.seq
            done = upkeep.refitter.run(
                upto,
                tuple(upkeep.candidates.values()),
                window=self._policy.refit_window,
                stale=self._is_stale,
                rest=self.rest,
            )
            self._refitted_seq, upkeep.reactions.alarmed = upto, False
        upkeep.note(
            Event(
                id=f"refit/{upto}/{os.getpid()}",
                kind="refit" if done.swapped else "kept",
                text=f"refit ({reason}): {done.why}",
                facts={"lines": done.lines, "grades": done.grades, "gain": done.gain},
            )
        )
        return done

    def sweep(self, now_s: float) -> int:
        """Delete lines that are older than is kept and that a snapshot has learnt."""
        keep_s = self._policy.keep_s
        if keep_s is None:
            return 0
        saved_seq = self._upkeep.learner.keeper.saved_seq()
        return self._upkeep.retention.drop_before(now_s - keep_s, saved_seq)

    def rest(self) -> None:
        """Leave the processor to requests for as long as was worked."""
        worked_s = time.perf_counter() - self._worked_s
        if worked_s >= SLICE_S:
            time.sleep(worked_s * (1.0 - self._policy.busy) / self._policy.busy)
            self._worked_s = time.perf_counter()

    def _refit_due(self) -> bool:
        every, seq = self._policy.refit_every, self._upkeep.learner.seq
        if every <= 0:
            return False
        return self._upkeep.reactions.alarmed or seq - self._refitted_seq >= every

    def _is_stale(self, outcome: Outcome) -> bool:
        """Was this said of a candidate as it is no more?"""
        return outcome.seq < self._upkeep.reactions.since.get(outcome.candidate, 0) - MARGIN


def joined_line(known: Outcome, told: Feedback, now_s: float) -> Outcome:
    """The line of the log that an opinion about a known decision becomes."""
    return replace(
        known,
        kind=OutcomeKind.GRADED,
        seq=0,
        quality=told.quality,
        quality_source=told.source,
        weight=told.weight,
        usage=None,
        cost_usd=None,
        latency_s=None,
        created_s=now_s,
    )
