"""Keeps a second process out of a folder that is safe for one only."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sls_plugins.errors import StorageError

__all__ = ["FolderLock"]


class FolderLock:
    """An exclusive lock held in a file beside a folder, from construction until `release`.

    It is an open SQLite transaction: the operating system drops it when the process dies, so that
    no stale lock is ever left, on every platform.
    """

    def __init__(self, folder: Path) -> None:
        """Take the lock. Raises StorageError at once if somebody else holds it."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = folder.with_name(f"{folder.name}.lock")
        self._connection = sqlite3.connect(
            place, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            self._connection.close()
            raise StorageError(str(folder), _advice(folder, place)) from error

    def release(self) -> None:
        """Let others in; a second call does nothing."""
        self._connection.close()


def _advice(folder: Path, place: Path) -> str:
    return (
        f"the folder is in use by another index (lock file {place}). Embedded Chroma is safe for "
        "one process only. For several processes start a server with "
        f"`chroma run --path {folder} --host 127.0.0.1 --port 8000` "
        'and open the index with url="http://127.0.0.1:8000"'
    )
