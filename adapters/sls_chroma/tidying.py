"""Leaves nothing in the files of an embedded Chroma of what it no longer holds."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import UUID

__all__ = ["remove_orphans", "tidy"]

_FILE = "chroma.sqlite3"
_WAIT_S = 30.0


def tidy(folder: Path) -> None:
    """Remove folders of collections that are gone, overwrite what was deleted in the database.

    Chroma leaves both. Raises OSError or ValueError if the files cannot be written.
    """
    remove_orphans(folder)
    try:
        with closing(_opened(folder)) as rows:
            rows.execute("PRAGMA secure_delete=ON")
            rows.execute("VACUUM")
            rows.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise OSError(f"{folder / _FILE}: {error}") from error


def remove_orphans(folder: Path) -> None:
    """Remove the folders of vectors that belong to no collection. Raises OSError."""
    try:
        with closing(_opened(folder)) as rows:
            known = {row[0] for row in rows.execute("SELECT id FROM segments")}
    except sqlite3.Error as error:
        raise OSError(f"{folder / _FILE}: {error}") from error
    for child in folder.iterdir():
        if child.is_dir() and _is_segment(child.name) and child.name not in known:
            shutil.rmtree(child, ignore_errors=True)


def _opened(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / _FILE, timeout=_WAIT_S, isolation_level=None)


def _is_segment(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
