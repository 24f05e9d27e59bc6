"""Speaks with Chroma: opens collections, reads them whole, writes them in batches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

import chromadb
import httpx
import numpy as np
from chromadb.api.client import Client
from chromadb.api.models.Collection import Collection
from chromadb.api.types import QueryResult
from chromadb.config import Settings
from chromadb.errors import ChromaError, NotFoundError

from sls_plugins.errors import EncoderMismatchError, SettingsError
from sls_plugins.types import IndexEntry, Neighbour, Space, Vector

__all__ = ["CHROMA_ERRORS", "Shelves", "drop_all", "open_folder", "open_server"]

CHROMA_ERRORS = (ChromaError, httpx.HTTPError, OSError, ValueError)
"""What Chroma raises when it cannot read or write."""

_PAGE = 5000
_PREFIX = "sls-"
_DEAD_SHARE = 0.3
_FEW_DEAD = 200
_VERSIONS = ("/api/v2/version", "/api/v1/version")
_TELL_S = 10.0
"""How long a server may take to tell its version."""

_SAME = 1e-4
"""Vectors nearer than this are the same but for rounding."""


def open_folder(path: Path) -> Client:
    """A client that keeps its files in a folder of this machine."""
    return _closable(chromadb.PersistentClient(path=path, settings=_quiet()))


def open_server(url: str) -> Client:
    """A client of a Chroma server, "http://host:port".

    Raises SettingsError if that is no address, or if a server of another version is found there.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(
            "index options", "url", f"{url!r} is no web address", 'Use "http://host:port".'
        )
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 8000)
    _check_server(f"{parts.scheme}://{parts.hostname}:{port}")
    return _closable(
        chromadb.HttpClient(host=parts.hostname, port=port, ssl=secure, settings=_quiet())
    )


def _check_server(url: str) -> None:
    """Refuse a server that speaks as another major version does; one that is away is tried later.

    A server tells the version of its interface, which is 1.0.0 for all of 1.x; older ones only know
    an older path to it.
    """
    for path in _VERSIONS:
        try:
            told = httpx.get(f"{url}{path}", timeout=_TELL_S, follow_redirects=True)
        except httpx.HTTPError:
            return
        if told.status_code == httpx.codes.OK:
            break
    else:
        return
    version, mine = told.text.strip().strip('"'), chromadb.__version__
    if version.split(".")[0] != mine.split(".")[0]:
        raise SettingsError(
            "index options",
            "url",
            f"the Chroma server at {url} is of version {version}, this program's Chroma of {mine}",
            f"Run there: pip install chromadb=={mine}; chroma run --path FOLDER",
        )


def drop_all(client: Client, fingerprint: str) -> None:
    """Drop all collections of one encoder."""
    for collection in client.list_collections():
        mine = _facts(collection).get("sls_fingerprint") == fingerprint
        if collection.name.startswith(_PREFIX) and mine:
            client.delete_collection(collection.name)


