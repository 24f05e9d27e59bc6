"""What makes a part: a context, options, and the small functions that plugins may hand in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from sls_plugins.types import Candidate

__all__ = [
    "Clock",
    "Context",
    "Factory",
    "Guard",
    "SameAnswer",
]

Clock: TypeAlias = Callable[[], float]
"""Seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the assembly hands to the factory of a part.

    `dimension` and `fingerprint` are the encoder's (0 and "" while the encoder itself is made),
    `folder` is where a part may keep files (None: nothing is to be kept).
    """

    candidates: tuple[Candidate, ...] = ()
    dimension: int = 0
    fingerprint: str = ""
    seed: int = 0
    clock: Clock
    folder: str | None = None
    resources: Mapping[str, object] = field(default_factory=dict)


Guard: TypeAlias = Callable[[str, str], bool]
SameAnswer: TypeAlias = Callable[[str, str], bool | None]
"""(query, stored) -> must it not be used? (fresh, stored) -> the same? None if unknown."""

Factory: TypeAlias = Callable[[Context, Mapping[str, object]], object]
"""Makes a part from its context and its options (the part checks them); registered by a hook."""
