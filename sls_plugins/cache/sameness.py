"""Tells whether two answers are the same, by equality of texts, of words, or by embeddings."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sls_plugins.cache.guards import negation_differs, numbers_differ, opposites_meet
from sls_plugins.cache.labels import is_same_answer
from sls_plugins.errors import SettingsError
from sls_plugins.protocols import Context, Encoder, SameAnswer

__all__ = ["AlikeAnswers", "has_same_words", "make_embedding", "make_text", "make_words"]

_WORD = re.compile(r"\w+(?:[.,:]\w+)*")
_SAID_OTHERWISE = (numbers_differ, negation_differs, opposites_meet)


def has_same_words(one: str, other: str) -> bool:
    """The texts are equal but for case, blanks and punctuation between words."""
    return _WORD.findall(one.casefold()) == _WORD.findall(other.casefold())


class AlikeAnswers:
    """Compares embeddings of the answers, for answers that are put in other words each time.

    From the similarity `same` on they are the same, under `differ` they are not; in between it is
    not known, and nothing is learnt. Other numbers, a negation more, or an opposite make a
    difference at any similarity.
    """

    def __init__(self, encoder: Encoder, same: float = 0.9, differ: float = 0.7) -> None:
        """Raises ValueError unless 0 < differ ≤ same ≤ 1."""
        if not 0 < differ <= same <= 1:
            raise ValueError(f"0 < differ ≤ same ≤ 1 must hold, not differ={differ}, same={same}")
        self._encoder = encoder
        self._same = same
        self._differ = differ

    def __call__(self, one: str, other: str) -> bool | None:
        """True, False, or None if it cannot be told."""
        if is_same_answer(one, other):
            return True
        if not one.strip() or not other.strip():
            return False
        if any(differs(one, other) for differs in _SAID_OTHERWISE):
            return False
        vectors = self._encoder.encode([one, other])
        similarity = float(vectors[0] @ vectors[1])
        if similarity >= self._same:
            return True
        return False if similarity < self._differ else None


def make_text(context: Context, options: Mapping[str, object]) -> SameAnswer:  # noqa: ARG001 - a factory
    """Equal but for blanks; it has no options."""
    _refuse(options)
    return is_same_answer


def make_words(context: Context, options: Mapping[str, object]) -> SameAnswer:  # noqa: ARG001 - a factory
    """Equal but for case, blanks and punctuation; it has no options."""
    _refuse(options)
    return has_same_words


def make_embedding(context: Context, options: Mapping[str, object]) -> SameAnswer:
    """By the engine's encoder; options are `same` and `differ`. Raises SettingsError."""
    levels: dict[str, float] = {"same": 0.9, "differ": 0.7}
    _refuse({name: value for name, value in options.items() if name not in levels})
    for name, value in options.items():
        if not isinstance(value, int | float):
            raise SettingsError("same_answer options", name, f"{value!r} is no number", "Mend it")
        levels[name] = float(value)
    try:
        return AlikeAnswers(_encoder(context), **levels)
    except ValueError as error:
        raise SettingsError("same_answer options", "same", str(error), "Mend the levels") from error


def _encoder(context: Context) -> Encoder:
    found = context.resources.get("encoder")
    if found is None:
        problem = "it needs the engine's encoder"
        raise SettingsError("same_answer", "embedding", problem, "Let `build` make it")
    encoder: Encoder = found  # type: ignore[assignment]
    return encoder


def _refuse(options: Mapping[str, object]) -> None:
    for name in options:
        raise SettingsError("same_answer options", name, "there is no such option", "Remove it")
