"""`sls demo`: options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sls_plugins.cli.arguments import DemoArguments
from sls_plugins.cli.lazy import work
from sls_plugins.cli.options import Json, Seed

__all__ = ["demo"]


def demo(
    seed: Seed = 0,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            help="Keep database and index here.",
            show_default="a folder that is removed afterwards",
        ),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Answer this recorded trace.",
            show_default="questions made up for the demo",
        ),
    ] = None,
    html: Annotated[
        Path, typer.Option("--html", metavar="FILE", help="Where the report goes.")
    ] = Path("report.html"),
    json: Json = None,
) -> None:
    """Go the whole road on embedded defaults: LangChain router, Chroma, feedback.

    Prints the savings, writes a report. Needs no key, no network and no model but the encoder's.
    """
    work("demo").run(DemoArguments(seed=seed, folder=folder, trace=trace, html=html, json=json))
