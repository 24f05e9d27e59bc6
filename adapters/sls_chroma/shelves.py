"""Speaks with Chroma: opens collections, reads them whole, writes them in batches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import chromadb
import httpx
import numpy as np
from chromadb.api.client import Client
from chromadb.api.models.Collection import Collection
from chromadb.config import Settings
from chromadb.errors import ChromaError, NotFoundError

from sls_plugins.errors import EncoderMismatchError, SettingsError
from sls_plugins.types import IndexEntry, Neighbour, Space, Vector

__all__ = ["CHROMA_ERRORS", "Shelves", "open_folder", "open_server"]

CHROMA_ERRORS = (ChromaError, httpx.HTTPError, OSError, ValueError)
"""What Chroma raises when it cannot read or write."""

_PAGE = 5000
_PREFIX = "sls-"


def open_folder(path: Path) -> Client:
    """A client that keeps its files in a folder of this machine."""
    return _closable(chromadb.PersistentClient(path=path, settings=_quiet()))


def open_server(url: str) -> Client:
    """A client of a Chroma server, "http://host:port"."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(
            "index options", "url", f"{url!r} is no web address", 'Use "http://host:port".'
        )
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 8000)
    return _closable(
        chromadb.HttpClient(host=parts.hostname, port=port, ssl=secure, settings=_quiet())
    )


class Shelves:
    """The collections of one encoder in one Chroma: one for each tenant, all by cosine."""

    def __init__(self, client: Client, place: str, fingerprint: str, *, sole: bool) -> None:
        """`sole`: nothing of another encoder may live in this place.

        Raises EncoderMismatchError for vectors of another encoder, or not compared by cosine.
        """
        self._client = client
        self._place = place
        self._fingerprint = fingerprint
        self._collections: dict[str, Collection] = {}
        for collection in client.list_collections():
            if collection.name.startswith(_PREFIX):
                self._take(collection, sole=sole)

    def read(self) -> Iterator[IndexEntry]:
        """All that is stored, in pages."""
        for tenant in list(self._collections):
            collection, offset = self._collections[tenant], 0
            while True:
                page = collection.get(
                    limit=_PAGE, offset=offset, include=["embeddings", "metadatas"]
                )
                vectors, metadatas = page["embeddings"], page["metadatas"]
                if not page["ids"] or vectors is None or metadatas is None:
                    break
                for entry_id, vector, metadata in zip(page["ids"], vectors, metadatas, strict=True):
                    space = Space(tenant=tenant, scope=str(metadata["scope"]))
                    found = np.asarray(vector, dtype=np.float32)
                    yield IndexEntry(id=entry_id, space=space, vector=found)
                offset += _PAGE

    def write(self, entries: Sequence[IndexEntry]) -> None:
        """Take in entries, whether their ids are known or not."""
        by_tenant: dict[str, list[IndexEntry]] = {}
        for entry in entries:
            by_tenant.setdefault(entry.space.tenant, []).append(entry)
        for tenant, group in by_tenant.items():
            collection = self._of(tenant)
            for start in range(0, len(group), _PAGE):
                page = group[start : start + _PAGE]
                collection.upsert(
                    ids=[entry.id for entry in page],
                    embeddings=np.stack([entry.vector for entry in page]),
                    metadatas=[{"scope": entry.space.scope} for entry in page],
                )

    def erase(self, ids: Sequence[str], tenant: str) -> None:
        """Drop entries of a tenant; unknown ids are ignored."""
        collection = self._collections.get(tenant)
        if collection is None:
            return
        for start in range(0, len(ids), _PAGE):
            collection.delete(ids=list(ids[start : start + _PAGE]))

    def search(self, space: Space, vector: Vector, k: int) -> Sequence[Neighbour]:
        """Up to k nearest stored entries of a space, most similar first (approximate)."""
        collection = self._collections.get(space.tenant) or self._made_elsewhere(space.tenant)
        if collection is None:
            return ()
        found = collection.query(
            query_embeddings=vector[np.newaxis],
            n_results=k,
            where={"scope": space.scope},
            include=["distances"],
        )
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
        if tenant not in self._collections:
            collection = self._client.get_or_create_collection(
                name=self._name(tenant),
                embedding_function=None,
                configuration={"hnsw": {"space": "cosine"}},
                metadata={"sls_fingerprint": self._fingerprint, "sls_tenant": tenant},
            )
            self._take(collection, sole=True)
        return self._collections[tenant]

    def _made_elsewhere(self, tenant: str) -> Collection | None:
        """The collection that another client of the server made meanwhile, if any."""
        try:
            collection = self._client.get_collection(self._name(tenant), embedding_function=None)
        except NotFoundError:
            return None
        self._take(collection, sole=True)
        return collection

    def _name(self, tenant: str) -> str:
        return f"{_PREFIX}{_digest(tenant)}-{_digest(self._fingerprint)}"

    def _take(self, collection: Collection, *, sole: bool) -> None:
        metadata = collection.metadata or {}
        stored = str(metadata.get("sls_fingerprint", ""))
        if stored != self._fingerprint:
            if sole:
                self._refuse(stored, self._fingerprint)
            return
        # `collection.configuration` would revive the embedding function, of which there is none.
        hnsw: Mapping[str, object] = collection.configuration_json.get("hnsw") or {}
        if hnsw.get("space") != "cosine":
            self._refuse(f"{stored} compared by {hnsw.get('space')}", "compared by cosine")
        self._collections[str(metadata.get("sls_tenant", ""))] = collection

    def _refuse(self, stored: str, configured: str) -> None:
        raise EncoderMismatchError(
            f"the Chroma index at {self._place}",
            stored,
            configured,
            "Give the index a path of its own for each encoder, or delete this one: it is rebuilt "
            "from the stored rows.",
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _quiet() -> Settings:
    return Settings(anonymized_telemetry=False)


def _closable(client: object) -> Client:
    assert isinstance(client, Client)
    return client
