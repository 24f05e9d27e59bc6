"""Opens the database that a command is told of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sls_plugins.errors import InputError
from sls_plugins.settings import load_settings
from sls_plugins.storage import Stores, open_stores

__all__ = ["opened", "url_of"]


def url_of(where: str) -> str:
    """The URL of a database: given as such, as a file, an engine's folder, or a settings file.

    Raises InputError if there is none: a command that looks at a log must not begin a new one.
    """
    if "://" in where:
        return where
    path = Path(where)
    if path.suffix == ".toml":
        settings = load_settings(path)
        if settings.database is not None:
            return settings.database
        if settings.folder is None:
            raise InputError(f"{where} names neither a database nor a folder: nothing is kept")
        path = settings.folder
    if path.is_dir():
        path /= "sls.db"
    if not path.is_file():
        raise InputError(f"there is no database {str(path)!r}")
    return f"sqlite:///{path}"


@contextmanager
def opened(where: str) -> Iterator[Stores]:
    """Its stores, closed afterwards. Raises InputError or StorageError."""
    stores = open_stores(url_of(where), time.time)
    try:
        yield stores
    finally:
        stores.database.close()
