"""List prices by model name, from the data that the package genai-prices carries.

Needs the extra `prices`. No network: prices are as of the installed version.
"""

from __future__ import annotations

from datetime import UTC, datetime

from genai_prices import Usage, calc_price

from sls_plugins.tokens.prices import Price

__all__ = ["find_price"]

PROBE_TOKENS = 1000
"""Few enough for the first tier of prices that grow with the context."""


def find_price(name: str, provider: str | None) -> Price | None:
    """The list price of a model, None if it is not in the table.

    `name` may have a provider in front ("openai/gpt-4o"). Of tiered prices the first is taken.
    """
    front, _, rest = name.partition("/")
    places = [(name, provider)]
    if rest and provider is None:
        places.append((rest, front))
    for model, where in places:
        try:
            return _probe(model, where)
        except LookupError:
            continue
    return None


def _probe(model: str, provider: str | None) -> Price:
    """Prices as those of a small call at noon UTC; LookupError if the model is not known.

    At noon, for some providers sell cheaper at night: a price must not hang on the hour at which
    an engine was started.
    """
    noon = datetime.now(tz=UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    whole = Usage(input_tokens=PROBE_TOKENS, output_tokens=PROBE_TOKENS)
    repeated = Usage(input_tokens=PROBE_TOKENS, cache_read_tokens=PROBE_TOKENS)
    plain = calc_price(whole, model, provider_id=provider, genai_request_timestamp=noon)
    cached = calc_price(repeated, model, provider_id=provider, genai_request_timestamp=noon)
    return Price(
        input_usd_per_mtok=float(plain.input_price * 1_000_000 / PROBE_TOKENS),
        output_usd_per_mtok=float(plain.output_price * 1_000_000 / PROBE_TOKENS),
        cached_input_usd_per_mtok=float(cached.input_price * 1_000_000 / PROBE_TOKENS),
    )
