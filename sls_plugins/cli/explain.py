"""`sls explain`: options."""

from __future__ import annotations

from typing import Annotated

import typer

from sls_plugins.cli.lazy import work
from sls_plugins.cli.options import Json

__all__ = ["explain"]


def explain(
    decision_id: Annotated[str, typer.Argument(metavar="ID", help="The decision's id.")],
    *,
    database: Annotated[
        str, typer.Option(metavar="URL", help="The database, or a file of SQLite.")
    ],
    json: Json = None,
) -> None:
    """Explain a stored decision: who was eligible, what was expected, why, and what it took.

    The choice is made again from its receipt, to see that it comes out the same.
    """
    work("explain").run(decision_id, database, json)
