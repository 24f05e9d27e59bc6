"""`sls replay`: options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from sls_plugins.cli.arguments import ReplayArguments
from sls_plugins.cli.lazy import work
from sls_plugins.cli.options import (
    Decisions,
    Embeddings,
    Encoder,
    Html,
    Json,
    Limit,
    MaxError,
    Seed,
    Trace,
)

__all__ = ["replay"]

AIM = "Aim (one of them; without any, thrift)"
WORLD = "World"

BudgetUsdPerQuery: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="USD", help="Mean spend per query, paced.", rich_help_panel=AIM),
]
TargetQuality: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="Q", help="Mean quality 0…1 to reach at the least cost.", rich_help_panel=AIM
    ),
]
Price: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="LAMBDA", help="Quality (0…1) that a dollar must buy.", rich_help_panel=AIM
    ),
]
FeedbackRate: TypeAlias = Annotated[
    float,
    typer.Option(
        metavar="R",
        min=0,
        max=1,
        help="Share of called answers that are ever graded.",
        rich_help_panel=WORLD,
    ),
]
FeedbackDelay: TypeAlias = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        help="How many queries later a grade comes; 0 is at once.",
        rich_help_panel=WORLD,
    ),
]
WarmSplit: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help='Rows with this "split" come first and are left out of the figures.',
        rich_help_panel=WORLD,
    ),
]
Cache: TypeAlias = Annotated[bool, typer.Option(help="Answer from the semantic cache.")]
Candidates: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.toml",
        exists=True,
        dir_okay=False,
        help="List prices: a settings file with candidates.",
        show_default="NAME.models.json beside TRACE",
    ),
]
Database: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Keep what is learnt in this file, or at this SQLAlchemy URL.",
        show_default="nowhere",
    ),
]
Knn: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--knn", help="Also show the rival kNN with full labels, which embeds every query again."
    ),
]


def replay(
    *,
    trace: Trace,
    budget_usd_per_query: BudgetUsdPerQuery = None,
    target_quality: TargetQuality = None,
    price: Price = None,
    feedback_rate: FeedbackRate = 1.0,
    feedback_delay: FeedbackDelay = 0,
    warm_split: WarmSplit = None,
    cache: Cache = True,
    max_error: MaxError = 0.02,
    encoder: Encoder = "minilm",
    embeddings: Embeddings,
    seed: Seed = 0,
    candidates: Candidates = None,
    database: Database = None,
    limit: Limit = None,
    knn: Knn = False,
    decisions: Decisions = None,
    json: Json = None,
    html: Html = None,
) -> None:
    """Stream a recorded TRACE through a new engine, learning as it goes.

    The engine sees each query, then only the chosen model's recorded outcome.
    """
    arguments = ReplayArguments(
        trace=trace,
        budget_usd_per_query=budget_usd_per_query,
        target_quality=target_quality,
        price=price,
        feedback_rate=feedback_rate,
        feedback_delay=feedback_delay,
        cache=cache,
        max_error=max_error,
        warm_split=warm_split,
        encoder=encoder,
        embeddings=embeddings,
        seed=seed,
        candidates=candidates,
        database=database,
        limit=limit,
        knn=knn,
        decisions=decisions,
        json=json,
        html=html,
    )
    work("replay").run(arguments)