class Shelves:
    """The collections of one encoder in one Chroma: one for each tenant, all by cosine.

    A collection that is mostly dead is replaced by a new one with the next number, which counts as
    soon as it says that it is ready.
    """

    def __init__(self, client: Client, place: str, fingerprint: str, *, sole: bool) -> None:
        """`sole`: nothing of another encoder may live in this place, and nobody else writes there.

        Raises EncoderMismatchError for vectors of another encoder, or not compared by cosine.
        """
        self._client = client
        self._place = place
        self._fingerprint = fingerprint
        self._sole = sole
        self._collections: dict[str, Collection] = {}
        self._dead: dict[str, int] = {}
        self.outdated = False
        for collection in client.list_collections():
            if collection.name.startswith(_PREFIX):
                self._take(collection, sole=sole)

    @property
    def tenants(self) -> tuple[str, ...]:
        """Whose collections are known."""
        return tuple(self._collections)

    def read(self) -> Iterator[IndexEntry]:
        """All that is stored, in pages."""
        for tenant in self.tenants:
            yield from _entries(self._collections[tenant], tenant)

    def write(self, entries: Sequence[IndexEntry]) -> None:
        """Take in entries, whether their ids are known or not."""
        by_tenant: dict[str, list[IndexEntry]] = {}
        for entry in entries:
            by_tenant.setdefault(entry.space.tenant, []).append(entry)
        for tenant, group in by_tenant.items():
            collection = self._of(tenant)
            try:
                _upsert(collection, group)
            except NotFoundError:  # replaced by another process meanwhile
                self._collections.pop(tenant, None)
                _upsert(self._of(tenant), group)

    def erase(self, ids: Sequence[str], tenant: str) -> None:
        """Drop entries of a tenant; unknown ids are ignored."""
        collection = self._collections.get(tenant) or self._made_elsewhere(tenant)
        if collection is None:
            return
        for start in range(0, len(ids), _PAGE):
            collection.delete(ids=list(ids[start : start + _PAGE]))
        self._dead[tenant] = self._dead.get(tenant, 0) + len(ids)

    def worn(self) -> tuple[str, ...]:
        """Tenants in whose collections so much was dropped that searches suffer."""
        return tuple(
            tenant
            for tenant, dead in self._dead.items()
            if dead >= _FEW_DEAD
            and tenant in self._collections
            and dead > _DEAD_SHARE * (dead + self._collections[tenant].count())
        )

    def replace(self, tenant: str, entries: Iterable[IndexEntry] | None = None) -> None:
        """Put a new collection in the place of a tenant's: with its live entries, or these.

        Searches go on in the old one until the new one is complete.
        """
        old = self._collections.get(tenant)
        if entries is None:
            entries = () if old is None else _entries(old, tenant)
        number = 0 if old is None else int(str(_facts(old).get("sls_number", 0))) + 1
        fresh = self._make(tenant, number, ready=False)
        for page in _pages(entries):
            _upsert(fresh, page)
        fresh.modify(metadata=self._told(tenant, number, ready=True))
        self._collections[tenant] = fresh
        self._dead.pop(tenant, None)
        if old is not None:
            self._client.delete_collection(old.name)

    def recall(self, tenant: str, sample: Sequence[IndexEntry]) -> float:
        """The share of these stored entries which Chroma finds by their own vectors."""
        collection = self._collections.get(tenant)
        if collection is None or not sample:
            return 1.0 if not sample else 0.0
        found = collection.query(
            query_embeddings=np.stack([entry.vector for entry in sample]),
            n_results=1,
            include=["distances"],
        )
        near = found["distances"] or []
        return sum(bool(row) and float(row[0]) < _SAME for row in near) / len(sample)

    def search(self, space: Space, vector: Vector, k: int) -> Sequence[Neighbour]:
        """Up to k nearest stored entries of a space, most similar first (approximate)."""
        collection = self._collections.get(space.tenant) or self._made_elsewhere(space.tenant)
        if collection is None:
            return ()
        try:
            found = _nearest(collection, space, vector, k)
        except NotFoundError:  # replaced by another process meanwhile
            self._collections.pop(space.tenant, None)
            collection = self._made_elsewhere(space.tenant)
            if collection is None:
                return ()
            found = _nearest(collection, space, vector, k)
        distances = found["distances"]
        if distances is None:
            return ()
        return tuple(
            Neighbour(entry_id, min(1.0, max(-1.0, 1.0 - float(distance))))
            for entry_id, distance in zip(found["ids"][0], distances[0], strict=True)
        )

    def close(self) -> None:
        """Let go of files and connections."""
        self._collections.clear()
        self._client.close()

    def _of(self, tenant: str) -> Collection:
        found = self._collections.get(tenant) or self._made_elsewhere(tenant)
        if found is None:
            self._take(self._make(tenant, 0, ready=True), sole=True)
            found = self._collections[tenant]
        return found

    def _make(self, tenant: str, number: int, *, ready: bool) -> Collection:
        return self._client.get_or_create_collection(
            name=self._name(tenant, number),
            embedding_function=None,
            configuration={"hnsw": {"space": "cosine"}},
            metadata=self._told(tenant, number, ready=ready),
        )

    def _told(self, tenant: str, number: int, *, ready: bool) -> dict[str, str | int | bool]:
        return {
            "sls_fingerprint": self._fingerprint,
            "sls_tenant": tenant,
            "sls_number": number,
            "sls_ready": ready,
            "sls_chroma": _version(),
        }

    def _made_elsewhere(self, tenant: str) -> Collection | None:
        """The collection that another client of the server made meanwhile, if any."""
        if self._sole:
            return None
        begin = self._name(tenant, 0)
        for collection in self._client.list_collections():
            if collection.name == begin or collection.name.startswith(f"{begin}-"):
                self._take(collection, sole=True)
        return self._collections.get(tenant)

    def _name(self, tenant: str, number: int) -> str:
        name = f"{_PREFIX}{_digest(tenant)}-{_digest(self._fingerprint)}"
        return f"{name}-{number}" if number else name

    def _take(self, collection: Collection, *, sole: bool) -> None:
        metadata = _facts(collection)
        stored = str(metadata.get("sls_fingerprint", ""))
        if stored != self._fingerprint:
            if sole:
                self._refuse(stored, self._fingerprint)
            return
        # `collection.configuration` would revive the embedding function, of which there is none.
        hnsw: Mapping[str, object] = collection.configuration_json.get("hnsw") or {}
        if hnsw.get("space") != "cosine":
            self._refuse(f"{stored} compared by {hnsw.get('space')}", "compared by cosine")
        if not metadata.get("sls_ready", True):
            if self._sole:  # left behind by a process that died while it wrote
                self._client.delete_collection(collection.name)
            return
        self.outdated = self.outdated or metadata.get("sls_chroma") != _version()
        tenant = str(metadata.get("sls_tenant", ""))
        other = self._collections.get(tenant)
        if other is not None and _number(other) > _number(collection):
            other, collection = collection, other
        self._collections[tenant] = collection
        if other is not None and other.name != collection.name and self._sole:
            self._client.delete_collection(other.name)

    def _refuse(self, stored: str, configured: str) -> None:
        raise EncoderMismatchError(
            f"the Chroma index at {self._place}",
            stored,
            configured,
            "Give the index a path of its own for each encoder, or have this one rebuilt from the "
            "stored rows: sls doctor SETTINGS --rebuild",
        )


