"""Solves the demo's problems from nothing but the words of the prompt."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from langchain_sls.demo.arithmetic import evaluate
from langchain_sls.demo.loglines import masked
from langchain_sls.demo.tasks import UNITS

__all__ = ["Solution", "solve"]

_LOG = re.compile(r"log line.*?: (?P<line>.+)$", re.DOTALL)
_QUOTED = re.compile(r'"(?P<words>[^"]+)"')
_AMOUNT = re.compile(r"(?P<number>\d+) (?P<unit>[a-z]+)")
_EXPRESSION = re.compile(r"[\d(][\d\s()+*-]*[\d)]")
_NAMES = {unit: what for what, sizes in UNITS.items() for unit in sizes}


@dataclass(frozen=True, slots=True)
class Solution:
    """What was asked for (its family), the answer, and how hard it was (0…1)."""

    family: str
    answer: str
    difficulty: float


def solve(prompt: str) -> Solution | None:
    """The solution, or None if the prompt is no problem of a known family."""
    for attempt in (_log, _words, _conversion, _expression):
        solution = attempt(prompt)
        if solution is not None:
            return solution
    return None


def _log(prompt: str) -> Solution | None:
    found = _LOG.search(prompt)
    if found is None:
        return None
    answer = masked(found["line"])
    tricky = "'" in found["line"] or " /" in found["line"]
    return Solution("logs", answer, min(1.0, answer.count("<*>") / 5 + 0.3 * tricky))


_EDITS: tuple[tuple[str, Callable[[str], str]], ...] = (
    (r"revers|backwards", lambda words: words[::-1]),
    (r"sort|order", lambda words: " ".join(sorted(words.split()))),
    (r"initials|first letters", lambda words: "".join(w[0] for w in words.split()).upper()),
    (r"capitals|upper case", str.upper),
)


def _words(prompt: str) -> Solution | None:
    found = _QUOTED.search(prompt)
    if found is None:
        return None
    asked = _QUOTED.sub("", prompt).lower()
    for wanted, edit in _EDITS:
        if re.search(wanted, asked):
            words = found["words"]
            return Solution("text", edit(words), min(1.0, words.count(" ") / 4))
    return None


def _conversion(prompt: str) -> Solution | None:
    amounts = [(int(each["number"]), each["unit"]) for each in _AMOUNT.finditer(prompt)]
    known = [(number, unit) for number, unit in amounts if unit in _NAMES]
    named = [word for word in re.findall(r"[a-z]+", prompt) if word in _NAMES]
    if not known or len(named) <= len(known):
        return None
    target = named[0] if prompt.startswith("How many") else named[-1]
    sizes = UNITS[_NAMES[target]]
    total = sum(number * sizes[unit] for number, unit in known if unit in sizes)
    answer = str(total // sizes[target])
    return Solution("units", answer, min(1.0, 0.15 * len(answer) + 0.2 * (len(known) - 1)))


def _expression(prompt: str) -> Solution | None:
    found = _EXPRESSION.search(prompt)
    if found is None:
        return None
    try:
        answer = str(evaluate(found[0]))
    except ValueError:
        return None
    numbers = len(re.findall(r"\d+", found[0]))
    return Solution("arithmetic", answer, min(1.0, max(0.0, (numbers - 2) / 4)))
