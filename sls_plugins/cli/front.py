"""`sls front`: options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from sls_plugins.cli.arguments import FrontArguments
from sls_plugins.cli.lazy import work
from sls_plugins.cli.options import Html, Json, Seed

__all__ = ["front"]

AIM = "Aim (one of them; without any, the whole front)"
SEARCH = "Evolutionary methods"

Matrix: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="MATRIX.npz",
        exists=True,
        dir_okay=False,
        readable=True,
        help="Arrays quality, cost of shape (queries, candidates); NaN: not eligible. "
        "Optional: sd, names, capacity (queries per candidate).",
    ),
]
BudgetUsd: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="X", help="Spend no more on the whole batch.", rich_help_panel=AIM),
]
MinQuality: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="Q",
        help="Reach this sum of quality over all queries at the least cost.",
        rich_help_panel=AIM,
    ),
]
Method: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="exact, optllm, cpls, nsga2, spea2, rnsga2, sms-emoa or moead."
    ),
]
Alpha: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="A", help="Score a pair by quality + A·sd.", show_default="without sd"),
]
Compare: TypeAlias = Annotated[
    bool, typer.Option("--compare", help="Show all methods beside each other.")
]
Population: TypeAlias = Annotated[
    int, typer.Option(metavar="N", min=4, help="Individuals.", rich_help_panel=SEARCH)
]
Generations: TypeAlias = Annotated[
    int, typer.Option(metavar="N", min=1, help="Generations.", rich_help_panel=SEARCH)
]


def front(
    *,
    matrix: Matrix,
    budget_usd: BudgetUsd = None,
    min_quality: MinQuality = None,
    method: Method = "exact",
    alpha: Alpha = None,
    compare: Compare = False,
    population: Population = 100,
    generations: Generations = 100,
    seed: Seed = 0,
    json: Json = None,
    html: Html = None,
) -> None:
    """Assign a batch that is known in advance: every Pareto point, exactly.

    With an aim it also gives each query's candidate, and how far from the best that can be at most.
    """
    work("front").run(
        FrontArguments(
            matrix=matrix,
            budget_usd=budget_usd,
            min_quality=min_quality,
            method=method,
            alpha=alpha,
            compare=compare,
            population=population,
            generations=generations,
            seed=seed,
            json=json,
            html=html,
        )
    )
