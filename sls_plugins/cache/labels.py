"""Reads from a line of the log whether the neighbour would have been right."""

from __future__ import annotations

from dataclasses import dataclass

from sls_plugins.protocols import SameAnswer
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


def label_of(outcome: Outcome, entry: CacheEntry, same_answer: SameAnswer) -> Label | None:
    """What the line says of the refused (or served) entry; None if it says nothing.

    A fresh answer that is the same as the stored one (as `same_answer` says) speaks for it unless
    it was graded bad; a different one that was graded good speaks against it; a different bad one
    says nothing, nor does one that cannot be compared.
    """
    if outcome.kind is OutcomeKind.FAILED:
        return None
    weight = min(1.0, outcome.weight)
    if outcome.source is Source.CACHE:
        return _label(None if outcome.quality is None else outcome.quality >= GOOD, weight)
    same = same_answer(outcome.answer_text, entry.answer.text)
    return _label(None if same is None else _is_right(outcome, same=same), weight)


def _label(right: bool | None, weight: float) -> Label | None:  # noqa: FBT001 - what it is about
    return None if right is None else Label(right=right, weight=weight)


def _is_right(outcome: Outcome, *, same: bool) -> bool | None:
    """What a model's answer says of the refused one, by whether they are the same."""
    if outcome.quality is None:
        return True if same and outcome.kind is OutcomeKind.ANSWERED else None
    if outcome.quality < GOOD:
        return False if same else None
    if same and outcome.kind is OutcomeKind.GRADED:
        return None  # the answer itself has told this already, when it came
    return same
