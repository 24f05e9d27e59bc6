"""`sls doctor`: options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sls_plugins.cli.lazy import work
from sls_plugins.cli.options import Json

__all__ = ["doctor"]


def doctor(
    settings: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SETTINGS]",
            help="Settings file to check.",
            show_default="the built-in defaults",
        ),
    ] = None,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Make the index anew from the stored rows, first."),
    ] = False,
    json: Json = None,
) -> None:
    """Check what is installed and configured; say what is wrong and how to mend it.

    Exit code 1 when something that is configured cannot work.
    """
    work("doctor").run(settings, json, rebuild=rebuild)
