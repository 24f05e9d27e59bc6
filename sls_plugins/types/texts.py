"""What is kept of a text: all of it, its shape under a keyed digest, or its length alone."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from sls_plugins.types.queries import Query

__all__ = ["StoreText", "Texts"]

StoreText: TypeAlias = Literal["full", "hash", "none"]

MARK = "\u2060"
"""Begins every stand-in (an invisible word joiner), so that none is made of another."""

_WORD = re.compile(r"\w+")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
LONGEST = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Turns texts into what may be kept of them.

    "hash": every word becomes letters and digits of a digest under a secret `salt`, as long as the
    word was; equal texts stay equal, lengths, digits and punctuation stay where they were. "none":
    only the length stays, and two texts are never equal.
    """

    mode: StoreText = "full"
    salt: bytes = b""

    @staticmethod
    def stands_in(text: str) -> bool:
        """Whether a kept text is a stand-in for another one."""
        return text.startswith(MARK)

    def query(self, query: Query) -> Query:
        """The query with a stand-in for its text, as predictors and the log see it."""
        if self.mode == "full" or self.stands_in(query.text):
            return query
        if self.mode == "hash":
            return replace(query, text=self._hashed(query.text))
        digest = hashlib.blake2b(query.id.encode(errors="surrogatepass"), digest_size=16).digest()
        name = "".join(_LETTERS[byte % 26] for byte in digest)
        return replace(query, text=f"{MARK}{'x' * min(len(query.text), LONGEST)} {name}")

    def answer(self, text: str) -> str:
        """A stand-in for an answer: a digest, or nothing."""
        if self.mode == "full" or not text or self.stands_in(text):
            return text
        return f"{MARK}{self._digest(text).hex()}" if self.mode == "hash" else ""

    def _hashed(self, text: str) -> str:
        return MARK + _WORD.sub(lambda found: self._word(found.group()), text[:LONGEST])

    def _word(self, word: str) -> str:
        digest = self._digest(word)
        return "".join(
            str(digest[i % 32] % 10) if letter.isdigit() else _LETTERS[digest[i % 32] % 26]
            for i, letter in enumerate(word)
        )

    def _digest(self, text: str) -> bytes:
        told = text.encode(errors="surrogatepass")
        return hashlib.blake2b(told, key=self.salt, digest_size=32).digest()
