"""What a call takes: tokens counted, US dollars reckoned."""

from sls_plugins.tokens.counter import TiktokenCounter
from sls_plugins.tokens.estimate import estimate_tokens
from sls_plugins.tokens.prices import Price, cost_usd, price_of, priced

__all__ = ["Price", "TiktokenCounter", "cost_usd", "estimate_tokens", "price_of", "priced"]