def _facts(collection: Collection) -> Mapping[str, object]:
    return collection.metadata or {}


def _number(collection: Collection) -> int:
    return int(str(_facts(collection).get("sls_number", 0)))


def _version() -> str:
    """The version of Chroma, without its last part."""
    return ".".join(chromadb.__version__.split(".")[:2])


def _nearest(collection: Collection, space: Space, vector: Vector, k: int) -> QueryResult:
    return collection.query(
        query_embeddings=vector[np.newaxis],
        n_results=k,
        where={"scope": space.scope},
        include=["distances"],
    )


def _entries(collection: Collection, tenant: str) -> Iterator[IndexEntry]:
    """All that is stored in a collection, in pages."""
    offset = 0
    while True:
        page = collection.get(limit=_PAGE, offset=offset, include=["embeddings", "metadatas"])
        vectors, metadatas = page["embeddings"], page["metadatas"]
        if not page["ids"] or vectors is None or metadatas is None:
            return
        for entry_id, vector, metadata in zip(page["ids"], vectors, metadatas, strict=True):
            space = Space(tenant=tenant, scope=str(metadata["scope"]))
            yield IndexEntry(id=entry_id, space=space, vector=np.asarray(vector, dtype=np.float32))
        offset += _PAGE


def _pages(entries: Iterable[IndexEntry]) -> Iterator[Sequence[IndexEntry]]:
    left = iter(entries)
    while page := list(islice(left, _PAGE)):
        yield page


def _upsert(collection: Collection, entries: Sequence[IndexEntry]) -> None:
    for page in _pages(entries):
        collection.upsert(
            ids=[entry.id for entry in page],
            embeddings=np.stack([entry.vector for entry in page]),
            metadatas=[{"scope": entry.space.scope} for entry in page],
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _quiet() -> Settings:
    return Settings(anonymized_telemetry=False)


def _closable(client: object) -> Client:
    assert isinstance(client, Client)
    return client
