"""Turns LangChain's generations into an answer that can be kept, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.outputs import ChatGeneration, Generation

from langchain_sls.answers import BILLS, is_finished, message_answer, message_of
from sls_plugins.types import Answer

__all__ = ["answer_of_generations", "generations_of"]


def answer_of_generations(generations: Sequence[Generation]) -> Answer:
    """All generations of one call as one answer; it is cacheable if every one is whole."""
    said = [_said(each) for each in generations]
    stored = [_stored(each, one) for each, one in zip(generations, said, strict=True)]
    cacheable = bool(said) and all(one.cacheable for one in said)
    return Answer(
        text="\n\n".join(one.text for one in said),
        candidate=said[0].candidate if said else "",
        usage=said[0].usage if said else None,
        cacheable=cacheable,
        calls_tools=any(one.calls_tools for one in said),
        payload=json.dumps(stored, ensure_ascii=False, default=str) if cacheable else None,
    )


def generations_of(answer: Answer) -> list[Generation]:
    """New generations for a stored answer; messages cost no tokens and tell their decision."""
    assert answer.payload is not None
    return [_restored(stored, answer) for stored in json.loads(answer.payload)]


def _said(generation: Generation) -> Answer:
    info = generation.generation_info or {}
    if not isinstance(generation, ChatGeneration):
        whole = bool(generation.text.strip()) and is_finished(info)
        return Answer(text=generation.text, cacheable=whole)
    said = message_answer(generation.message, latency_s=None, raw=None)
    metadata = generation.message.response_metadata
    # An answer of an engine is in that engine's cache, under its own decision.
    ours = "sls" in metadata
    return replace(
        said,
        candidate=str(metadata.get("model_name") or metadata.get("model") or ""),
        cacheable=said.cacheable and is_finished(info, by_calls=said.calls_tools) and not ours,
    )


def _stored(generation: Generation, said: Answer) -> dict[str, Any]:
    info = generation.generation_info
    return {
        "text": generation.text,
        "info": info and {key: value for key, value in info.items() if key not in BILLS},
        "message": said.payload if isinstance(generation, ChatGeneration) else None,
    }


def _restored(stored: Mapping[str, Any], answer: Answer) -> Generation:
    if stored["message"] is None:
        return Generation(text=stored["text"], generation_info=stored["info"])
    message = message_of(replace(answer, payload=stored["message"]))
    message.response_metadata = {**message.response_metadata, "sls": answer.facts()}
    return ChatGeneration(message=message, generation_info=stored["info"])
