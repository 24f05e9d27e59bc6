"""Turns a query engine's response into an answer that can be kept, and back."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from llama_index.core.base.response.schema import (
    RESPONSE_TYPE,
    AsyncStreamingResponse,
    PydanticResponse,
    Response,
    StreamingResponse,
)
from llama_index.core.schema import NodeWithScore
from llama_index.core.storage.docstore.utils import doc_to_json, json_to_doc
from pydantic import BaseModel

__all__ = ["DECISIONS", "EMPTY", "FACTS", "Kept", "Stream", "kept_of", "model_name"]

DECISIONS = "sls_decision_ids"
"""Where a response's metadata tells the decisions that it came of."""

FACTS = "sls"
"""Where a response's metadata tells its own decision."""

EMPTY = "Empty Response"
"""What LlamaIndex says when no node was found."""

Stream: TypeAlias = StreamingResponse | AsyncStreamingResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is kept of a response: its words or object, its nodes, what else it tells.

    `nodes` and `metadata` are in LlamaIndex's own serialised form, `model` is the name of the class
    of an object, `streams` whether the words came as a stream.
    """

    text: str
    nodes: Sequence[Mapping[str, Any]] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    streams: bool = False

    @property
    def is_worth_keeping(self) -> bool:
        """Whether anything was said."""
        return bool(self.text.strip()) and not (self.text.strip() == EMPTY and not self.nodes)

    def payload(self) -> str:
        """All of it but the words, as JSON."""
        told = {
            "nodes": self.nodes,
            "metadata": self.metadata,
            "model": self.model,
            "streams": self.streams,
        }
        return json.dumps(told)

    @classmethod
    def read(cls, text: str, payload: str) -> Kept:
        """What `payload` gave, with its words."""
        return cls(text=text, **json.loads(payload))

    def scored(self) -> list[NodeWithScore]:
        """The nodes, made anew."""
        return [_node(each) for each in self.nodes]

    def response(
        self, facts: Mapping[str, Any], model: type[BaseModel] | None, *, blocking: bool
    ) -> RESPONSE_TYPE:
        """A new response of the same kind, with nodes of its own, which tells these facts."""
        nodes = self.scored()
        metadata = {**json.loads(json.dumps(self.metadata)), FACTS: dict(facts)}
        if self.model and model is not None:
            said = model.model_validate_json(self.text)
            return PydanticResponse(said, source_nodes=nodes, metadata=metadata)
        if not self.streams:
            return Response(self.text, source_nodes=nodes, metadata=metadata)
        if blocking:
            return StreamingResponse(_once(self.text), source_nodes=nodes, metadata=metadata)
        return AsyncStreamingResponse(_aonce(self.text), source_nodes=nodes, metadata=metadata)


def kept_of(response: RESPONSE_TYPE, text: str | None = None) -> Kept:
    """What to keep of a response; `text` are the words of a stream, once they are known.

    Metadata without a plain form (objects of other parts) is left out.
    """
    said = response.response if isinstance(response, Response | PydanticResponse) else text
    return Kept(
        text=said.model_dump_json() if isinstance(said, BaseModel) else said or "",
        nodes=[_plain_node(node) for node in response.source_nodes],
        metadata={
            key: value
            for key, value in (response.metadata or {}).items()
            if key not in {DECISIONS, FACTS} and _is_plain(value)
        },
        model=model_name(type(said)) if isinstance(said, BaseModel) else "",
        streams=isinstance(response, StreamingResponse | AsyncStreamingResponse),
    )


def model_name(model: type[BaseModel]) -> str:
    """The name by which a class of objects is known again."""
    return f"{model.__module__}.{model.__qualname__}"


def _plain_node(scored: NodeWithScore) -> dict[str, Any]:
    """A node without its embedding, which no reader of an answer needs."""
    bare = scored.node.model_copy(update={"embedding": None})
    score = None if scored.score is None else float(scored.score)
    return {"node": doc_to_json(bare), "score": score}


def _node(told: Mapping[str, Any]) -> NodeWithScore:
    return NodeWithScore(node=json_to_doc(told["node"]), score=told["score"])


def _is_plain(value: object) -> bool:
    """Whether JSON gives back what it was given."""
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError):
        return False


def _once(text: str) -> Generator[str, None, None]:
    yield text


async def _aonce(text: str) -> AsyncGenerator[str, None]:
    yield text
