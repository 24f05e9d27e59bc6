"""Wires the update manager: what learns, in which order, and what is done beside requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import RLock

from sls_plugins.errors import StorageError
from sls_plugins.plugins import Plugins
from sls_plugins.predictor.prior import price_factor
from sls_plugins.protocols import Cache, Clock, Learns, Predictor, Scheduler
from sls_plugins.settings import LearningSettings
from sls_plugins.storage import Stores
from sls_plugins.types import Candidate, Event, Outcome
from sls_plugins.updater import (
    Background,
    DriftWatch,
    Keeper,
    Learner,
    Manager,
    Policy,
    Reactions,
    Refitter,
    Sources,
    Upkeep,
    Weighed,
    prices_of,
)

__all__ = ["Learning", "Updates"]

DAY_S = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """Who learns."""

    predictor: Predictor
    scheduler: Scheduler
    cache: Cache | None
    witnesses: Learns | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Updates:
    """What the update manager of one engine is made from."""

    stores: Stores
    plugins: Plugins
    settings: LearningSettings
    fingerprint: str
    clock: Clock
    lock: RLock

    def made(
        self,
        learning: Learning,
        fresh: Callable[[], Predictor],
        candidates: Mapping[str, Candidate],
    ) -> tuple[Learner, Manager]:
        """The learner, with what was learnt before, and the manager. Raises StorageError."""
        sources = Sources(self.settings.sources)
        reactions = Reactions(learning.predictor, learning.scheduler, self._note)
        watch = DriftWatch(reactions.alarm, self.settings.per_alarm, reactions.steady)
        reactions.restart = watch.restart
        learners: dict[str, Learns] = {  # in this order: alarms come before the line is learnt
            "sources": sources,
            "drift": watch,
            "reactions": reactions,
            "predictor": Weighed(learning.predictor, sources.corrected),
            "scheduler": Weighed(learning.scheduler, sources.corrected),
        }
        cache = learning.cache
        if learning.witnesses is not None:
            learners["witnesses"] = Weighed(learning.witnesses, sources.testimony)
        learner = self._restored(learners | ({"cache": cache} if cache else {}))
        self._compare_prices(tuple(candidates.values()), reactions, learner.seq)

        def observe(outcome: Outcome) -> None:
            if cache is not None:
                cache.observe(outcome)
            learner.observe(outcome)

        upkeep = Upkeep(
            log=self.stores.log,
            opinions=self.stores.feedback,
            events=self.stores.events,
            learner=learner,
            reactions=reactions,
            refitter=Refitter(
                learning.predictor, fresh, self.stores.log, self.lock, sources.corrected
            ),
            candidates=candidates,
            observe=observe,
            corrected=sources.corrected,
            note=self._note,
            retention=self.stores.retention,
            clock=self.clock,
        )
        return learner, Manager(upkeep, self._policy())

    def _compare_prices(
        self, candidates: Sequence[Candidate], reactions: Reactions, seq: int
    ) -> None:
        """Notice new prices and retired candidates since an engine last used this database."""
        known = {one.name: one for one in candidates}
        prices = {one.name: [*prices_of(one)] for one in candidates}
        try:
            kept = self.stores.database.exchange("candidates", json.dumps(prices, sort_keys=True))
        except StorageError:  # a database that cannot be written: nothing is noticed
            return
        before = json.loads(kept) if kept else {}
        for name, old in before.items():
            if name not in prices:
                text = f"{name!r} is no longer offered; what was learnt of it is kept"
                kind = Event(id=f"retired/{seq}/{name}", kind="retired", candidate=name, text=text)
                self._note(kind)
            elif prices[name] != old:
                then = _at_prices(known[name], *old)
                reactions.reprice(then, known[name], price_factor(then, known[name]), seq)

    def _restored(self, learners: Mapping[str, Learns]) -> Learner:
        """The learner of these, with what was learnt before."""
        learner = Learner(
            learners,
            log=self.stores.log,
            keeper=Keeper(
                snapshots=self.stores.snapshots, fingerprint=self.fingerprint, clock=self.clock
            ),
            lock=self.lock,
            learned=self.plugins.learned,
        )
        learner.restore()
        return learner

    def background(self, manager: Manager, learner: Learner) -> Background | None:
        """The thread, where a database outlives this process and others may write to it."""
        if self.settings.every_s <= 0 or self.stores.database.in_memory:
            return None
        background = Background(manager, self.settings.every_s)
        learner.wake_by(background.wake)
        return background

    def _policy(self) -> Policy:
        settings = self.settings
        return Policy(
            refit_every=settings.refit_every,
            refit_window=settings.refit_window,
            keep_s=None if settings.keep_days is None else settings.keep_days * DAY_S,
            busy=settings.busy,
        )

    def _note(self, event: Event) -> None:
        """Write an event; tell observers of it unless another process has noticed it before."""
        dated = replace(event, created_s=self.clock())
        if self.stores.events.add(dated):
            self.plugins.event(dated)


def _at_prices(one: Candidate, input_usd: float, output_usd: float, fee_usd: float) -> Candidate:
    """A candidate as it was at these prices (per million tokens in and out, per query)."""
    return replace(
        one, input_usd_per_mtok=input_usd, output_usd_per_mtok=output_usd, usd_per_query=fee_usd
    )
