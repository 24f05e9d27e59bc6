"""`sls replay`: streams a trace through a new engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sls_plugins.assembly import build
from sls_plugins.cli.arguments import ReplayArguments
from sls_plugins.cli.work.reporting import check_outputs, write_outputs
from sls_plugins.cli.work.screen import Advance, progress, show_report
from sls_plugins.errors import InputError
from sls_plugins.evaluation.baselines import compare, table_of
from sls_plugins.evaluation.candidates import find_candidates
from sls_plugins.evaluation.figures import figures_of
from sls_plugins.evaluation.files import write_decisions
from sls_plugins.evaluation.gains import gains_of
from sls_plugins.evaluation.neighbours import knn_policy
from sls_plugins.evaluation.receipts import Receipts
from sls_plugins.evaluation.replay import ReplayOptions, in_order, replay
from sls_plugins.evaluation.results import Decided, JsonValue, ReplayResult, Report
from sls_plugins.evaluation.summary import Setup, replay_report
from sls_plugins.evaluation.traces import RoutingRow, load_routing
from sls_plugins.evaluation.world import Ids, VirtualClock
from sls_plugins.protocols import Encoder
from sls_plugins.settings import Budget, CacheSettings, PartSettings, Settings
from sls_plugins.types import Candidate, Matrix, Source

__all__ = ["ReplayRun", "options_of", "run", "run_replay", "settings_of"]


BATCH = 64
"""Texts that are embedded at once for the rival kNN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRun:
    """A finished replay: the rows as decided, and the report."""

    result: ReplayResult
    report: Report


def run(arguments: ReplayArguments) -> None:
    """Replay, show the figures, write the files. Raises SLSError."""
    check_outputs((arguments.decisions, arguments.json), arguments.html)
    rows = load_routing(arguments.trace, arguments.limit)
    done = run_replay(arguments, rows)
    if arguments.decisions is not None:
        write_decisions(arguments.decisions, done.result.decided)
    write_outputs(done.report, arguments.json, arguments.html)
    show_report(done.report)


def run_replay(arguments: ReplayArguments, rows: Sequence[RoutingRow]) -> ReplayRun:
    """The replay itself, beside its rivals."""
    candidates = find_candidates(arguments.trace, rows[0].outcomes, arguments.candidates)
    options = ReplayOptions(
        feedback_rate=arguments.feedback_rate,
        feedback_delay=arguments.feedback_delay,
        warm_split=arguments.warm_split,
        seed=arguments.seed,
    )
    ordered = tuple(in_order(rows, options.warm_split))
    if all(warm for _, warm in ordered):
        raise InputError(f"every row has the split {options.warm_split!r}: no figure is left")
    clock, ids, receipts = VirtualClock(), Ids(), Receipts()
    settings = settings_of(arguments, candidates)
    with build(settings, clock=clock, ids=ids, plugins=[receipts]) as engine:
        ids.run = f"r{engine.parts.log.last_seq()}"
        with progress("replay", len(rows)) as advance:
            watch = _Watch(clock, advance)
            result = replay(rows, engine, receipts, options, watch)
        setup = Setup(
            trace=arguments.trace.name,
            encoder=engine.parts.encoder.fingerprint,
            seed=arguments.seed,
            candidates=tuple(candidate.name for candidate in candidates),
            options=options_of(arguments),
        )
        usd = figures_of(result.counted).usd_per_query
        outcomes = table_of([row for row, _ in ordered], candidates, engine.count_tokens)
        warm = sum(is_warm for _, is_warm in ordered)
        rivals = compare(outcomes.after(warm), usd)
        if arguments.knn:
            vectors = _vectors([row.prompt for row, _ in ordered], engine.parts.encoder)
            rivals = replace(rivals, knn=knn_policy(outcomes, vectors, usd, warm=warm))
    gains = gains_of(result.counted, outcomes.after(warm), usd)
    return ReplayRun(result=result, report=replay_report(result, rivals, setup, gains))


def _vectors(texts: Sequence[str], encoder: Encoder) -> Matrix:
    """Embeddings of all texts, shape (n, d); every distinct one is computed once."""
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    distinct, parts = list(places), []
    with progress("kNN", len(distinct)) as advance:
        for start in range(0, len(distinct), BATCH):
            parts.append(encoder.encode(distinct[start : start + BATCH]))
            advance(start)
    matrix: Matrix = np.concatenate(parts)[[places[text] for text in texts]]
    return matrix


class _Watch:
    """Told every decided row: lets the virtual clock tick, moves the bar."""

    def __init__(self, clock: VirtualClock, advance: Advance) -> None:
        self._clock = clock
        self._advance = advance
        self._done = 0
        self._hits = 0
        self._usd = 0.0

    def __call__(self, row: Decided) -> None:
        """One more row."""
        self._clock.tick()
        self._done += 1
        self._hits += row.source is Source.CACHE
        self._usd += row.cost_usd
        if self._done % 20 == 0:
            note = f"${self._usd:.4f}, {self._hits / self._done:.0%} from cache"
            self._advance(self._done, note)


def settings_of(arguments: ReplayArguments, candidates: tuple[Candidate, ...]) -> Settings:
    """The engine's settings. Raises SettingsError, for two aims at once too."""
    database = arguments.database
    if database is not None and "://" not in database:
        database = f"sqlite:///{database}"
    return Settings(
        candidates=candidates,
        budget=Budget(
            usd_per_query=arguments.budget_usd_per_query,
            target_quality=arguments.target_quality,
            price=arguments.price,
        ),
        cache=CacheSettings(enabled=arguments.cache, max_error=arguments.max_error),
        encoder=PartSettings(name=arguments.encoder),
        embeddings=arguments.embeddings,
        index=PartSettings(name="memory"),
        database=database,
        seed=arguments.seed,
    )


def options_of(arguments: ReplayArguments) -> dict[str, JsonValue]:
    """The options that shape a run, as the facts tell them."""
    return {
        "budget_usd_per_query": arguments.budget_usd_per_query,
        "target_quality": arguments.target_quality,
        "price": arguments.price,
        "feedback_rate": arguments.feedback_rate,
        "feedback_delay": arguments.feedback_delay,
        "cache": arguments.cache,
        "max_error": arguments.max_error,
        "warm_split": arguments.warm_split,
        "encoder": arguments.encoder,
        "seed": arguments.seed,
        "database": arguments.database is not None,
        "limit": arguments.limit,
        "knn": arguments.knn,
    }
