"""A line of the log: appended, and read by all who learn from it."""

from __future__ import annotations

from sls_plugins.flow.parts import Parts
from sls_plugins.types import Outcome

__all__ = ["log_outcome", "observe"]


def log_outcome(parts: Parts, outcome: Outcome) -> Outcome:
    """Append an outcome, bring cache rows up to date, let the learners read it."""
    logged = parts.log.append(outcome)
    observe(parts, logged)
    return logged


def observe(parts: Parts, logged: Outcome) -> None:
    """Bring cache rows up to date with an appended line, let the learners read it."""
    if parts.cache is not None:
        parts.cache.observe(logged)
    parts.learner.observe(logged)
