"""Keeps embeddings on disk, so that a trace replayed twice is embedded once."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np

from sls_plugins.errors import StorageError
from sls_plugins.protocols import Encoder
from sls_plugins.types import Matrix, Vector

__all__ = ["ShelfEncoder"]

PAGE_TEXTS = 500


class ShelfEncoder:
    """An encoder in front of another, with one SQLite file per fingerprint in `folder`.

    Texts are kept as digests only. Threads and processes may use one folder at the same time.
    Raises StorageError if the file cannot be used.
    """

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        """Open or make the file for this encoder's fingerprint."""
        self._encoder = encoder
        name = hashlib.blake2b(encoder.fingerprint.encode(), digest_size=8).hexdigest()
        self._path = folder / f"{name}.embeddings"
        self._lock = Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._rows = sqlite3.connect(self._path, timeout=60, check_same_thread=False)
            self._rows.execute("PRAGMA journal_mode=WAL")
            self._rows.execute("PRAGMA synchronous=OFF")  # what is lost is computed again
            self._rows.execute("CREATE TABLE IF NOT EXISTS shelf (text BLOB PRIMARY KEY, v BLOB)")
        except (OSError, sqlite3.Error) as error:
            raise self._wrong(error) from error

    @property
    def fingerprint(self) -> str:
        """That of the encoder behind."""
        return self._encoder.fingerprint

    @property
    def dimension(self) -> int:
        """That of the encoder behind."""
        return self._encoder.dimension

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Embeddings of n texts, shape (n, d); only those not on the shelf are computed."""
        keys = [_key(text) for text in texts]
        known = self._read(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            rows = self._encoder.encode(list(missing.values()))
            fresh = dict(zip(missing, rows, strict=True))
            self._write(fresh)
            known.update(fresh)
        out = np.empty((len(texts), self.dimension), dtype=np.float32)
        for place, key in enumerate(keys):
            out[place] = known[key]
        return out

    def forget(self, texts: Sequence[str]) -> None:
        """Leave no byte of these texts' embeddings in the file."""
        try:
            with self._lock, self._rows:
                self._rows.execute("PRAGMA secure_delete=ON")
                keys = [(_key(text),) for text in texts]
                self._rows.executemany("DELETE FROM shelf WHERE text = ?", keys)
            with self._lock:
                self._rows.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise self._wrong(error) from error

    def close(self) -> None:
        """Let go of the file."""
        self._rows.close()

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        found: dict[bytes, Vector] = {}
        for start in range(0, len(keys), PAGE_TEXTS):
            page = keys[start : start + PAGE_TEXTS]
            marks = ",".join("?" * len(page))
            query = f"SELECT text, v FROM shelf WHERE text IN ({marks})"  # noqa: S608 - marks only
            with self._lock:
                try:
                    rows = self._rows.execute(query, page).fetchall()
                except sqlite3.Error as error:
                    raise self._wrong(error) from error
            found.update((key, np.frombuffer(row, dtype="<f4")) for key, row in rows)
        return found

    def _write(self, fresh: dict[bytes, Vector]) -> None:
        rows = [(key, row.astype("<f4").tobytes()) for key, row in fresh.items()]
        try:
            with self._lock, self._rows:
                self._rows.executemany("INSERT OR IGNORE INTO shelf VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            raise self._wrong(error) from error

    def _wrong(self, error: Exception) -> StorageError:
        return StorageError(str(self._path), f"{error}; use another folder or remove the file")


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
