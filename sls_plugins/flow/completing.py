"""Fills in what a host did not tell of an answer."""

from __future__ import annotations

from dataclasses import replace

from sls_plugins.flow.parts import Parts
from sls_plugins.types import Answer, Query, Usage

__all__ = ["completed"]


def completed(parts: Parts, query: Query, name: str, said: Answer) -> Answer:
    """The provider's answer with everything filled in that the host did not tell."""
    usage = said.usage or Usage(
        input_tokens=query.input_tokens or 0,
        output_tokens=parts.tokens.count(said.text).tokens,
        estimated=True,
    )
    cost = said.cost_usd
    if cost is None:
        cost = parts.cost_usd(parts.candidates[name], usage)
    return replace(said, candidate=name, usage=usage, cost_usd=cost)
