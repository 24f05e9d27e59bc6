"""A semantic index that Chroma keeps, with an exact search in memory in front of it."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sls_chroma.lock import FolderLock
from sls_chroma.shelves import CHROMA_ERRORS, Shelves, drop_all, open_folder, open_server
from sls_chroma.tidying import remove_orphans, tidy
from sls_chroma.writer import Changes, Place, Writer
from sls_plugins.cache.memory import MemoryIndex
from sls_plugins.errors import SettingsError, StorageError
from sls_plugins.protocols import Context
from sls_plugins.types import IndexEntry, Neighbour, Space, Vector

__all__ = ["ChromaIndex", "ChromaOptions", "make"]

_log = logging.getLogger(__name__)

_LINGER_S = 0.05
_REMEDY = "where its files are damaged or of another version: sls doctor SETTINGS --rebuild"


class ChromaIndex:
    """An `Index` that survives restarts. Threads may share it; a folder belongs to one process.

    Chroma holds ids, spaces and vectors, never text. All of it is loaded into memory at the start
    and searched there, exactly. With a server, where other processes add too, the server is asked
    besides. Writes go to Chroma behind the caller's back, in batches.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        url: str | None = None,
        dimension: int = 0,
        fingerprint: str = "",
        batch: int = 512,
        fresh: bool = False,
    ) -> None:
        """Give a `path` (a folder of this process alone) or a server's `url`.

        `fresh` throws away what is there, whatever made it: for rebuilding from rows.

        Raises StorageError if the folder is in use or cannot be read, EncoderMismatchError if it
        holds vectors of another encoder or metric, SettingsError if not exactly one place is given.
        """
        if (path is None) == (url is None):
            raise SettingsError(
                "ChromaIndex", "path", "give a folder (path) or a server (url)", "One of them."
            )
        self._place = url if url is not None else str(Path(str(path)).resolve())
        self._shared = url is not None
        self._memory = MemoryIndex(dimension)
        self._spaces: dict[str, Space] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._guard = None if self._shared else FolderLock(Path(self._place))
        with ExitStack() as undo:
            undo.callback(self._release)
            if fresh and not self._shared:
                shutil.rmtree(self._place, ignore_errors=True)
            self._shelves = self._open(fingerprint, fresh=fresh)
            undo.callback(self._shelves.close)
            self._load()
            undo.pop_all()
        self._writer = Writer(self._write, self._place, batch, _LINGER_S)

    def add(self, entries: Sequence[IndexEntry]) -> None:
        """Take in entries; an id that is known is replaced. Found at once, durable later."""
        with self._lock:
            self._memory.add(entries)
            changes: dict[Place, IndexEntry | None] = {}
            for entry in entries:
                old = self._spaces.get(entry.id)
                if old is not None and old.tenant != entry.space.tenant:
                    changes[old.tenant, entry.id] = None
                self._spaces[entry.id] = entry.space
                kept = IndexEntry(id=entry.id, space=entry.space, vector=entry.vector.copy())
                changes[entry.space.tenant, entry.id] = kept
            self._writer.put(changes)

    def remove(self, ids: Sequence[str]) -> None:
        """Drop entries; unknown ids are ignored."""
        with self._lock:
            self._memory.remove(ids)
            known = [(entry_id, self._spaces.pop(entry_id, None)) for entry_id in ids]
            gone = {
                (space.tenant, entry_id): None for entry_id, space in known if space is not None
            }
            if gone:
                self._writer.put(gone)

    def search(self, space: Space, vector: Vector, k: int) -> Sequence[Neighbour]:
        """Up to k nearest entries of this space, most similar first."""
        found = self._memory.search(space, vector, k)
        if not self._shared or k < 1:
            return found
        try:
            others = self.search_durable(space, vector, k)
        except StorageError as error:
            # A server stumbles over entries that another process removes while it searches; also
            # when it is away, what this process knows may be served: rows are checked in any case.
            _log.warning("only what is in memory is searched: %s", error)
            return found
        best = {one.id: one for one in others} | {one.id: one for one in found}
        return tuple(sorted(best.values(), key=lambda one: (-one.similarity, one.id))[:k])

    def search_durable(self, space: Space, vector: Vector, k: int) -> Sequence[Neighbour]:
        """`search` in Chroma alone: approximate, of what is written already."""
        with self._told("search failed"):
            return self._shelves.search(space, vector, k)

    def ids(self) -> frozenset[str]:
        """All ids that are held (with a server: those loaded at the start and our own)."""
        return self._memory.ids()

    def reconcile(self, live: Iterable[IndexEntry]) -> None:
        """Make the index hold exactly the `live` entries: after a crash some may differ."""
        wanted = {entry.id: entry for entry in live}
        self.remove(sorted(self.ids() - wanted.keys()))
        missing = [entry for entry in wanted.values() if self._spaces.get(entry.id) != entry.space]
        if missing:
            self.add(missing)

    def rebuild(self, live: Iterable[IndexEntry]) -> None:
        """Hold exactly these entries, in new files: of what was removed no byte is left.

        Searches go on meanwhile, and so does adding. A server's own files cannot be tidied from
        here: stop it, and run `chroma vacuum --path FOLDER`.
        """
        self.reconcile(live)
        self.flush()
        by_tenant: dict[str, list[IndexEntry]] = {tenant: [] for tenant in self._shelves.tenants}
        for entry in self._memory.entries():
            by_tenant.setdefault(entry.space.tenant, []).append(entry)
        with self._writing, self._told("could not be rebuilt"):
            for tenant, entries in by_tenant.items():
                self._shelves.replace(tenant, entries)
            if not self._shared:
                tidy(Path(self._place))

    def recall(self, sample: int) -> float:
        """The share of (so many) stored entries which Chroma finds by their own vectors."""
        chosen: dict[str, list[IndexEntry]] = {}
        for entry in islice(self._memory.entries(), sample):
            chosen.setdefault(entry.space.tenant, []).append(entry)
        count = sum(map(len, chosen.values()))
        with self._told("could not be searched"):
            found = sum(
                len(entries) * self._shelves.recall(tenant, entries)
                for tenant, entries in chosen.items()
            )
        return found / count if count else 1.0

    def flush(self) -> None:
        """Return when all changes are durable. Raises StorageError if they cannot be written."""
        self._writer.flush()

    def close(self) -> None:
        """Flush, then let go of the folder or the connection; a second call does nothing."""
        try:
            self._writer.close()
        finally:
            self._shelves.close()
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, fingerprint: str, *, fresh: bool) -> Shelves:
        with ExitStack() as undo:
            try:
                shared = self._shared
                client = open_server(self._place) if shared else open_folder(Path(self._place))
                undo.callback(client.close)
                if fresh:
                    drop_all(client, fingerprint)
                shelves = Shelves(client, self._place, fingerprint, sole=not shared)
            except CHROMA_ERRORS as error:
                problem = f"Chroma could not be opened: {error}; {_REMEDY}"
                raise StorageError(self._place, problem, retryable=self._shared) from error
            undo.pop_all()
        return shelves

    @contextmanager
    def _told(self, problem: str) -> Iterator[None]:
        """Say which index had what problem."""
        try:
            yield
        except CHROMA_ERRORS as error:
            raise StorageError(self._place, f"{problem}: {error}", retryable=True) from error

    def _load(self) -> None:
        if self._shelves.outdated and not self._shared:  # written by another version of Chroma
            for tenant in self._shelves.tenants:
                self._shelves.replace(tenant)
        page = list(self._shelves.read())
        self._memory.add(page)
        self._spaces = {entry.id: entry.space for entry in page}

    def _write(self, changes: Changes) -> None:
        gone: dict[str, list[str]] = {}
        for (tenant, entry_id), entry in changes.items():
            if entry is None:
                gone.setdefault(tenant, []).append(entry_id)
        with self._writing:
            for tenant, ids in gone.items():
                self._shelves.erase(ids, tenant)
            self._shelves.write([entry for entry in changes.values() if entry is not None])
            worn = self._shelves.worn()
            for tenant in worn:
                self._shelves.replace(tenant)
            if worn and not self._shared:
                remove_orphans(Path(self._place))

    def _release(self) -> None:
        if self._guard is not None:
            self._guard.release()


class ChromaOptions(BaseModel):
    """The options of the index "chroma" in the settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = None
    url: str | None = None
    batch: int = Field(default=512, ge=1)
    fresh: bool = False


def make(context: Context, options: Mapping[str, object]) -> ChromaIndex:
    """A Chroma index for the context's encoder; in its folder, unless a path or url is given.

    Raises SettingsError for options it does not know, or if there is no place to keep files.
    """
    try:
        wanted = ChromaOptions.model_validate(dict(options))
    except ValidationError as error:
        raise SettingsError(
            "index options", "chroma", str(error), "Known options: path, url, batch, fresh."
        ) from error
    path = wanted.path
    if path is None and wanted.url is None:
        if context.folder is None:
            raise SettingsError(
                "index options", "path", "no folder is given to keep files", "Set folder or path."
            )
        path = str(Path(context.folder) / "chroma")
    return ChromaIndex(
        path,
        url=wanted.url,
        dimension=context.dimension,
        fingerprint=context.fingerprint,
        batch=wanted.batch,
        fresh=wanted.fresh,
    )
