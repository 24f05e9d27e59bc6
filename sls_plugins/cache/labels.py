"""Reads from a line of the log whether the neighbour would have been right."""

from __future__ import annotations

from dataclasses import dataclass

from sls_plugins.types import CacheEntry, Outcome, OutcomeKind, Source

__all__ = ["GOOD", "Label", "is_same_answer", "label_of"]

GOOD = 0.5
"""From this quality on an answer counts as good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Was the stored answer right for this query, and how much does that count (0…1)?"""

    right: bool
    weight: float


def is_same_answer(one: str, other: str) -> bool:
    """The texts are equal but for blanks."""
    return one.split() == other.split()


def label_of(outcome: Outcome, entry: CacheEntry) -> Label | None:
    """What the line says of the refused (or served) entry; None if it says nothing.

    A fresh answer equal to the stored one speaks for it unless it was graded bad; a different fresh
    answer that was graded good speaks against it; a different bad one says nothing.
    """
    if outcome.kind is OutcomeKind.FAILED:
        return None
    quality = outcome.quality
    weight = min(1.0, outcome.weight)
    if outcome.source is Source.CACHE:
        return None if quality is None else Label(right=quality >= GOOD, weight=weight)
    same = is_same_answer(outcome.answer_text, entry.answer.text)
    if quality is None:
        told = same and outcome.kind is OutcomeKind.ANSWERED
        return Label(right=True, weight=weight) if told else None
    if quality < GOOD:
        return Label(right=False, weight=weight) if same else None
    if same and outcome.kind is OutcomeKind.GRADED:
        return None  # the answer itself has told this already, when it came
    return Label(right=same, weight=weight)
