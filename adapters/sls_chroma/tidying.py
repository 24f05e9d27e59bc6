"""Leaves nothing in the files of an embedded Chroma of what it no longer holds."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from uuid import UUID

__all__ = ["remove_orphans", "tidy"]

_FILE = "chroma.sqlite3"
_HEADER = struct.Struct("<iQQQQ")
"""Of a file of vectors: its version, an offset, the room, how many are in it, bytes of each."""

_HEADER_VERSION = 1
_ZEROS = bytes(1 << 20)
_WAIT_S = 30.0


def tidy(folder: Path) -> None:
    """Remove folders of collections that are gone, overwrite what was deleted in the database.

    Chroma leaves both. It also writes room for vectors to come as it finds it in memory, where a
    vector that was erased may still be: that room is overwritten, too. Raises OSError or ValueError
    if the files cannot be written.
    """
    remove_orphans(folder)
    for header in folder.glob("*/header.bin"):
        _blank(header)
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


def _blank(header: Path) -> None:
    """Overwrite the room behind the last vector of a collection."""
    told = header.read_bytes()[: _HEADER.size]
    if len(told) < _HEADER.size:
        return
    version, begin, _room, count, width = _HEADER.unpack(told)
    vectors = header.with_name("data_level0.bin")
    if version != _HEADER_VERSION or not vectors.is_file():
        return
    with vectors.open("r+b") as file:
        left = file.seek(0, os.SEEK_END) - file.seek(begin + count * width)
        while left > 0:
            left -= file.write(_ZEROS[:left])


def _opened(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / _FILE, timeout=_WAIT_S, isolation_level=None)


def _is_segment(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
