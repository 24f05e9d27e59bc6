"""`sls front`: the Pareto front of a batch, a plan with its certificate, methods compared."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from rich.table import Table

from sls_plugins.cli.arguments import FrontArguments
from sls_plugins.cli.lazy import module
from sls_plugins.cli.work.reporting import check_outputs, require, write_outputs
from sls_plugins.cli.work.screen import progress, show, show_report, tell
from sls_plugins.errors import InputError
from sls_plugins.evaluation.fronts import Standing, compare
from sls_plugins.evaluation.matrices import Matrices, read_matrices
from sls_plugins.evaluation.results import Chart, Fact, JsonValue, Report, Series
from sls_plugins.scheduler.batch import (
    METHODS,
    Aim,
    Batch,
    Effort,
    Front,
    Plan,
    Tradeoffs,
    aim_of,
    batch_of,
    front_of,
    method_of,
    plan_of,
    robust,
)

__all__ = ["run"]

DRAWN = 500
"""Points of a front that a picture shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """What was found, and the seconds it took without reading the file."""

    batch: Batch
    matrices: Matrices
    tradeoffs: Tradeoffs
    plan: Plan | None
    seconds: float
    standings: tuple[Standing, ...] = ()


def run(arguments: FrontArguments) -> None:
    """Find the front, show the figures, write the files. Raises SLSError."""
    check_outputs((arguments.json,), arguments.html)
    method_of(arguments.method)
    wanted = arguments.budget_usd is not None or arguments.min_quality is not None
    aim = aim_of(arguments.budget_usd, arguments.min_quality) if wanted else None
    matrices = read_matrices(arguments.matrix)
    _check(arguments, matrices, aim)
    result = _solve(arguments, matrices, aim)
    report = _report(arguments, result)
    write_outputs(report, arguments.json, arguments.html)
    if arguments.compare:
        show(_standings(result.standings))
    show_report(report)


def _check(arguments: FrontArguments, matrices: Matrices, aim: Aim | None) -> None:
    where = str(arguments.matrix)
    if arguments.alpha is not None and matrices.sd is None:
        raise InputError(f"--alpha needs the array sd, which {where} does not have")
    if matrices.capacity is not None:
        if aim is None or arguments.method != "exact":
            raise InputError(
                f"{where} has capacities: they need --budget-usd or --min-quality, "
                "with --method exact"
            )
        require("a capacity per candidate", "ml", "scipy")
    rows = len(matrices.quality)
    if aim is not None and aim.min_quality is not None and aim.min_quality <= 1 < rows:
        tell(f"--min-quality is a sum: {aim.min_quality:g} over all {rows} queries is asked for")


def _solve(arguments: FrontArguments, matrices: Matrices, aim: Aim | None) -> _Result:
    effort = Effort(population=arguments.population, generations=arguments.generations)
    began = time.perf_counter()
    quality = matrices.quality
    if arguments.alpha is not None:
        assert matrices.sd is not None
        quality = robust(quality, matrices.sd, arguments.alpha)
    batch = batch_of(quality, matrices.cost)
    plan = None
    with progress(arguments.method):
        found = method_of(arguments.method)(batch, effort, arguments.seed)
        if aim is not None:
            plan = _plan(arguments.method, batch, found, aim, matrices)
    seconds = time.perf_counter() - began
    standings = _compared(batch, effort, arguments.seed) if arguments.compare else ()
    return _Result(
        batch=batch,
        matrices=matrices,
        tradeoffs=found,
        plan=plan,
        seconds=seconds,
        standings=standings,
    )


def _plan(method: str, batch: Batch, found: Tradeoffs, aim: Aim, matrices: Matrices) -> Plan:
    if matrices.capacity is not None:
        capacity: ModuleType = module("sls_plugins.scheduler.batch.capacity")
        limits = capacity.Capacity(requests=matrices.capacity)
        limited: Plan = capacity.assign_limited(batch.quality, batch.cost_usd, aim, limits)
        return limited
    front: Front = found.front if found.front is not None else front_of(batch)
    return plan_of(front, aim, None if method == "exact" else found, refined=method == "optllm")


def _compared(batch: Batch, effort: Effort, seed: int) -> tuple[Standing, ...]:
    done = 0
    with progress("compare", len(METHODS)) as advance:

        def watch(name: str) -> None:
            nonlocal done
            advance(done, name)
            done += 1

        return compare(batch, METHODS, effort=effort, seed=seed, watch=watch)


