"""Vetoes neighbours whose small difference in words is a large one in meaning.

A guard is a pure function of the query's text and the stored text; True means "not the same
question". Guards know nothing of embeddings: they see exactly what embeddings blur (numbers, names,
"not", "on" or "off"). Whether a guard matters for a task is learnt elsewhere (`acceptance`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from string import ascii_letters, ascii_lowercase, digits

from sls_plugins.cache.scanning import make_splitter
from sls_plugins.cache.words import (
    CALENDAR,
    LANGUAGES,
    MANNERS,
    NEGATIONS,
    NUMBERS,
    OPPOSITES,
    PLACES,
    QUESTIONS,
    SCALES,
    UNITS,
)
from sls_plugins.protocols import Guard

__all__ = [
    "DEFAULT_GUARDS",
    "fired",
    "identifiers_differ",
    "languages_differ",
    "names_differ",
    "negation_differs",
    "numbers_differ",
    "opposites_meet",
    "order_differs",
    "question_differs",
    "quotes_differ",
]

_NUMBER = re.compile(
    rf"([$€£]\s?)?(-?\d[\d,]*(?:\.\d+)?)(?:[\s-]?({UNITS})\b|([a-z_]\w*))?", re.IGNORECASE
)
_QUOTE = re.compile("[\"`“']")
_QUOTED = re.compile(r"\"([^\"\n]+)\"|`([^`\n]+)`|“([^”\n]+)”|(?<!\w)'([^'\n]+)'(?!\w)")
_IDENTIFIER = re.compile(
    r"(?<!\w)(?:"
    r"--?[A-Za-z][\w-]*"  # a flag
    r"|[A-Za-z_]\w*(?:_\w+)+"  # snake_case
    r"|_+[A-Za-z]\w*"
    r"|[a-z]+(?:[A-Z][a-z0-9]*)+"  # camelCase
    r"|(?:[A-Z][a-z0-9]+){2,}"  # PascalCase
    r"|[\w~.-]*(?:/[\w.*~+-]+)+/?"  # a path
    r"|\*?\.[A-Za-z]\w*"  # a file's ending
    r"|[A-Za-z_]\w*(?:(?:\.|::)[A-Za-z_]\w*)+(?:\(\))?"  # a.dotted.name
    r"|[A-Za-z_]\w*\(\)"  # a call
    r"|[A-Z]{2,}\w*"  # an acronym
    r")"
)
_WORD = re.compile(r"[a-z]+(?:['’][a-z]+)?")
_plain_words = make_splitter(_WORD.pattern, ascii_lowercase.encode())
_hyphenated = make_splitter(r"[\w'’-]+", f"{ascii_letters}{digits}_'-".encode())
_DIGIT = re.compile(r"\d")
_MARK = re.compile(r"[_/.:()*-]")
_HOW = ("how many", "how much", "how long", "how often", "how old", "how far")
_ASKING = frozenset(QUESTIONS.split())
_NEGATING = frozenset(NEGATIONS.split())
_SPOKEN = frozenset((NUMBERS + CALENDAR + SCALES).split())
_LANGUAGES = frozenset(LANGUAGES.split())
_PLACES = frozenset(PLACES.split())
_MANNERS = frozenset(MANNERS.split())
_WAYS = re.compile(
    r"\bwhat(?:'s| is| are|’s)? (?:(?:should|can|must|do|would) i do|the (?:best |right |easiest )?"
    r"(?:ways?|steps|method)|i (?:should|can|must|have to) do)\b"
)
_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)(?<![\w'’.-])[A-Z][\w'’-]*")
_ASIDE = re.compile(r"\b(?:to|for) me\b", re.IGNORECASE)
_PREFIXES = ("un", "dis", "de", "non")


@lru_cache(maxsize=8192)
def _words(text: str) -> tuple[str, ...]:
    lowered = text.lower()
    return tuple(_WORD.findall(lowered) if "'" in lowered else _plain_words(lowered))


@lru_cache(maxsize=8192)
def _numbers(text: str) -> tuple[tuple[str, str], ...]:
    found = []
    for sign, figures, unit, tail in _NUMBER.findall(text) if _DIGIT.search(text) else ():
        value = figures.replace(",", "")
        if "." in value:
            value = value.rstrip("0").rstrip(".")
        found.append((value, (sign or unit or tail).strip().lower().rstrip("s")))
    words = _words(text)
    if not _SPOKEN.isdisjoint(words):
        found += [("", word) for word in words if word in _SPOKEN]
    return tuple(sorted(found))


@lru_cache(maxsize=8192)
def _quotes(text: str) -> frozenset[str]:
    if _QUOTE.search(text) is None:
        return frozenset()
    return frozenset("".join(parts).strip() for parts in _QUOTED.findall(text))


@lru_cache(maxsize=8192)
def _identifiers(text: str) -> frozenset[str]:
    if _is_lower_inside(text) and _MARK.search(text) is None:
        return frozenset()
    return frozenset(found.rstrip(".,;:!?") for found in _IDENTIFIER.findall(text))


@lru_cache(maxsize=8192)
def _negations(text: str) -> int:
    words = _words(text)
    if _NEGATING.isdisjoint(words) and "'" not in text and "’" not in text:
        return 0
    return sum(word in _NEGATING or word.endswith(("n't", "n’t")) for word in words)


def _is_lower_inside(text: str) -> bool:
    """No capital after the first letter, but for "I": neither names nor acronyms."""
    rest = text[1:].replace(" I ", " ")
    return rest == rest.lower()


@lru_cache(maxsize=8192)
def _names(text: str) -> frozenset[str]:
    """Capitalised words that do not begin a sentence, in lower case."""
    if _is_lower_inside(text):
        return frozenset()
    return frozenset(name.lower() for name in _NAME.findall(text) if name != "I")


@lru_cache(maxsize=8192)
def _languages(text: str) -> frozenset[str]:
    return _LANGUAGES.intersection(_words(text))


@lru_cache(maxsize=8192)
def _question(text: str) -> str:
    words, lowered = _words(text), text.lower()
    if "what" in lowered and _WAYS.search(lowered):
        words = _words(_WAYS.sub("how", lowered))
    if _ASKING.isdisjoint(words):
        return ""
    for place, word in enumerate(words):
        if word in _ASKING:
            pair = " ".join(words[place : place + 2])
            return pair if pair in _HOW else word
    return ""


def _opposite_of() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for pair in OPPOSITES.split(","):
        one, other = pair.split()
        found[one] = found.get(one, frozenset()) | {other}
        found[other] = found.get(other, frozenset()) | {one}
    return found


_OPPOSITE = _opposite_of()


def numbers_differ(query_text: str, stored_text: str) -> bool:
    """The texts hold different numbers, units, number words, weekdays or months."""
    return _numbers(query_text) != _numbers(stored_text)


def quotes_differ(query_text: str, stored_text: str) -> bool:
    """The texts quote different strings."""
    return _quotes(query_text) != _quotes(stored_text)


def identifiers_differ(query_text: str, stored_text: str) -> bool:
    """The texts name different things of code: flags, paths, snake_case, camelCase, ACRONYMS."""
    return _identifiers(query_text) != _identifiers(stored_text)


def negation_differs(query_text: str, stored_text: str) -> bool:
    """One text negates more often than the other."""
    return _negations(query_text) != _negations(stored_text)


def opposites_meet(query_text: str, stored_text: str) -> bool:
    """A word of one text has its opposite in the other, where the word itself is missing."""
    query, stored = _apart(_words(query_text), _words(stored_text))
    only_query, only_stored = _surplus(query, stored), _surplus(stored, query)
    if any(not only_stored.isdisjoint(_OPPOSITE.get(word, ())) for word in only_query):
        return True
    return _is_prefixed(only_query, only_stored) or _is_prefixed(only_stored, only_query)


def _apart(query: Sequence[str], stored: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Both without the words with which both begin and end."""
    begin, end = 0, min(len(query), len(stored))
    while begin < end and query[begin] == stored[begin]:
        begin += 1
    same, most = 0, end - begin
    while same < most and query[-1 - same] == stored[-1 - same]:
        same += 1
    return query[begin : len(query) - same], stored[begin : len(stored) - same]


