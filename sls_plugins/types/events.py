"""What the updater noticed, and what it did about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Event"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to the learnt state, in words and in numbers.

    `id` is the same in every process that notices it, `kind` is one of "drift", "quarantined",
    "reinstated", "price", "retired", "refit", "kept", "snapshot" and "lost". `task` "" means all.
    """

    id: str
    kind: str
    text: str
    candidate: str = ""
    task: str = ""
    facts: Mapping[str, float | str] = field(default_factory=dict)
    created_s: float = 0.0
