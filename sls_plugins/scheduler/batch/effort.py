"""How long the published searches look: the settings of their papers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Effort"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Defaults are those of the papers, where these tell.

    Attributes:
        parts: OptLLM's number of parts (GN) into which the way between the extremes is cut.
        starts: CPLS's number of starts (beta).
        gaps: CPLS's number of gaps (delta) that are filled at the end.
        population: individuals of an evolutionary search.
        generations: generations of an evolutionary search.
    """

    parts: int = 50
    starts: int = 87
    gaps: int = 29
    population: int = 100
    generations: int = 100
