"""Vetoes neighbours whose small difference in words is a large one in meaning.

A guard is a pure function of the query's text and the stored text; True means "not the same
question". Guards know nothing of embeddings: they see exactly what embeddings blur (numbers, names,
"not", "on" or "off"). Whether a guard matters for a task is learnt elsewhere (`acceptance`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

__all__ = [
    "DEFAULT_GUARDS",
    "Guard",
    "fired",
    "identifiers_differ",
    "negation_differs",
    "numbers_differ",
    "opposites_meet",
    "question_differs",
    "quotes_differ",
]

Guard: TypeAlias = Callable[[str, str], bool]
"""(query_text, stored_text) -> True if the stored answer must not be used on this ground."""

_NUMBER_WORDS = (
    *("zero one two three four five six seven eight nine ten eleven twelve".split()),
    *("once twice first second third half double hundred thousand million billion".split()),
)
_CALENDAR = (
    *("january february march april june july august september october november".split()),
    *("december monday tuesday wednesday thursday friday saturday sunday".split()),
    *("today tomorrow yesterday hourly daily weekly monthly yearly annually".split()),
)
_UNIT = (
    r"%|°[cf]?|[kmgtp]i?b|[kmgt]?bytes?|[munp]?s|ms|secs?|seconds?|mins?|minutes?|hours?|hrs?|h|d|"
    r"days?|weeks?|months?|years?|[kcm]?m|km|miles?|feet|ft|inch(?:es)?|[km]?g|lbs?|oz|[ml]?l|"
    r"usd|eur|gbp|dollars?|euros?|pounds?|am|pm|px|bits?"
)
_NUMBER = re.compile(
    rf"([$€£]\s?)?(-?\d[\d,]*(?:\.\d+)?)(?:[\s-]?({_UNIT})\b|([a-z_]\w*))?", re.IGNORECASE
)
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
_NEGATIONS = frozenset(
    "not no never none nothing nobody neither nor without except excluding exclude cannot non "
    "unable fail fails failed impossible lacks lacking isnt dont doesnt cant wont".split()
)
_OPPOSITES = (
    "on off",
    "enable disable",
    "enabled disabled",
    "enabling disabling",
    "activate deactivate",
    "start stop",
    "starting stopping",
    "started stopped",
    "open close",
    "opened closed",
    "open closed",
    "add remove",
    "adding removing",
    "add delete",
    "create delete",
    "creating deleting",
    "insert delete",
    "install uninstall",
    "installed uninstalled",
    "increase decrease",
    "increasing decreasing",
    "raise lower",
    "max min",
    "maximum minimum",
    "most least",
    "more less",
    "more fewer",
    "higher lower",
    "highest lowest",
    "high low",
    "largest smallest",
    "larger smaller",
    "bigger smaller",
    "big small",
    "longer shorter",
    "before after",
    "above below",
    "over under",
    "up down",
    "upload download",
    "uploading downloading",
    "upgrade downgrade",
    "in out",
    "into from",
    "to from",
    "import export",
    "input output",
    "first last",
    "oldest newest",
    "older newer",
    "old new",
    "allow deny",
    "allowed denied",
    "allow block",
    "accept reject",
    "accepted rejected",
    "true false",
    "yes no",
    "success failure",
    "succeeded failed",
    "buy sell",
    "buying selling",
    "send receive",
    "sending receiving",
    "sent received",
    "lock unlock",
    "locked unlocked",
    "encrypt decrypt",
    "encode decode",
    "compress decompress",
    "push pull",
    "connect disconnect",
    "connected disconnected",
    "subscribe unsubscribe",
    "mount unmount",
    "show hide",
    "visible hidden",
    "include exclude",
    "including excluding",
    "with without",
    "positive negative",
    "positives negatives",
    "pros cons",
    "advantages disadvantages",
    "benefits risks",
    "legal illegal",
    "safe unsafe",
    "possible impossible",
    "good bad",
    "best worst",
    "better worse",
    "left right",
    "top bottom",
    "win lose",
    "won lost",
    "hot cold",
    "summer winter",
    "morning evening",
    "male female",
    "men women",
    "ascending descending",
    "public private",
    "internal external",
    "inside outside",
    "online offline",
    "synchronous asynchronous",
    "sync async",
    "deposit withdraw",
    "deposit withdrawal",
    "credit debit",
    "login logout",
    "read write",
    "encryption decryption",
    "acquire release",
    "lend borrow",
    "hire fire",
    "arrive depart",
    "arrival departure",
    "attach detach",
    "freeze unfreeze",
    "any all",
    "always never",
)
_QUESTIONS = ("how many", "how much", "how long", "how often", "how old", "how far")
_QUESTION_WORDS = frozenset("what which who whom whose when where why how".split())


@lru_cache(maxsize=8192)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.lower()))


@lru_cache(maxsize=8192)
def _numbers(text: str) -> tuple[tuple[str, str], ...]:
    found = []
    for sign, digits, unit, tail in _NUMBER.findall(text):
        value = digits.replace(",", "")
        if "." in value:
            value = value.rstrip("0").rstrip(".")
        found.append((value, (sign or unit or tail).strip().lower().rstrip("s")))
    found += [("", word) for word in _words(text) if word in _SPOKEN]
    return tuple(sorted(found))


@lru_cache(maxsize=8192)
def _quotes(text: str) -> frozenset[str]:
    return frozenset("".join(parts).strip() for parts in _QUOTED.findall(text))


@lru_cache(maxsize=8192)
def _identifiers(text: str) -> frozenset[str]:
    return frozenset(_IDENTIFIER.findall(text))


@lru_cache(maxsize=8192)
def _negations(text: str) -> int:
    return sum(word in _NEGATIONS or word.endswith(("n't", "n’t")) for word in _words(text))


@lru_cache(maxsize=8192)
def _poles(text: str) -> frozenset[str]:
    return frozenset(word for word in _words(text) if word in _OPPOSITE)


@lru_cache(maxsize=8192)
def _question(text: str) -> str:
    words = _words(text)
    for place, word in enumerate(words):
        if word in _QUESTION_WORDS:
            pair = " ".join(words[place : place + 2])
            return pair if pair in _QUESTIONS else word
    return ""


def _opposite_of() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for pair in _OPPOSITES:
        one, other = pair.split()
        found[one] = found.get(one, frozenset()) | {other}
        found[other] = found.get(other, frozenset()) | {one}
    return found


_OPPOSITE = _opposite_of()
_SPOKEN = frozenset(_NUMBER_WORDS + _CALENDAR)


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
    query, stored = _poles(query_text), _poles(stored_text)
    only_stored = stored - query
    return any(_OPPOSITE[word] & only_stored for word in query - stored)


def question_differs(query_text: str, stored_text: str) -> bool:
    """Both texts ask, and ask for different things: "who" or "when", "how many" or "how"."""
    query, stored = _question(query_text), _question(stored_text)
    return bool(query and stored) and query != stored


DEFAULT_GUARDS: tuple[Guard, ...] = (
    numbers_differ,
    quotes_differ,
    identifiers_differ,
    negation_differs,
    opposites_meet,
    question_differs,
)
"""All built-in guards, in the order in which they are asked."""


def fired(guards: Sequence[Guard], query_text: str, stored_text: str) -> tuple[str, ...]:
    """Names of the guards that veto, in order."""
    return tuple(guard.__name__ for guard in guards if guard(query_text, stored_text))
