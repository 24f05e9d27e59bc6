"""Keeps the receipts of decisions while they are being looked at."""

from __future__ import annotations

from sls_plugins.hookspecs import hookimpl
from sls_plugins.types import CacheHit, Decision, Query

__all__ = ["Receipts"]


class Receipts:
    """An observer plugin: what the engine decided, by decision id, until it is taken."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: dict[str, Decision | CacheHit] = {}

    @hookimpl
    def sls_decided(self, query: Query, decision: Decision | CacheHit) -> None:  # noqa: ARG002 - the hook's arguments
        """Keep it."""
        self._kept[decision.id] = decision

    def take(self, decision_id: str) -> Decision | CacheHit:
        """The receipt of a decision, which is then forgotten. KeyError if unknown."""
        return self._kept.pop(decision_id)
