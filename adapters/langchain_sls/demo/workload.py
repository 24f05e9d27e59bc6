"""Makes up a stream of queries in which people repeat themselves, in other words too."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from langchain_sls.demo.tasks import Problem, make_problem

__all__ = ["Asked", "make_workload"]

_FAMILIES = ("logs", "arithmetic", "units", "text")
_WEIGHTS = (0.4, 0.2, 0.2, 0.2)
_AGAIN = 0.45
"""Share of queries, outside the logs, that somebody asked before."""

_REWORDED = 0.5
"""Share of those that are asked in other words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One query of the stream: its id, its words, and the problem behind them."""

    query_id: str
    text: str
    problem: Problem


def make_workload(seed: int, queries: int) -> tuple[Asked, ...]:
    """The same stream for the same seed."""
    rng = random.Random(seed)
    known: dict[str, list[tuple[Problem, str]]] = {family: [] for family in _FAMILIES}
    stream = []
    for number in range(queries):
        (family,) = rng.choices(_FAMILIES, _WEIGHTS)
        problem, text = _next(family, known[family], rng)
        stream.append(Asked(query_id=f"demo-{number}", text=text, problem=problem))
    return tuple(stream)


def _next(family: str, known: list[tuple[Problem, str]], rng: random.Random) -> tuple[Problem, str]:
    """A problem that is new, or an old one: word for word, or reworded."""
    if family != "logs" and known and rng.random() < _AGAIN:
        problem, text = _popular(known, rng)
        return problem, rng.choice(problem.phrasings) if rng.random() < _REWORDED else text
    problem = make_problem(family, rng)
    text = rng.choice(problem.phrasings)
    known.append((problem, text))
    return problem, text


def _popular(known: Sequence[tuple[Problem, str]], rng: random.Random) -> tuple[Problem, str]:
    """An old problem; the earlier it came up, the more people ask it (Zipf's law)."""
    weights = [1 / place for place in range(1, len(known) + 1)]
    (chosen,) = rng.choices(known, weights)
    return chosen
