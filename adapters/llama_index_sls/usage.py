"""Reads what providers tell beside their words: tokens, money, why an answer ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse

from sls_plugins.types import Usage

__all__ = ["Said", "billed_usd", "endings_of", "refusal_of", "response_id_of", "usage_of"]

Said = ChatResponse | CompletionResponse

_INPUT = ("prompt_tokens", "input_tokens", "prompt_token_count", "prompt_eval_count")
_OUTPUT = ("completion_tokens", "output_tokens", "candidates_token_count", "eval_count")
_CACHED = ("cached_tokens", "cache_read_input_tokens", "cached_content_token_count")
_BESIDE = ("cache_read_input_tokens", "cache_creation_input_tokens")
"""Input that Anthropic does not count among `input_tokens`."""
_REASONING = ("reasoning_tokens", "thoughts_token_count")
_BILLS = ("usage", "usage_metadata")
_REASONS = ("finish_reason", "stop_reason", "done_reason", "status")
_CHOICES = ("choices", "candidates")


def usage_of(said: Said) -> Usage | None:
    """Tokens as the provider counted them; None if it did not."""
    bill = _bill(said)
    tokens_in, tokens_out = _first(bill, _INPUT), _first(bill, _OUTPUT)
    if tokens_in is None and tokens_out is None:
        return None
    beside = sum(_number(bill, name) or 0 for name in _BESIDE)
    detailed_in = _first(_get(bill, "prompt_tokens_details"), _CACHED)
    detailed_out = _first(_get(bill, "completion_tokens_details"), _REASONING)
    return Usage(
        input_tokens=(tokens_in or 0) + beside,
        output_tokens=tokens_out or 0,
        cached_tokens=detailed_in or _first(bill, _CACHED) or 0,
        reasoning_tokens=detailed_out or _first(bill, _REASONING) or 0,
    )


def response_id_of(said: Said) -> str:
    """The provider's own name of a response; empty if it has none."""
    told = _get(said.raw, "id")
    return told if isinstance(told, str) else ""


def billed_usd(said: Said) -> float | None:
    """What the provider says it charged; OpenRouter and others put it beside the token counts."""
    cost = _get(_bill(said), "cost")
    return float(cost) if isinstance(cost, int | float) and cost >= 0 else None


def endings_of(said: Said) -> Iterator[str]:
    """Every reason that is given for the answer's end, in lower case."""
    for place in _places(said):
        for name in _REASONS:
            reason = _get(place, name)
            told = getattr(reason, "name", reason)  # some providers use an enumeration
            if isinstance(told, str) and told:
                yield told.lower()


def refusal_of(said: Said) -> bool:
    """Whether the provider marks the answer as a refusal."""
    return any(_get(_get(place, "message"), "refusal") for place in _places(said))


def _places(said: Said) -> Iterator[object]:
    """Where providers tell of an answer: at the top, in the first choice, beside the message."""
    yield said.raw
    for name in _CHOICES:
        choices = _get(said.raw, name)
        if isinstance(choices, list | tuple) and choices:
            yield choices[0]
    yield said.additional_kwargs
    if isinstance(said, ChatResponse):
        yield said.message.additional_kwargs


def _bill(said: Said) -> object:
    for name in _BILLS:
        bill = _get(said.raw, name)
        if bill is not None:
            return bill
    if _first(said.raw, _INPUT) is not None:
        return said.raw
    return said.additional_kwargs


def _get(place: object, name: str) -> Any:
    """A key or an attribute; providers' raw answers are dicts or objects."""
    return place.get(name) if isinstance(place, Mapping) else getattr(place, name, None)


def _number(place: object, name: str) -> int | None:
    value = _get(place, name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _first(place: object, names: tuple[str, ...]) -> int | None:
    """The first of these counts that is told."""
    return next((n for name in names if (n := _number(place, name)) is not None), None)
