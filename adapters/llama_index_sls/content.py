"""What a query engine's answers depend on besides the question: content, settings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.indices.base import BaseIndex
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.schema import BaseComponent
from llama_index.core.storage.docstore.types import BaseDocumentStore
from pydantic import BaseModel

from sls_plugins.errors import InputError

__all__ = ["content_of", "indexes_behind", "is_seen", "settings_of"]

_RETRIEVAL = (
    "_alpha",
    "_doc_ids",
    "_filters",
    "_hybrid_top_k",
    "_kwargs",
    "_similarity_top_k",
    "_sparse_top_k",
    "_vector_store_query_mode",
)
"""Where LlamaIndex's retrievers keep what narrows their search."""

_SYNTHESIS = ("_streaming", "_output_cls", "_empty_response")
"""Where its response synthesizers keep what shapes the answer, besides their prompts."""

_PARTS = ("_retriever", "_response_synthesizer", "_query_engine", "_node_postprocessors")
"""Where its query engines keep the parts that they are made of."""


def indexes_behind(query_engine: BaseQueryEngine) -> tuple[BaseIndex[Any], ...]:
    """The indexes from which a query engine retrieves, as far as they can be found."""
    found: dict[int, BaseIndex[Any]] = {}
    seen: set[int] = set()
    waiting: list[object] = [query_engine]
    while waiting:
        part = waiting.pop()
        if part is None or id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, BaseIndex):
            found[id(part)] = part
            continue
        waiting += [getattr(part, name, None) for name in ("_index", "_retriever", "_query_engine")]
        waiting += _several(part)
    return tuple(found.values())


def content_of(index: BaseIndex[Any]) -> str:
    """A digest of all texts that an index holds: the same texts give the same, in any process.

    It reads the hash of every node. Raises InputError for an index whose texts only its vector
    store knows.
    """
    hashes = _held(index)
    if hashes is None:
        raise InputError(
            f"what is in this {type(index).__name__} only its vector store knows: say by "
            "CachedQueryEngine(epoch=…) which version of the content is asked"
        )
    return _digest(hashes)


def is_seen(index: BaseIndex[Any]) -> bool:
    """Whether `content_of` can tell what is in the index."""
    return _held(index) is not None


def settings_of(query_engine: BaseQueryEngine) -> dict[str, object]:
    """Retrieval filters, prompts and other settings of a query engine, as plain values."""
    return {
        "kind": type(query_engine).__name__,
        "prompts": {
            name: _template(prompt) for name, prompt in sorted(query_engine.get_prompts().items())
        },
        "parts": [_part(part) for part in _parts_of(query_engine)],
    }


def _held(index: BaseIndex[Any]) -> list[str] | None:
    """The hashes of all texts in the index; None if only its vector store knows them."""
    named = _node_ids(index)
    blind = bool(getattr(getattr(index, "vector_store", None), "stores_text", False))
    if named or (named is not None and not blind):
        return _hashes(index.docstore, named)
    hashes = list(index.docstore.get_all_document_hashes())
    return None if blind and not hashes else hashes


def _hashes(docstore: BaseDocumentStore, node_ids: Iterable[str]) -> list[str]:
    """The nodes' text hashes; the id of a node that the document store does not know."""
    return [docstore.get_document_hash(node_id) or node_id for node_id in node_ids]


def _digest(texts: Iterable[str]) -> str:
    """One digest of a bag of texts, in whatever order they come."""
    digest = hashlib.sha256()
    for each in sorted(texts):
        digest.update(each.encode("utf-8", "surrogatepass") + b"\x00")
    return digest.hexdigest()


def _node_ids(index: BaseIndex[Any]) -> Sequence[str] | None:
    """The nodes that an index's structure names; the document store may hold deleted ones, too."""
    structure = index.index_struct
    named = getattr(structure, "nodes_dict", None)
    if isinstance(named, Mapping):
        return tuple(named.values())
    listed = getattr(structure, "nodes", getattr(structure, "node_ids", None))
    return tuple(listed) if isinstance(listed, list | set | tuple) else None


def _several(part: object) -> list[object]:
    """The members of parts that combine others: routers, fusions, sub-questions."""
    found: list[object] = []
    for name in ("_query_engines", "_retrievers", "_retriever_tools", "_query_engine_tools"):
        members = getattr(part, name, None)
        if isinstance(members, Mapping):
            members = list(members.values())
        if isinstance(members, list | tuple):
            found += [getattr(member, "query_engine", member) for member in members]
    return found


def _parts_of(query_engine: object) -> Iterable[object]:
    """The query engine's parts, those inside them, and so on."""
    waiting, seen = [query_engine], set[int]()
    while waiting:
        part = waiting.pop(0)
        if part is None or id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        for name in _PARTS:
            inner = getattr(part, name, None)
            waiting += inner if isinstance(inner, list) else [inner]
        waiting += _several(part)


def _part(part: object) -> list[object]:
    """A part's kind and what shapes its work."""
    told = {
        name: _plain(getattr(part, name))
        for name in (*_RETRIEVAL, *_SYNTHESIS)
        if hasattr(part, name)
    }
    nodes, docstore = getattr(part, "_node_ids", None), getattr(part, "_docstore", None)
    if isinstance(nodes, list) and isinstance(docstore, BaseDocumentStore):
        told["nodes"] = _digest(_hashes(docstore, nodes))  # a retriever's own list, as it was made
    if isinstance(part, BaseComponent):
        told["fields"] = {name: _plain(value) for name, value in part if not callable(value)}
    llm = getattr(part, "_llm", None)
    if llm is not None:
        told["llm"] = llm.metadata.model_name
    return [type(part).__name__, told]


def _plain(value: object) -> object:
    """The value as JSON has it; the text of its kind where it has no such form."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, BaseModel):
        return {name: _plain(each) for name, each in value}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    return value.__name__ if isinstance(value, type) else type(value).__name__


def _template(prompt: BasePromptTemplate) -> str:
    return prompt.get_template()
