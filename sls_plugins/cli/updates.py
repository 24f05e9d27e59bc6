"""`sls events`, `sls feedback`, `sls snapshot`, `sls whatif`: options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from sls_plugins.cli.lazy import work
from sls_plugins.cli.options import Json

__all__ = ["events", "feedback", "snapshot", "whatif"]

Where: TypeAlias = Annotated[
    str,
    typer.Option(
        "--database",
        "-d",
        metavar="WHERE",
        help="A database: URL, SQLite file, an engine's folder, or a settings file (.toml).",
    ),
]
File: TypeAlias = Annotated[
    Path | None, typer.Option("--file", metavar="FILE.npz", help="A file instead of the database.")
]

feedback = typer.Typer(help="Take in feedback that was collected elsewhere.", no_args_is_help=True)
snapshot = typer.Typer(help="Keep, restore and compare what was learnt.", no_args_is_help=True)


def events(
    where: Where,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many, newest first.")] = 50,
    json: Json = None,
) -> None:
    """Show what the update manager noticed and did: drift, refits, prices."""
    work("updates").events(where, limit, json)


@feedback.command("import")
def import_feedback(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV with headings, or JSON Lines (.jsonl).")
    ],
    where: Where,
    *,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Name lines that cannot be read, and go on.")
    ] = False,
) -> None:
    """Take in opinions from FILE, each once; those of unknown decisions wait.

    Columns: decision_id or run_id; quality, score, stars, thumb or text; source or key, weight, id.
    With a line that cannot be read nothing is taken in, unless --skip-bad is given.
    """
    work("updates").import_feedback(where, file, skip_bad=skip_bad)


@snapshot.command("save")
def save(
    where: Where,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Name to keep it by.")] = "kept",
    file: File = None,
) -> None:
    """Keep the newest learnt state under NAME, or in a file."""
    work("snapshots").save(where, name, file)


@snapshot.command("load")
def load(
    where: Where,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Name it was kept by.")] = "kept",
    file: File = None,
    renamed: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="OLD=NEW", help="A candidate that has another name here."),
    ] = None,
) -> None:
    """Make a kept state the one that engines start from; stop them first.

    One of another encoder, or with candidates that are not here, is refused.
    """
    work("snapshots").load(where, name, file, renamed or [])


@snapshot.command("list")
def list_snapshots(where: Where, json: Json = None) -> None:
    """List the kept states, newest first."""
    work("snapshots").listed(where, json)


@snapshot.command("diff")
def diff(
    first: Annotated[str, typer.Argument(metavar="FIRST", help="A kept name, or a file (.npz).")],
    second: Annotated[str, typer.Argument(metavar="[SECOND]", help="Another.")] = "learnt",
    *,
    where: Where,
) -> None:
    """Show which arrays of two kept states differ, and by how much."""
    work("snapshots").diff(where, first, second)


def whatif(
    *,
    where: Where,
    price: Annotated[
        float | None, typer.Option(metavar="LAMBDA", min=0, help="Quality that a dollar must buy.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(metavar="USD", min=0, help="Mean spend per query.")
    ] = None,
    max_error: Annotated[
        float | None,
        typer.Option(metavar="E", min=0, max=1, help="Largest share of wrong hits of the cache."),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="MODEL", help="Leave a candidate out.")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help='"cheapest", "best", or a candidate for everything.'),
    ] = None,
    json: Json = None,
) -> None:
    """Estimate, from the receipts alone, what other settings would have brought."""
    work("whatif").run(
        where,
        {
            "price": price,
            "budget": budget,
            "max_error": max_error,
            "without": tuple(without or ()),
            "policy": policy,
        },
        json,
    )
