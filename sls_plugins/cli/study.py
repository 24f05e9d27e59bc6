"""`sls study`: options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sls_plugins.cli.arguments import StudyArguments
from sls_plugins.cli.lazy import work
from sls_plugins.cli.options import Embeddings, Encoder, Json, Limit

__all__ = ["study"]


def study(
    *,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="The study.", show_default="list them"),
    ] = None,
    traces: Annotated[
        Path,
        typer.Option(metavar="FOLDER", file_okay=False, help="Where the recorded traces are."),
    ] = Path("../shared/traces"),
    seeds: Annotated[
        int, typer.Option(metavar="N", min=1, help="Repeat with the seeds 0 to N-1.")
    ] = 5,
    encoder: Encoder = "minilm",
    embeddings: Embeddings,
    limit: Limit = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TRACE", help="Of a study over all traces, this one only; may be repeated."
        ),
    ] = None,
    json: Json = None,
) -> None:
    """Answer one question about SLS from recorded traces; without NAME, list the questions."""
    work("study").run(
        StudyArguments(
            name=name,
            traces=traces,
            seeds=seeds,
            encoder=encoder,
            embeddings=embeddings,
            limit=limit,
            only=tuple(only or ()),
            json=json,
        )
    )
