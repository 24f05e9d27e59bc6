"""The hooks a plugin may implement: registries of parts, and observers.

A plugin is any module or object with functions marked by `hookimpl`, found by an entry point of the
group ``sls_plugins``::

    from sls_plugins.hookspecs import hookimpl

    @hookimpl
    def sls_judges():
        return {"polite": make_polite_judge}

A registry returns a mapping from names to factories. A factory is called with a `Context` and the
part's options; a text ``"package.module:attribute"`` is imported only when the part is asked for.
Observers are told what happened; one that raises is logged and never breaks a request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import pluggy

from sls_plugins.protocols import Factory
from sls_plugins.types import Answer, CacheHit, Candidate, Decision, Event, Outcome, Query

__all__ = ["PROJECT", "Parts", "hookimpl", "hookspec"]

PROJECT = "sls_plugins"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

Parts: TypeAlias = Mapping[str, Factory | str]


@hookspec
def sls_encoders() -> Parts:  # type: ignore[empty-body]
    """Encoders by name: what turns text into unit vectors."""


@hookspec
def sls_stores() -> Parts:  # type: ignore[empty-body]
    """Stores by URL scheme ("sqlite"): what keeps rows."""


@hookspec
def sls_indexes() -> Parts:  # type: ignore[empty-body]
    """Indexes by name: what finds the nearest vectors."""


@hookspec
def sls_predictors() -> Parts:  # type: ignore[empty-body]
    """Predictors by name: what expects quality, cost and latency."""


@hookspec
def sls_schedulers() -> Parts:  # type: ignore[empty-body]
    """Schedulers by name: what chooses a candidate."""


@hookspec
def sls_judges() -> Parts:  # type: ignore[empty-body]
    """Judges by name: what grades answers."""


@hookspec
def sls_guards() -> Parts:  # type: ignore[empty-body]
    """Guards of the cache by name: what vetoes a neighbour. All are asked, unless set off."""


@hookspec
def sls_same_answers() -> Parts:  # type: ignore[empty-body]
    """Comparisons of answers by name: what tells whether a refused neighbour was right."""


@hookspec
def sls_candidates() -> Sequence[Candidate]:  # type: ignore[empty-body]
    """Candidates that are added to those of the settings."""


@hookspec
def sls_decided(query: Query, decision: Decision | CacheHit) -> None:
    """Observer: a candidate was chosen, or the cache answers."""


@hookspec
def sls_answered(query: Query, answer: Answer) -> None:
    """Observer: the caller got this answer."""


@hookspec
def sls_event(event: Event) -> None:
    """Observer: the updater noticed something (drift, a new price) or did something (a refit)."""


@hookspec
def sls_learned(outcome: Outcome) -> None:
    """Observer: this line of the log was learnt."""
