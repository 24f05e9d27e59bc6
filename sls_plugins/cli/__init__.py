"""The `sls` command."""

from sls_plugins.cli.app import app

__all__ = ["app"]
