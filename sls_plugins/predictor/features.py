"""Numbers that describe a query: plain counts of its text beside its embedding."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sls_plugins.errors import InvalidQueryError
from sls_plugins.types import Query, Vector

__all__ = [
    "EMBEDDING_SCALE",
    "TEXT_WIDTH",
    "WIDEST",
    "Arrays",
    "Floats",
    "Seen",
    "embedding_of",
    "key_of",
    "pattern_of",
    "read",
    "tokens_of",
]

Floats: TypeAlias = NDArray[np.float64]
Arrays: TypeAlias = NDArray[np.generic]

TEXT_WIDTH = 7
"""How many numbers describe the text alone; the first is the constant 1."""

LONGEST = 4000
"""Characters that are looked at: the rest of a long text tells little more."""

WIDEST = 384
"""Dimensions kept of an embedding; wider ones are folded onto these."""

EMBEDDING_SCALE = 4.0
"""Brings a unit vector's spread to the order of the other numbers."""

VARIABLE = re.compile(r"\S*\d\S*")


@dataclass(frozen=True, slots=True)
class Seen:
    """A query as the learners see it.

    `text` has shape (TEXT_WIDTH,), `embedding` shape (min(d, WIDEST),) and is scaled. `unit` is the
    embedding as it came, `keys` are stable 64-bit names: of the task, the pattern, the exact text.
    """

    text: Floats
    embedding: Floats
    unit: Vector
    task: int
    pattern: int
    exact: int
    input_tokens: float

    @property
    def wide(self) -> Floats:
        """All numbers in one row: text, then embedding."""
        return np.concatenate((self.text, self.embedding))


def tokens_of(query: Query) -> float:
    """Input tokens: the host's count, else four characters to a token."""
    if query.input_tokens is not None:
        return float(max(query.input_tokens, 1))
    return max(len(query.text) / 4.0, 1.0)


def pattern_of(text: str) -> str:
    """The text with every word masked that contains a digit: what repeats in logs and forms."""
    return VARIABLE.sub("#", text[:LONGEST])


def key_of(*parts: str) -> int:
    """A stable 63-bit number for some text (the same in every process)."""
    joined = "\x1f".join(parts).encode(errors="surrogatepass")
    digest = hashlib.blake2b(joined, digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


@lru_cache(maxsize=64)
def keys_of(task: str, text: str) -> tuple[int, int, int]:
    """Names of a query's task, of its pattern and of its text in that task."""
    return (
        key_of("task", task),
        key_of("pattern", task, pattern_of(text)),
        key_of("exact", task, text),
    )


@lru_cache(maxsize=64)  # a query is read when it is decided, and when something is learnt of it
def describe(text: str, input_tokens: float) -> Floats:
    """Shape (TEXT_WIDTH,): 1, lengths, shares of digits and punctuation, lines, questions."""
    head = text[:LONGEST]
    size = max(len(head), 1)
    digits = sum(map(head.count, "0123456789")) / size
    marks = sum(map(head.count, "{}[]()<>=_;/\\|$")) / size
    numbers = np.array(
        [
            1.0,
            math.log1p(len(text)) / 2.0 - 2.5,
            math.log1p(input_tokens) / 2.0 - 2.0,
            min(digits * 4.0, 1.0),
            min(marks * 8.0, 1.0),
            math.log1p(head.count("\n")) / 2.0,
            1.0 if "?" in head else 0.0,
        ]
    )
    numbers.flags.writeable = False
    return numbers


def fold(vector: Vector) -> Floats:
    """A wide embedding summed onto WIDEST dimensions with alternating signs (a count sketch)."""
    wide = np.asarray(vector, dtype=np.float64)
    if wide.size <= WIDEST:
        return wide
    rows = -(-wide.size // WIDEST)
    padded = np.zeros(rows * WIDEST)
    padded[: wide.size] = wide
    table = padded.reshape(rows, WIDEST)
    turned = [np.roll(row, 131 * i) for i, row in enumerate(table)]
    signs = 1.0 - 2.0 * (np.arange(rows) % 2)
    return np.asarray(signs @ np.array(turned), dtype=np.float64)


def embedding_of(unit: Vector) -> Floats:
    """The folded and scaled embedding, shape (min(d, WIDEST),)."""
    return EMBEDDING_SCALE * fold(unit)


def read(query: Query, vector: Vector | None, dimension: int) -> Seen:
    """Describe a query. Raises InvalidQueryError for a vector of another length or with NaN."""
    if vector is None:
        unit = np.zeros(dimension, dtype=np.float32)
    else:
        unit = np.asarray(vector, dtype=np.float32)
        if unit.shape != (dimension,):
            raise InvalidQueryError(
                f"query {query.id or '(new)'} came with a vector of shape {unit.shape}; "
                f"the predictor learns from shape ({dimension},)"
            )
        if not np.isfinite(unit).all():
            raise InvalidQueryError(f"query {query.id or '(new)'} came with a vector that has NaN")
    tokens = tokens_of(query)
    task, pattern, exact = keys_of(query.task, query.text)
    return Seen(
        text=describe(query.text, tokens),
        embedding=embedding_of(unit),
        unit=unit,
        task=task,
        pattern=pattern,
        exact=exact,
        input_tokens=tokens,
    )