def _surplus(words: Sequence[str], others: Sequence[str]) -> AbstractSet[str]:
    """The words that are more often in the first text."""
    different = set(words)
    if len(different) == len(words):
        return different.difference(others)
    return (Counter(words) - Counter(others)).keys()


def _is_prefixed(words: AbstractSet[str], others: AbstractSet[str]) -> bool:
    """A word of one side is the other's with a prefix that turns it round."""
    return any(
        word.removeprefix(prefix) in others
        for word in words
        if word.startswith(_PREFIXES)
        for prefix in _PREFIXES
    )


def names_differ(query_text: str, stored_text: str) -> bool:
    """A name in one text is missing from the other, in any case.

    Names are capitalised words inside a sentence, and places however they are written.
    """
    if _places(query_text) != _places(stored_text):
        return True
    named, known = _names(query_text), _names(stored_text)
    if not named and not known:
        return False
    return not (named <= _lowered(stored_text) and known <= _lowered(query_text))


def languages_differ(query_text: str, stored_text: str) -> bool:
    """The texts name different languages, of people or of programs, in any case."""
    return _languages(query_text) != _languages(stored_text)


def question_differs(query_text: str, stored_text: str) -> bool:
    """Both texts ask, and ask for different things: "who" or "when", "how many" or "how"."""
    query, stored = _question(query_text), _question(stored_text)
    return bool(query and stored) and query != stored


def order_differs(query_text: str, stored_text: str) -> bool:
    """The texts hold the same words in another order: "London to Paris" and back.

    "Please", "to me" and their like may stand anywhere.
    """
    query, stored = _apart(_said(query_text), _said(stored_text))
    return bool(query) and len(query) == len(stored) and sorted(query) == sorted(stored)


@lru_cache(maxsize=8192)
def _said(text: str) -> tuple[str, ...]:
    """The words without those that may stand anywhere."""
    words = _words(text)
    if "me" in words and ("to" in words or "for" in words):
        words = _words(_ASIDE.sub("", text))
    return words if _MANNERS.isdisjoint(words) else tuple(w for w in words if w not in _MANNERS)


@lru_cache(maxsize=8192)
def _lowered(text: str) -> frozenset[str]:
    return frozenset(_hyphenated(text.lower()))


@lru_cache(maxsize=8192)
def _places(text: str) -> frozenset[str]:
    if _PLACES.isdisjoint(_words(text)):
        return frozenset()
    return _PLACES.intersection(_hyphenated(text.lower()))


DEFAULT_GUARDS: Mapping[str, Guard] = {
    guard.__name__: guard
    for guard in (
        numbers_differ,
        quotes_differ,
        identifiers_differ,
        names_differ,
        languages_differ,
        negation_differs,
        opposites_meet,
        question_differs,
        order_differs,
    )
}
"""All built-in guards by name, in the order in which they are asked."""


def fired(guards: Mapping[str, Guard], query_text: str, stored_text: str) -> tuple[str, ...]:
    """Names of the guards that veto, in order."""
    return tuple(name for name, guard in guards.items() if guard(query_text, stored_text))
