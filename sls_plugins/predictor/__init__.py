"""The predictor room: what to expect of each candidate before it is asked."""

from sls_plugins.predictor.online import OnlinePredictor

__all__ = ["OnlinePredictor"]
