"""The update manager: reads what others wrote, joins what waited, answers alarms, learns anew."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sls_plugins.protocols import Clock, OutcomeLog
from sls_plugins.types import Candidate, Event, Feedback, Outcome, OutcomeKind, Source, State
from sls_plugins.updater.learning import Learner
from sls_plugins.updater.refit import Refit, Refitter
from sls_plugins.updater.stores import EventStore, FeedbackStore, Forgets, Retention
from sls_plugins.updater.watch import Alarm

__all__ = ["Manager", "MeanQuality", "Policy", "Reactions", "Upkeep", "joined_line"]

FORGOTTEN = 0.98
"""Share of a candidate's grades that is forgotten when its quality has moved."""

PROBED = 0.3
"""Share that is forgotten again and again after a fall, so that it is tried from time to time."""

PROBE_EVERY = 80
"""Graded answers of any candidate between two such moments."""

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


class Reactions:
    """A learner that answers alarms: the candidate's grades are forgotten, an event is written.

    Everything follows from the log alone, so every process that reads it does the same.
    """

    def __init__(self, predictor: object, scheduler: object, note: Callable[[Event], None]) -> None:
        """Both forget, as far as they can; `note` writes an event, and tells observers."""
        self._predictor = predictor
        self._scheduler = scheduler
        self._note = note
        self._fallen: dict[str, int] = {}  # graded answers since
        self.since: dict[str, int] = {}  # the line at which a candidate changed
        self.alarmed = False

    def alarm(self, alarm: Alarm) -> None:
        """Forget faster; after a fall, keep on doubting so that the candidate is probed."""
        self.alarmed = True
        if alarm.measure == "quality":
            self._forget(alarm.candidate, FORGOTTEN)
            self._try(alarm.candidate)
            self.since[alarm.candidate] = alarm.seq
            self._fallen.pop(alarm.candidate, None)
            if alarm.worse:
                self._fallen[alarm.candidate] = 0
        self._note(event_of(alarm))

    def learn_one(self, outcome: Outcome) -> None:
        """Count on: a fallen candidate is doubted anew from time to time."""
        if outcome.quality is None:
            return
        for candidate in self._fallen:
            self._fallen[candidate] += 1
            if self._fallen[candidate] % PROBE_EVERY == 0:
                self._forget(candidate, PROBED)
                self._try(candidate)

    def reprice(self, candidate: str, seq: int, text: str) -> None:
        """Prices were changed: what was too dear before is worth another try."""
        self._forget(candidate, PROBED)
        self._try(candidate)
        self._note(
            Event(id=f"price/{seq}/{candidate}", kind="price", candidate=candidate, text=text)
        )

    def _forget(self, candidate: str, share: float) -> None:
        if isinstance(self._predictor, Forgets):
            self._predictor.forget(candidate, share)

    def _try(self, candidate: str) -> None:
        if isinstance(self._scheduler, Forgets):
            self._scheduler.forget(candidate, FORGOTTEN)

    def save(self) -> State:
        """Who has fallen, and since when."""
        return {
            "names": np.array(list(self.since), dtype=np.str_),
            "since": np.array(list(self.since.values()), dtype=np.int64),
            "fallen": np.array([self._fallen.get(name, -1) for name in self.since], dtype=np.int64),
        }

    def load(self, state: State) -> None:
        """Restore what `save` gave."""
        names = [str(name) for name in state["names"]]
        self.since = dict(zip(names, np.array(state["since"]).tolist(), strict=True))
        fallen = zip(names, np.array(state["fallen"]).tolist(), strict=True)
        self._fallen = {name: int(count) for name, count in fallen if count >= 0}


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


def event_of(alarm: Alarm) -> Event:
    """The event of an alarm, the same in every process."""
    way = "fell" if alarm.direction < 0 else "rose"
    where = f" in task {alarm.task!r}" if alarm.task else ""
    return Event(
        id=f"drift/{alarm.seq}/{alarm.candidate}/{alarm.task}/{alarm.measure}",
        kind="drift",
        candidate=alarm.candidate,
        task=alarm.task,
        text=f"{alarm.measure} of {alarm.candidate!r}{where} {way} against what is expected",
        facts={
            "measure": alarm.measure,
            "direction": alarm.direction,
            "normal": alarm.normal,
            "recent": alarm.recent,
            "seq": alarm.seq,
        },
    )


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
