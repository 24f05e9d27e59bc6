"""Makes the texts by which answers are found again: keys, scopes, patterns.

The exact key must never join two queries which deserve different answers, so it forgives only what
no reader sees: how an accent is encoded (Unicode NFC), how a line ends, blanks round the text or
before a line's end. Case is kept ("us" is not "US"), and so are runs of blanks inside a line, which
matter in code, tables or quoted strings; the semantic tier forgives those, where labels allow it.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from sls_plugins.types import Query, Space

__all__ = ["exact_key", "key_of", "normalise", "pattern_of", "scope_of", "space_of"]

_TASK = "\x1ftask="
_LINE_END = re.compile(r"[ \t]*(?:\r\n|\r|\n)")
_DIGIT = re.compile(r"\d")
_MASKED = re.compile(r"\w*\d\w*(?:[.:,/@\-]+\w*\d\w*)*")


def normalise(text: str) -> str:
    """The text without differences that no reader sees."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if "\n" in text or "\r" in text:
        text = _LINE_END.sub("\n", text)
    return text.strip()


@lru_cache(maxsize=64)  # a query's key is asked for several times while it is answered
def exact_key(text: str) -> str:
    """Digest (SHA-256, 64 hexadecimal digits) under which equal texts are found again."""
    return hashlib.sha256(normalise(text).encode("utf-8", "surrogatepass")).hexdigest()


def key_of(query: Query) -> str:
    """The exact key of a query."""
    return exact_key(query.text)


def space_of(query: Query) -> Space:
    """The walls inside which answers to this query are shared: tenant, scope, task.

    The task is a wall because "summarise" or "translate" may be all that tells two uses of one
    text apart.
    """
    if not query.task:
        return query.space
    return Space(tenant=query.tenant, scope=f"{query.scope}{_TASK}{query.task}")


def scope_of(parts: Mapping[str, object]) -> str:
    """Digest of all that shapes an answer besides the query's text.

    `parts` are named plain values: texts, numbers, booleans, None, and lists or mappings of them
    (system prompt, earlier turns, tools, model settings, epoch). The order of names does not count,
    sets are sorted. Raises TypeError for other objects, whose text might differ in every process.
    """
    canonical = json.dumps(
        parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain
    )
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(
        f"a scope is made of plain values (text, number, list, mapping), not {type(value).__name__}"
    )


def pattern_of(text: str) -> str:
    """The text with words that hold a digit masked: "core.6801" and "core.77" are one pattern."""
    text = normalise(text)
    return _MASKED.sub("#", text) if _DIGIT.search(text) else text
