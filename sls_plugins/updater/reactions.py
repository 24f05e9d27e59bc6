"""Answers alarms: forgets, quarantines, probes, reinstates, and writes an event of each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sls_plugins.types import Candidate, Event, Outcome, State
from sls_plugins.updater.quarantine import WARD, Ward
from sls_plugins.updater.stores import Forgets, Quarantines, Recalls, Reprices
from sls_plugins.updater.watch import Alarm

__all__ = ["Reactions", "event_of", "prices_of"]

FORGOTTEN = 0.98
"""Share of a candidate's grades that is forgotten when its quality has moved."""

PROBED = 0.3
"""Share that is forgotten again and again after a fall in one task, so that it is tried there."""

PROBE_EVERY = 80
"""Graded answers of any candidate between two such moments."""


class Reactions:
    """A learner that answers alarms: the candidate's grades are forgotten, an event is written.

    Whose quality fell in all is in quarantine: it gets a few probes until they show that it has
    recovered (then it is known again as it was), or that it is better than the others even so.
    Everything follows from the log alone, so every process that reads it does the same.
    """

    def __init__(self, predictor: object, scheduler: object, note: Callable[[Event], None]) -> None:
        """Both forget, as far as they can; `note` writes an event, and tells observers."""
        self._predictor = predictor
        self._scheduler = scheduler
        self._note = note
        self._fallen: dict[str, int] = {}  # graded answers since
        self._wards: dict[str, Ward] = {}
        self.since: dict[str, int] = {}  # the line at which a candidate changed
        self.alarmed = False
        self.restart: Callable[[str], None] | None = None
        """What was normal of a candidate no longer is: to be told to whoever watches."""

    def steady(self, outcome: Outcome) -> float | None:
        """The quality that the long run let expect of an answer; None if nobody knows."""
        return self._predictor.steady(outcome) if isinstance(self._predictor, Recalls) else None

    def alarm(self, alarm: Alarm) -> None:
        """Forget faster; after a fall, keep on doubting so that the candidate is probed.

        That one in quarantine is still not what it was is no news.
        """
        if alarm.measure == "quality" and alarm.candidate in self._wards:
            return
        self.alarmed = True
        self._note(event_of(alarm))
        if alarm.measure != "quality":
            return
        self.since[alarm.candidate] = alarm.seq
        self._fallen.pop(alarm.candidate, None)
        if alarm.worse and not alarm.task and isinstance(self._scheduler, Quarantines):
            self._quarantine(self._scheduler, alarm)
        elif alarm.worse:
            self._fallen[alarm.candidate] = 0
        self._forget(alarm.candidate, FORGOTTEN)
        self._try(alarm.candidate)

    def learn_one(self, outcome: Outcome) -> None:
        """Count on: probes are judged, and a candidate that fell in a task is doubted anew."""
        if outcome.quality is None:
            return
        for candidate in self._fallen:
            self._fallen[candidate] += 1
            if self._fallen[candidate] % PROBE_EVERY == 0:
                self._forget(candidate, PROBED)
                self._try(candidate)
        for candidate, ward in tuple(self._wards.items()):
            if candidate == outcome.candidate:
                self._probed(ward, outcome, outcome.quality)
            else:
                ward.other(outcome.quality)

    def reprice(self, before: Candidate, after: Candidate, factor: float, seq: int) -> None:
        """Prices were changed, by this factor: who was too dear before is worth another try."""
        name = after.name
        self._forget(name, PROBED)
        if isinstance(self._scheduler, Reprices):
            self._scheduler.reprice(name, factor)
        old, new = (list(prices_of(one)) for one in (before, after))
        text = f"prices of {name!r} changed from {old} to {new} (in, out, fee)"
        self._tell("price", name, seq, text)

    def _quarantine(self, scheduler: Quarantines, alarm: Alarm) -> None:
        """Leave it alone but for probes; what was known of it is set aside."""
        ward = self._wards[alarm.candidate] = Ward.after(alarm.normal, alarm.recent)
        if isinstance(self._predictor, Recalls):
            self._predictor.set_aside(alarm.candidate)
        scheduler.quarantine(alarm.candidate, ward.share)
        text = f"{alarm.candidate!r} gets {ward.share:.0%} of the queries, to see if it recovers"
        self._tell("quarantined", alarm.candidate, alarm.seq, text)

    def _probed(self, ward: Ward, outcome: Outcome, quality: float) -> None:
        """A candidate in quarantine was graded: it may be reinstated."""
        name, expected = outcome.candidate, self.steady(outcome)
        if expected is None:
            expected = outcome.estimate.quality if outcome.estimate is not None else quality
        ward.probe(quality, expected)
        if not (ward.recovered or ward.leading):
            if isinstance(self._scheduler, Quarantines):
                self._scheduler.quarantine(name, ward.share)
            return
        del self._wards[name]
        if isinstance(self._predictor, Recalls):
            self._predictor.put_back(name, recall=ward.hopeful)
        if isinstance(self._scheduler, Quarantines):
            self._scheduler.quarantine(name, 0.0)
        if ward.hopeful:
            self._try(name)
        if self.restart is not None:
            self.restart(name)
        how = "is as it was before" if ward.recovered else "is better than the others even so"
        text = f"{name!r} {how}, by {ward.probes[0]:.0f} probes"
        self._tell("reinstated", name, outcome.seq, text)

    def _tell(self, kind: str, candidate: str, seq: int, text: str) -> None:
        self._note(Event(id=f"{kind}/{seq}/{candidate}", kind=kind, candidate=candidate, text=text))

    def _forget(self, candidate: str, share: float) -> None:
        if isinstance(self._predictor, Forgets):
            self._predictor.forget(candidate, share)

    def _try(self, candidate: str) -> None:
        if isinstance(self._scheduler, Forgets):
            self._scheduler.forget(candidate, FORGOTTEN)

    def save(self) -> State:
        """Who has fallen, and since when; who is in quarantine."""
        wards = {
            "ward_names": np.array(list(self._wards), dtype=np.str_),
            "wards": np.array([one.flat() for one in self._wards.values()]).reshape(-1, WARD),
        }
        return {
            "names": np.array(list(self.since), dtype=np.str_),
            "since": np.array(list(self.since.values()), dtype=np.int64),
            "fallen": np.array([self._fallen.get(name, -1) for name in self.since], dtype=np.int64),
            **(wards if self._wards else {}),
        }

    def load(self, state: State) -> None:
        """Restore what `save` gave."""
        names = [str(name) for name in state["names"]]
        self.since = dict(zip(names, np.array(state["since"]).tolist(), strict=True))
        fallen = zip(names, np.array(state["fallen"]).tolist(), strict=True)
        self._fallen = {name: int(count) for name, count in fallen if count >= 0}
        self._wards = {}
        if "wards" in state:
            rows = np.asarray(state["wards"], dtype=np.float64).tolist()
            wards = zip(state["ward_names"], rows, strict=True)
            self._wards = {str(name): Ward.of(row) for name, row in wards}


def prices_of(one: Candidate) -> tuple[float | None, float | None, float]:
    """Its list prices: USD per million tokens in and out, and per query."""
    return one.input_usd_per_mtok, one.output_usd_per_mtok, one.usd_per_query


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
