"""`sls bench`: what a decision takes, and with a trace, what it brings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import cast

from rich.table import Table

from sls_plugins.cli.arguments import BenchArguments, ReplayArguments
from sls_plugins.cli.work.replay import run_replay
from sls_plugins.cli.work.reporting import check_outputs
from sls_plugins.cli.work.screen import policies_table, progress, show
from sls_plugins.evaluation.baselines import singles, table_of
from sls_plugins.evaluation.candidates import find_candidates
from sls_plugins.evaluation.files import write_json
from sls_plugins.evaluation.lookups import measure_lookups
from sls_plugins.evaluation.overhead import Load, Timing, measure_overhead
from sls_plugins.evaluation.results import JsonValue
from sls_plugins.evaluation.summary import policy_facts
from sls_plugins.evaluation.traces import RoutingRow, load_routing
from sls_plugins.plugins import Plugins
from sls_plugins.protocols import Context, Encoder
from sls_plugins.tokens import TiktokenCounter

__all__ = ["run"]

SPENDS = (0.1, 0.25, 0.5, 0.9)
"""Budgets to try, as shares of the way (in log-cost) from the cheapest candidate to the dearest."""

WARM = "train"
"""Rows of this split are learnt from first, and count in no figure."""


def run(arguments: BenchArguments) -> None:
    """Time decisions; with a trace, replay it at several budgets. Raises SLSError."""
    check_outputs((arguments.json,), None)
    timings = _overhead(arguments)
    show(_timings_table(timings))
    facts: dict[str, JsonValue] = {
        "timings": [asdict(timing) for timing in timings],
        "encoder": arguments.encoder,
        "seed": arguments.seed,
    }
    if arguments.trace is not None:
        facts["trace"] = arguments.trace.name
        facts["budgets"] = _budgets(arguments.trace, arguments)
    if arguments.json is not None:
        write_json(arguments.json, facts)


def _overhead(arguments: BenchArguments) -> tuple[Timing, ...]:
    context = Context(clock=time.time)
    encoder = cast("Encoder", Plugins.load().make("encoder", arguments.encoder, context, {}))
    load = Load(
        entries=arguments.entries,
        candidates=arguments.candidates,
        queries=arguments.queries,
        seed=arguments.seed,
    )
    with progress("decisions", load.entries + load.queries) as advance:
        decisions = measure_overhead(encoder, load, advance)
    if not arguments.vectors:
        return decisions
    with progress("look-ups", 4) as advance:
        lookups = measure_lookups(arguments.vectors, load.queries, load.seed, advance)
    return (*decisions, *lookups)


def _timings_table(timings: Sequence[Timing]) -> Table:
    table = Table(title="Overhead", title_justify="left")
    table.add_column("step")
    for heading in ("p50 ms", "p99 ms", "times"):
        table.add_column(heading, justify="right")
    for timing in timings:
        table.add_row(
            timing.name, f"{timing.p50_ms:.3f}", f"{timing.p99_ms:.3f}", str(timing.count)
        )
    return table


def _budgets(trace: Path, arguments: BenchArguments) -> list[JsonValue]:
    """One replay for each budget, shown beside its rivals at the same spend."""
    rows = load_routing(trace)
    facts: list[JsonValue] = []
    for budget_usd in _budgets_of(trace, rows):
        policies = run_replay(_replay(trace, rows, budget_usd, arguments), rows).report.policies
        show(f"\n[bold]Budget ${budget_usd:.3g} per query[/]")
        show(policies_table(policies))
        told: list[JsonValue] = [policy_facts(policy) for policy in policies]
        facts.append({"budget_usd_per_query": budget_usd, "policies": told})
    return facts


def _budgets_of(trace: Path, rows: Sequence[RoutingRow]) -> list[float]:
    """Budgets between the mean costs of the cheapest and the dearest candidate."""
    counter = TiktokenCounter()
    candidates = find_candidates(trace, rows[0].outcomes)
    outcomes = table_of(rows, candidates, lambda text: counter.count(text).tokens)
    costs = sorted(policy.usd_per_query for policy in singles(outcomes))
    low, high = max(costs[0], 1e-9), costs[-1]
    return [float(f"{low * (high / low) ** share:.3g}") for share in SPENDS]


def _replay(
    trace: Path, rows: Sequence[RoutingRow], budget_usd: float, arguments: BenchArguments
) -> ReplayArguments:
    """Every called answer is graded at once; a split called "train" is learnt from first."""
    splits = {row.split for row in rows}
    return ReplayArguments(
        trace=trace,
        budget_usd_per_query=budget_usd,
        target_quality=None,
        price=None,
        feedback_rate=1.0,
        feedback_delay=0,
        cache=True,
        max_error=0.02,
        warm_split=WARM if WARM in splits and len(splits) > 1 else None,
        encoder=arguments.encoder,
        embeddings=arguments.embeddings,
        seed=arguments.seed,
        candidates=None,
        database=None,
        limit=None,
        knn=True,
        decisions=None,
        json=None,
        html=None,
    )