def _standings(standings: tuple[Standing, ...]) -> Table:
    table = Table(
        caption="axes normalised to the exact front; IGD: mean distance from it; "
        "shortfall: mean quality below it at equal cost",
        caption_justify="left",
    )
    table.add_column("method")
    for heading in ("seconds", "points", "hypervolume", "IGD", "spread", "shortfall", "best"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in standings:
        table.add_row(
            one.method,
            f"{one.seconds:.4f}",
            str(one.points),
            f"{one.hypervolume:.4f}",
            f"{one.distance:.4f}",
            f"{one.spread:.3f}",
            f"{one.shortfall:.4f}",
            f"{one.best_quality:.4f}",
        )
    return table


def _report(arguments: FrontArguments, result: _Result) -> Report:
    found, plan, batch = result.tradeoffs, result.plan, result.batch
    facts = [
        Fact("points", f"{len(found)} ({arguments.method})"),
        Fact("cheapest", _point(found, 0)),
        Fact("best", _point(found, len(found) - 1)),
    ]
    if plan is not None:
        facts += [
            Fact("plan", f"quality {plan.quality:.6g} for {plan.cost_usd:.6g} USD"),
            Fact("certificate", f"nothing is better by more than {plan.gap:.3g}"),
            Fact("share of queries", _shares(plan, result)),
        ]
    facts.append(Fact("seconds", f"{result.seconds:.4f}"))
    return Report(
        title=f"Front of {arguments.matrix.name}",
        subtitle=f"{batch.rows} queries, {batch.candidates} candidates; sums over all queries",
        facts=tuple(facts),
        charts=(_chart(found, plan),),
        data=_data(arguments, result),
    )


def _point(found: Tradeoffs, place: int) -> str:
    return f"quality {found.quality[place]:.6g} for {found.cost_usd[place]:.6g} USD"


def _shares(plan: Plan, result: _Result) -> str:
    counts = np.bincount(plan.columns, minlength=result.batch.candidates)
    names = result.matrices.names or tuple(f"column {k}" for k in range(len(counts)))
    shares = [
        f"{name} {count / counts.sum():.1%}"
        for name, count in zip(names, counts.tolist(), strict=True)
        if count
    ]
    return ", ".join(shares)


def _chart(found: Tradeoffs, plan: Plan | None) -> Chart:
    places = np.linspace(0, len(found) - 1, min(len(found), DRAWN)).round().astype(int)
    series = [Series("front", tuple(found.cost_usd[places]), tuple(found.quality[places]))]
    if plan is not None:
        series.append(Series("plan", (plan.cost_usd,), (plan.quality,)))
    return Chart(
        title="Quality against cost",
        x_label="USD",
        y_label="sum of quality",
        series=tuple(series),
    )


def _data(arguments: FrontArguments, result: _Result) -> dict[str, JsonValue]:
    found, plan = result.tradeoffs, result.plan
    prices = [None] * len(found) if found.price is None else found.price.tolist()
    columns = zip(found.quality.tolist(), found.cost_usd.tolist(), prices, strict=True)
    data: dict[str, JsonValue] = {
        "matrix": arguments.matrix.name,
        "queries": result.batch.rows,
        "candidates": result.batch.candidates,
        "method": arguments.method,
        "seed": arguments.seed,
        "alpha": arguments.alpha,
        "seconds": result.seconds,
        "points": [{"quality": q, "cost_usd": c, "price": p} for q, c, p in columns],
    }
    if result.matrices.names:
        data["names"] = result.matrices.names
    if plan is not None:
        data |= _plan_data(arguments, plan)
    if result.standings:
        data["methods"] = [one.facts() for one in result.standings]
    return data


def _plan_data(arguments: FrontArguments, plan: Plan) -> dict[str, JsonValue]:
    finite = math.isfinite(plan.upper_bound)
    return {
        "budget_usd": arguments.budget_usd,
        "min_quality": arguments.min_quality,
        "assignment": plan.columns.tolist(),
        "quality": plan.quality,
        "cost_usd": plan.cost_usd,
        "upper_bound": plan.upper_bound if finite else None,
        "gap": plan.gap if finite else None,
        "lower_bound_usd": plan.lower_bound_usd,
    }
