"""How many output tokens a candidate's answer to a query will have."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sls_plugins.predictor.features import EMBEDDING_SCALE, TEXT_WIDTH, Arrays, Floats, Seen
from sls_plugins.predictor.linear import LinearBank, WideLinear
from sls_plugins.predictor.prior import DEFAULT_OUTPUT_TOKENS
from sls_plugins.predictor.slots import Slots
from sls_plugins.types import State

__all__ = ["Lengths"]

MOST = 8.0
"""Logarithms are kept within plus or minus this: a factor of 3,000."""

TASKS = 48
"""Tasks with a number of their own; all later ones share the last."""

PAIRS = np.triu_indices(TEXT_WIDTH - 1)
"""Which numbers of the text are multiplied, so that a length may have an optimum."""

SHARED_PRIOR = (4.0, 0.2, 0.2, 0.9, 0.1 / EMBEDDING_SCALE**2)
"""Prior variance of weights: constant, text, products, tasks, embedding; in noise variances."""

OWN_PRIOR = (0.5, 0.03, 0.1, 0.9)
"""The same for a candidate's own: constant, text, what is expected of all, tasks."""


@dataclass(frozen=True, slots=True)
class Look:
    """A query as both models see it, and the logarithm that is expected of everybody."""

    wide: Floats
    narrow: Floats
    shared: float


class Lengths:
    """Logarithm of (output tokens / DEFAULT_OUTPUT_TOKENS), regressed on the query.

    One wide model learns from every candidate's answers how long answers to such a query are; a
    small one per candidate learns how this candidate differs.
    """

    def __init__(self, dimension: int) -> None:
        """`dimension` of the (folded) embeddings."""
        self.tasks = Slots(TASKS)
        constant, text, pairs, tasks, embedding = SHARED_PRIOR
        prior = np.concatenate(
            (
                [constant],
                np.full(TEXT_WIDTH - 1, text),
                np.full(PAIRS[0].size, pairs),
                np.full(TASKS, tasks),
                np.full(dimension, embedding),
            )
        )
        self.shared = WideLinear(prior, drift=2e-6)
        constant, text, shared, tasks = OWN_PRIOR
        own = np.concatenate(
            ([constant], np.full(TEXT_WIDTH - 1, text), [shared], np.full(TASKS, tasks))
        )
        self.own = LinearBank(own, drift=5e-5)

    def grow(self, rows: int) -> None:
        """Have at least this many candidates."""
        self.own.grow(rows)

    @staticmethod
    def tokens(logs: Floats) -> Floats:
        """Output tokens from their logarithms."""
        return np.asarray(DEFAULT_OUTPUT_TOKENS * np.exp(logs), dtype=np.float64)

    @staticmethod
    def log(output_tokens: float) -> float:
        """The logarithm of a number of output tokens."""
        return math.log(max(output_tokens, 1.0) / DEFAULT_OUTPUT_TOKENS)

    def look(self, seen: Seen) -> Look:
        """The numbers of a query, and what is expected of everybody."""
        task = self.tasks.apply(seen.task)
        pairs = seen.text[1 + PAIRS[0]] * seen.text[1 + PAIRS[1]]
        wide = np.concatenate((seen.text, pairs, task, seen.embedding))
        shared = float(self.shared.mean(wide)[0])
        return Look(wide, np.concatenate((seen.text, [shared], task)), shared)

    def predict(self, look: Look, rows: list[int]) -> Floats:
        """Logarithms for the candidates in `rows`, shape (K,)."""
        logs = look.shared + self.own.weights[rows] @ look.narrow
        return np.asarray(np.clip(logs, -MOST, MOST), dtype=np.float64)

    def learn(self, seen: Seen, look: Look, row: int, output_tokens: float) -> None:
        """Learn that this candidate's answer had so many tokens; `look` is what was seen before."""
        if self.tasks.learn(seen.task):
            look = self.look(seen)
        target = self.log(output_tokens)
        own = float(self.own.weights[row] @ look.narrow)
        doubt = float(self.own.variance(look.narrow, row)[0])
        doubt = self.shared.learn(look.wide, np.array([target - own]), 1.0 / (1.0 + doubt))
        self.own.learn(row, look.narrow, target - look.shared, 1.0 / (1.0 + doubt))

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return (
            self.tasks.save(f"{name}.tasks")
            | self.shared.save(f"{name}.shared")
            | self.own.save(f"{name}.own")
        )

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.tasks.load(f"{name}.tasks", state)
        self.shared.load(f"{name}.shared", state)
        self.own.load(f"{name}.own", state)
