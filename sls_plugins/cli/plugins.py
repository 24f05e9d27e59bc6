"""`sls plugins`: options."""

from __future__ import annotations

from sls_plugins.cli.lazy import work
from sls_plugins.cli.options import Json

__all__ = ["plugins"]


def plugins(json: Json = None) -> None:
    """List plugins and the parts they bring."""
    work("plugins").run(json)
