"""What a call of a candidate costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from sls_plugins.errors import PriceUnknownError
from sls_plugins.types import Candidate, Usage

__all__ = ["Price", "cost_usd", "price_of", "priced"]

TABLE = "sls_plugins.tokens.price_table"
"""The module that looks prices up; it needs the extra `prices`, so it is imported by name."""

TABLE_PACKAGE = "genai_prices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """List prices in USD per million tokens, and a fixed fee per query.

    Without a price of their own, cached tokens cost what other input tokens cost, and reasoning
    tokens, which are counted among the output's, what other output tokens cost.
    """

    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cached_input_usd_per_mtok: float | None = None
    reasoning_usd_per_mtok: float | None = None
    usd_per_query: float = 0.0

    def cost_usd(self, usage: Usage) -> float:
        """What this usage costs."""
        cached = min(usage.cached_tokens, usage.input_tokens)
        cached_price = self.cached_input_usd_per_mtok
        if cached_price is None:
            cached_price = self.input_usd_per_mtok
        reasoning = min(usage.reasoning_tokens, usage.output_tokens)
        reasoning_price = self.reasoning_usd_per_mtok
        if reasoning_price is None:
            reasoning_price = self.output_usd_per_mtok
        micro_usd = (
            (usage.input_tokens - cached) * self.input_usd_per_mtok
            + cached * cached_price
            + (usage.output_tokens - reasoning) * self.output_usd_per_mtok
            + reasoning * reasoning_price
        )
        return micro_usd / 1e6 + self.usd_per_query


class PriceTable(Protocol):
    """What the module `TABLE` can do."""

    def find_price(self, name: str, provider: str | None) -> Price | None:
        """The list price of a model, None if it is not in the table."""


def price_of(candidate: Candidate) -> Price:
    """The candidate's own prices; what it does not tell is looked up by its name.

    Raises PriceUnknownError if the input's or the output's price is not known then.
    """
    input_price, output_price = candidate.input_usd_per_mtok, candidate.output_usd_per_mtok
    cached_price = candidate.cached_input_usd_per_mtok
    if input_price is None or output_price is None:
        listed = _look_up(candidate)
        if input_price is None:
            input_price = listed.input_usd_per_mtok
            cached_price = (
                listed.cached_input_usd_per_mtok if cached_price is None else cached_price
            )
        if output_price is None:
            output_price = listed.output_usd_per_mtok
    return Price(
        input_usd_per_mtok=input_price,
        output_usd_per_mtok=output_price,
        cached_input_usd_per_mtok=cached_price,
        reasoning_usd_per_mtok=candidate.reasoning_usd_per_mtok,
        usd_per_query=candidate.usd_per_query,
    )


def cost_usd(candidate: Candidate, usage: Usage) -> float:
    """What a call with this usage costs. Raises PriceUnknownError."""
    return price_of(candidate).cost_usd(usage)


def priced(candidate: Candidate) -> Candidate:
    """The candidate with all its prices filled in. Raises PriceUnknownError."""
    price = price_of(candidate)
    cached = price.cached_input_usd_per_mtok
    return replace(
        candidate,
        input_usd_per_mtok=price.input_usd_per_mtok,
        output_usd_per_mtok=price.output_usd_per_mtok,
        cached_input_usd_per_mtok=price.input_usd_per_mtok if cached is None else cached,
    )


def _look_up(candidate: Candidate) -> Price:
    """The table's price for the candidate."""
    name = candidate.price_name or candidate.name
    if find_spec(TABLE_PACKAGE) is None:
        raise PriceUnknownError(
            candidate.name,
            "none is given, and the price table is not installed "
            '(pip install "sls-plugins[prices]")',
        )
    table = cast("PriceTable", import_module(TABLE))
    price = table.find_price(name, candidate.provider)
    if price is None:
        where = f" of provider {candidate.provider!r}" if candidate.provider else ""
        raise PriceUnknownError(
            candidate.name, f"none is given, and the price table has no {name!r}{where}"
        )
    return price
