"""Learnt state in SQL, as arrays without objects."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, delete, func, select

from sls_plugins.errors import StorageError
from sls_plugins.storage.database import Database
from sls_plugins.storage.tables import snapshots
from sls_plugins.types import State, zeroed

__all__ = ["Kept", "SqlSnapshotStore", "packed", "unpacked", "without_vectors"]

KEPT = 3

_newest = (
    select(snapshots.c.id)
    .where(snapshots.c.name == bindparam("named"))
    .order_by(snapshots.c.id.desc())
)
_OUTDATED = delete(snapshots).where(
    snapshots.c.name == bindparam("named"),
    snapshots.c.id.not_in(_newest.limit(KEPT)),
)
_LOAD = (
    select(snapshots.c.seq, snapshots.c.fingerprint, snapshots.c.npz)
    .where(snapshots.c.name == bindparam("named"))
    .order_by(snapshots.c.id.desc())
    .limit(1)
)
_LIST = select(
    snapshots.c.id,
    snapshots.c.name,
    snapshots.c.seq,
    snapshots.c.fingerprint,
    snapshots.c.created_s,
    func.length(snapshots.c.npz).label("size"),
).order_by(snapshots.c.id.desc())


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One kept state: its name, the line it has learnt up to, its encoder, when, bytes."""

    name: str
    seq: int
    fingerprint: str
    created_s: float
    size: int


class SqlSnapshotStore:
    """A `SnapshotStore` in a database; of each name the newest few are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, name: str, state: State, *, seq: int, fingerprint: str, now_s: float) -> None:
        """Keep a state which has learnt the log up to `seq`. ValueError for arrays of objects."""
        values = {
            "name": name,
            "seq": seq,
            "fingerprint": fingerprint,
            "created_s": now_s,
            "npz": packed(state),
        }

        def insert(sql: Connection) -> None:
            sql.execute(snapshots.insert(), values)
            sql.execute(_OUTDATED, {"named": name})

        self._database.write(insert)

    def listed(self) -> list[Kept]:
        """All that is kept, newest first."""
        rows = self._database.read(lambda sql: sql.execute(_LIST).all())
        return [
            Kept(
                name=row.name,
                seq=int(row.seq),
                fingerprint=row.fingerprint,
                created_s=row.created_s,
                size=int(row.size),
            )
            for row in rows
        ]

    def load(self, name: str) -> tuple[State, int, str] | None:
        """The newest state of this name, its `seq` and its encoder's fingerprint.

        Raises StorageError if it is damaged.
        """
        row = self._database.read(lambda sql: sql.execute(_LOAD, {"named": name}).first())
        if row is None:
            return None
        try:
            state = unpacked(row.npz)
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            problem = f"the newest snapshot {name!r} is damaged ({error}): delete its row"
            raise StorageError(self._database.url, problem) from error
        return state, int(row.seq), str(row.fingerprint)


def without_vectors(npz: bytes, vectors: frozenset[bytes]) -> bytes | None:
    """A stored state with zeros in the place of these vectors; None if it holds none of them."""
    scrubbed = zeroed(unpacked(npz), vectors)
    return None if scrubbed is None else packed(scrubbed)


def packed(state: State) -> bytes:
    """An .npz file. Written here because `numpy.savez` cannot take every name as a keyword."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in state.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
    return buffer.getvalue()


def unpacked(blob: bytes) -> State:
    """The state of an .npz file, read without pickle. Raises ValueError, OSError or BadZipFile."""
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        return {name.removesuffix(".npy"): _array(archive, name) for name in archive.namelist()}


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[np.generic]:
    with archive.open(name) as member:
        array: NDArray[np.generic] = np.lib.format.read_array(member, allow_pickle=False)
    return array
