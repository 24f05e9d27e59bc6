"""Knows whether waiting for an answer that may not serve has been worth while."""

from __future__ import annotations

from collections import OrderedDict

from sls_plugins.types import Space

__all__ = ["Patience"]

_SPACES = 1024
"""Spaces that are remembered at most."""

_LEAST = 0.5
"""Share of waits that must have brought an answer."""

_QUICK, _SLOW = 0.1, 0.01
"""How far one wait moves that share; how far each one that was not allowed restores it."""


class Patience:
    """Per space: the share of hopeful waits, the last ones above all, that ended with a hit.

    Where queries that are alike have different answers, waiting puts calls one behind the other
    that could be made side by side. It is tried again from time to time.
    """

    def __init__(self) -> None:
        """Everywhere waiting is worth a try."""
        self._shares: OrderedDict[Space, float] = OrderedDict()

    def allows(self, space: Space) -> bool:
        """Whether to wait now; asking where it is not worth while brings the next try nearer."""
        share = self._shares.get(space, 1.0)
        if share < _LEAST:
            self._keep(space, share + _SLOW)
        return share >= _LEAST

    def learn(self, space: Space, *, served: bool) -> None:
        """Somebody has waited, and was served or has to call after all."""
        share = self._shares.get(space, 1.0)
        self._keep(space, share + _QUICK * (float(served) - share))

    def _keep(self, space: Space, share: float) -> None:
        self._shares[space] = share
        self._shares.move_to_end(space)
        if len(self._shares) > _SPACES:
            self._shares.popitem(last=False)
