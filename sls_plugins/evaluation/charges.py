"""What a recorded call cost: as recorded, else at list prices.

Some traces lack costs: then a call costs the list prices times its recorded tokens. Some have
scores only: then the input is counted, and every answer is taken to have `ASSUMED_OUTPUT_TOKENS`.
Where the cost is known but the output tokens are not, they are those which the cost pays for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from sls_plugins.errors import PriceUnknownError
from sls_plugins.evaluation.traces import RecordedOutcome
from sls_plugins.types import Candidate, Usage

__all__ = ["ASSUMED_OUTPUT_TOKENS", "Charge", "CountTokens", "charge"]

ASSUMED_OUTPUT_TOKENS = 100
"""Output tokens of an answer whose length nobody recorded; the same for every candidate."""

CountTokens: TypeAlias = Callable[[str], int]
"""Number of tokens of a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one call cost; `usage` is flagged as estimated where tokens were not recorded."""

    cost_usd: float
    usage: Usage


def charge(
    outcome: RecordedOutcome, candidate: Candidate, prompt: str, count: CountTokens
) -> Charge:
    """The bill for one recorded call. Raises PriceUnknownError without cost and list prices."""
    usage = _usage(outcome, candidate, prompt, count)
    cost_usd = outcome.cost_usd
    if cost_usd is None:
        cost_usd = _list_price(candidate, usage)
    return Charge(cost_usd=cost_usd, usage=usage)


def _usage(
    outcome: RecordedOutcome, candidate: Candidate, prompt: str, count: CountTokens
) -> Usage:
    """Tokens as recorded; missing ones are counted, or follow from the recorded cost."""
    tokens_in, tokens_out = outcome.input_tokens, outcome.output_tokens
    estimated = tokens_in is None or tokens_out is None
    if tokens_in is None:
        tokens_in = count(prompt)
    if tokens_out is None and outcome.response is not None:
        tokens_out = count(outcome.response)
    if tokens_out is None:
        tokens_out = _paid_for(outcome.cost_usd, candidate, tokens_in)
    return Usage(input_tokens=tokens_in, output_tokens=tokens_out, estimated=estimated)


def _paid_for(cost_usd: float | None, candidate: Candidate, input_tokens: int) -> int:
    """Output tokens that a cost pays for at list prices, as far as both are known."""
    if cost_usd is None or not candidate.output_usd_per_mtok:
        return ASSUMED_OUTPUT_TOKENS
    left_usd = cost_usd - input_tokens * (candidate.input_usd_per_mtok or 0.0) / 1e6
    return max(1, round(left_usd / candidate.output_usd_per_mtok * 1e6))


def _list_price(candidate: Candidate, usage: Usage) -> float:
    if candidate.input_usd_per_mtok is None or candidate.output_usd_per_mtok is None:
        raise PriceUnknownError(candidate.name, "the trace records no costs for it")
    return (
        candidate.usd_per_query
        + usage.input_tokens * candidate.input_usd_per_mtok / 1e6
        + usage.output_tokens * candidate.output_usd_per_mtok / 1e6
    )
