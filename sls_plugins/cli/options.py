"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

__all__ = [
    "Decisions",
    "Embeddings",
    "Encoder",
    "Html",
    "Json",
    "Limit",
    "MaxError",
    "Seed",
    "Trace",
]

Trace: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="TRACE",
        help="Recorded trace: JSON Lines, plain or gzip'd.",
        exists=True,
        dir_okay=False,
        readable=True,
    ),
]

Encoder: TypeAlias = Annotated[
    str, typer.Option("--encoder", metavar="NAME", help="Encoder, as `sls plugins` lists them.")
]


def _embeddings() -> Path:
    """The user's folder for what can be made again."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "sls-plugins"


Embeddings: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--embeddings",
        metavar="FOLDER",
        help="Where embeddings (no texts) are kept, so that a second replay is quick.",
        default_factory=_embeddings,
        file_okay=False,
        show_default="sls-plugins in the user's cache folder",
    ),
]

Seed: TypeAlias = Annotated[
    int, typer.Option("--seed", metavar="N", help="Drives every draw; the same seed, the same run.")
]

Limit: TypeAlias = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=1, help="Read the first N rows only.")
]

Json: TypeAlias = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write the facts for programs to FILE."),
]

Html: TypeAlias = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a report with plots to FILE."),
]

Decisions: TypeAlias = Annotated[
    Path | None,
    typer.Option("--decisions", metavar="FILE.jsonl", help="Write one line per decided row."),
]

MaxError: TypeAlias = Annotated[
    float,
    typer.Option("--max-error", metavar="E", help="Largest share of wrong hits among hits, 0…1."),
]
