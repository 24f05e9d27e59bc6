"""`sls bench`: options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sls_plugins.cli.arguments import BenchArguments
from sls_plugins.cli.lazy import work
from sls_plugins.cli.options import Embeddings, Encoder, Json, Seed

__all__ = ["bench"]


def bench(
    *,
    trace: Annotated[
        Path | None,
        typer.Argument(
            metavar="[TRACE]",
            exists=True,
            dir_okay=False,
            help="Also replay this trace at several budgets, beside rival policies.",
        ),
    ] = None,
    encoder: Encoder = "minilm",
    embeddings: Embeddings,
    entries: Annotated[
        int, typer.Option(metavar="N", min=1, help="Cached entries that are searched.")
    ] = 5000,
    candidates: Annotated[int, typer.Option(metavar="N", min=1, help="Candidates.")] = 8,
    queries: Annotated[int, typer.Option(metavar="N", min=10, help="Decisions to time.")] = 500,
    vectors: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Vectors to search in every index; 0: leave out."),
    ] = 10_000,
    seed: Seed = 0,
    json: Json = None,
) -> None:
    """Time a decision beside the encoder's own time; with TRACE, measure quality and spend."""
    work("bench").run(
        BenchArguments(
            trace=trace,
            encoder=encoder,
            embeddings=embeddings,
            entries=entries,
            candidates=candidates,
            queries=queries,
            vectors=vectors,
            seed=seed,
            json=json,
        )
    )
