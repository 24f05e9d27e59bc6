"""`sls cache` and `sls forget`: options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from sls_plugins.cli.lazy import work
from sls_plugins.cli.options import Json

__all__ = ["cache", "forget"]

cache = typer.Typer(name="cache", help="What the cache holds and has done.", no_args_is_help=True)

SettingsFile: TypeAlias = Annotated[
    Path, typer.Argument(metavar="SETTINGS", help="Settings file of the engine.", exists=True)
]

Where: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="WHERE",
        help="A settings file (.toml), an engine's folder, or a database: SQLite file or URL.",
    ),
]


@cache.command()
def stats(where: Where, json: Json = None) -> None:
    """Rows, and by task: hits, wrong hits with their interval, USD and seconds saved."""
    work("cache").stats(where, json)


@cache.command()
def show(
    where: Where,
    wanted: Annotated[str, typer.Argument(metavar="ID", help="Of a row, or of a decision.")],
    json: Json = None,
) -> None:
    """One stored answer: its text, record, life and keys."""
    work("cache").show_row(where, wanted, json)


@cache.command()
def audit(
    where: Where,
    limit: Annotated[
        int, typer.Option(metavar="N", min=0, help="How many wrong ones to list.")
    ] = 10,
    json: Json = None,
) -> None:
    """What came of acceptable answers that were called for all the same, to check on them."""
    work("cache").audit(where, limit, json)


def forget(
    settings: SettingsFile,
    *,
    ids: Annotated[
        list[str] | None, typer.Option("--id", metavar="ID", help="Of a decision or row; repeat.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(metavar="NAME", help="All of a tenant.")] = None,
    scope: Annotated[
        str | None, typer.Option(metavar="BEGIN", help="All of the scopes that begin so.")
    ] = None,
    text: Annotated[str | None, typer.Option(metavar="TEXT", help="All with this text.")] = None,
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", min=0, help="All older than so many days.")
    ] = None,
    json: Json = None,
) -> None:
    """Erase queries with their answers, decisions and outcomes; no byte is left in any file.

    What is given narrows the choice. It needs the folder for itself where Chroma is embedded.
    """
    older_than_s = None if older_than is None else 86400 * older_than
    work("cache").forget(
        settings,
        {
            "ids": tuple(ids or ()),
            "tenant": tenant,
            "scope": scope,
            "text": text,
            "older_than_s": older_than_s,
        },
        json,
    )
