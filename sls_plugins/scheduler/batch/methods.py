"""Ways to find trade-offs, by name."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Protocol

from sls_plugins.errors import InputError, MissingExtraError
from sls_plugins.scheduler.batch import cpls, optllm
from sls_plugins.scheduler.batch.arrays import Batch
from sls_plugins.scheduler.batch.effort import Effort
from sls_plugins.scheduler.batch.front import front_of
from sls_plugins.scheduler.batch.tradeoffs import Tradeoffs, corners_of

__all__ = ["EVOLUTIONARY", "METHODS", "Search", "method_of"]

EVOLUTIONARY = ("nsga2", "spea2", "rnsga2", "sms-emoa", "moead")
"""Methods that need pymoo."""

METHODS = ("exact", "optllm", "cpls", *EVOLUTIONARY)
"""All names."""


class Search(Protocol):
    """A way to find assignments that trade cost against quality."""

    def __call__(self, batch: Batch, effort: Effort, seed: int) -> Tradeoffs:
        """At least one assignment; the same seed gives the same ones."""


def method_of(name: str) -> Search:
    """The search of this name. Raises InputError for another, MissingExtraError without pymoo."""
    if name in EVOLUTIONARY:
        return _Evolutionary(name)
    known: dict[str, Search] = {
        "exact": _exact,
        "optllm": optllm.search,
        "cpls": cpls.search,
    }
    if name not in known:
        raise InputError(f"unknown method {name!r}; known are {', '.join(METHODS)}")
    return known[name]


def _exact(batch: Batch, effort: Effort, seed: int) -> Tradeoffs:  # noqa: ARG001 - it needs neither
    return corners_of(front_of(batch))


class _Evolutionary:
    """One of pymoo's searches; pymoo takes a second to load, so only who asks for it waits."""

    def __init__(self, name: str) -> None:
        if importlib.util.find_spec("pymoo") is None:
            raise MissingExtraError(f"the method {name!r}", "pymoo", "evolutionary")
        self._name = name
        self._module = importlib.import_module("sls_plugins.scheduler.batch.evolutionary")

    def __call__(self, batch: Batch, effort: Effort, seed: int) -> Tradeoffs:
        found: Tradeoffs = self._module.search(self._name, batch, effort, seed)
        return found
