"""One replay of a trace as a study wants it, and figures over seeds with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.assembly import build
from sls_plugins.evaluation.metrics import mean_interval
from sls_plugins.evaluation.receipts import Receipts
from sls_plugins.evaluation.replay import ReplayOptions, replay
from sls_plugins.evaluation.results import Decided, ReplayResult
from sls_plugins.evaluation.rounds import World, settings_for
from sls_plugins.evaluation.study import StudySetup
from sls_plugins.evaluation.world import Ids, VirtualClock
from sls_plugins.settings import Budget, CacheSettings

__all__ = ["Trial", "over_seeds", "qualities", "trial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one replay aims at, in which world, with the cache or without."""

    budget: Budget
    options: ReplayOptions
    cache: bool = False


def trial(world: World, setup: StudySetup, how: Trial) -> ReplayResult:
    """One pass through the trace by a new engine that knows nothing."""
    clock, receipts = VirtualClock(), Receipts()
    settings = settings_for(setup, world.candidates, how.budget, how.options.seed)
    if how.cache:
        settings = settings.model_copy(update={"cache": CacheSettings()})
    with build(settings, clock=clock, ids=Ids(), plugins=[receipts]) as engine:
        return replay(world.rows, engine, receipts, how.options, lambda _row: clock.tick())


def qualities(rows: Sequence[Decided]) -> NDArray[np.float64]:
    """Real quality of each row."""
    return np.array([row.quality for row in rows], dtype=np.float64)


def over_seeds(values: Sequence[float] | NDArray[np.float64], digits: int = 4) -> str:
    """The mean over seeds, with its 95 % interval if there are several."""
    interval = mean_interval(values)
    if interval.low is None:
        return f"{interval.mean:.{digits}f}"
    return f"{interval.mean:.{digits}f} ± {interval.mean - interval.low:.{digits}f}"
