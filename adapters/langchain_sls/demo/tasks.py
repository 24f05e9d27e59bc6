"""Makes up problems whose answers can be checked."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from langchain_sls.demo.arithmetic import evaluate
from langchain_sls.demo.loglines import LINES, filled

__all__ = ["FAMILIES", "UNITS", "Problem", "is_right", "make_problem"]

UNITS: Mapping[str, Mapping[str, int]] = {
    "time": {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400, "weeks": 604800},
    "length": {"millimetres": 1, "centimetres": 10, "metres": 1000, "kilometres": 1_000_000},
    "mass": {"grams": 1, "kilograms": 1000, "tonnes": 1_000_000},
    "storage": {"bytes": 1, "kibibytes": 1024, "mebibytes": 1_048_576, "gibibytes": 1_073_741_824},
}
"""Units by what they measure, each with its size in the smallest one."""

_WORDS = (
    "amber",
    "basket",
    "candle",
    "dolphin",
    "engine",
    "forest",
    "garden",
    "harbour",
    "island",
    "jacket",
    "kettle",
    "ladder",
    "marble",
    "needle",
    "orchard",
    "parcel",
    "quarry",
    "ribbon",
    "saddle",
    "timber",
    "umbrella",
    "velvet",
    "window",
    "yellow",
    "zephyr",
    "anchor",
    "bridge",
    "copper",
    "desert",
    "emerald",
    "falcon",
    "glacier",
    "hollow",
    "ivory",
    "jungle",
    "keyboard",
    "lantern",
    "meadow",
    "nectar",
    "oyster",
    "pepper",
    "quiver",
    "rocket",
    "silver",
    "thunder",
    "upland",
    "valley",
    "walnut",
    "yonder",
    "zigzag",
)

_NUMBER = re.compile(r"-?\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem: ways to ask it, its answer, and how hard it is (0…1)."""

    family: str
    phrasings: tuple[str, ...]
    answer: str
    difficulty: float


def make_problem(family: str, rng: random.Random) -> Problem:
    """A new problem of this family. Raises KeyError for an unknown one."""
    return FAMILIES[family](rng)


def is_right(problem: Problem, text: str) -> bool:
    """Whether the last line of a text gives the problem's answer."""
    lines = text.strip().splitlines()
    if not lines:
        return False
    if problem.family in {"arithmetic", "units"}:
        numbers = _NUMBER.findall(lines[-1])
        return bool(numbers) and numbers[-1] == problem.answer
    return lines[-1].strip() == problem.answer


def _arithmetic(rng: random.Random) -> Problem:
    """Whole numbers, added, subtracted, multiplied, with a bracket now and then."""
    count = rng.randint(2, 6)
    terms = [str(rng.randint(2, 60)) for _ in range(count)]
    if count > 3:
        at = rng.randrange(count - 1)
        terms[at : at + 2] = [f"({terms[at]} {rng.choice('+-')} {terms[at + 1]})"]
    text = terms[0]
    value = terms[0]
    for term in terms[1:]:
        operator = rng.choice("+-*")
        text, value = f"{text} {operator} {term}", f"{value}{operator}{term}"
    return Problem(
        family="arithmetic",
        phrasings=(
            f"What is {text}?",
            f"Calculate {text}.",
            f"Please work out {text} for me.",
            f"How much is {text}?",
        ),
        answer=str(evaluate(value)),
        difficulty=(count - 2) / 4,
    )


def _units(rng: random.Random) -> Problem:
    """So many of one unit (and some of another) in a smaller one."""
    sizes = UNITS[rng.choice(sorted(UNITS))]
    small, large = sorted(rng.sample(sorted(sizes), 2), key=sizes.__getitem__)
    amounts = [(rng.randint(2, 40), large)]
    if rng.random() < 0.4:
        amounts.append((rng.randint(2, 9), small))
    told = " and ".join(f"{number} {unit}" for number, unit in amounts)
    total = sum(number * sizes[unit] for number, unit in amounts)
    return Problem(
        family="units",
        phrasings=(
            f"Convert {told} to {small}.",
            f"How many {small} are {told}?",
            f"Express {told} in {small}, please.",
        ),
        answer=str(total // sizes[small]),
        difficulty=min(1.0, 0.15 * len(str(total // sizes[small])) + 0.2 * (len(amounts) - 1)),
    )


def _logs(rng: random.Random) -> Problem:
    """A log line whose template is wanted."""
    template = rng.choice(LINES)
    line = filled(template, rng)
    return Problem(
        family="logs",
        phrasings=(f"Template of the log line, with <*> for what varies: {line}",),
        answer=template.answer,
        difficulty=min(1.0, template.answer.count("<*>") / 5 + 0.3 * template.tricky),
    )


def _text(rng: random.Random) -> Problem:
    """Something done to words."""
    words = rng.sample(_WORDS, rng.randint(1, 5))
    told = " ".join(words)
    phrasings, answer = rng.choice(_EDITS)(told, words)
    return Problem(
        family="text", phrasings=phrasings, answer=answer, difficulty=(len(words) - 1) / 4
    )


Edit = Callable[[str, list[str]], tuple[tuple[str, ...], str]]

_EDITS: tuple[Edit, ...] = (
    lambda told, _: (
        (f'Reverse the letters of "{told}".', f'Write "{told}" backwards, letter by letter.'),
        told[::-1],
    ),
    lambda told, words: (
        (f'Sort the words of "{told}" alphabetically.', f'Put the words "{told}" in A to Z order.'),
        " ".join(sorted(words)),
    ),
    lambda told, words: (
        (f'Which initials has "{told}"?', f'Give the first letters of the words "{told}".'),
        "".join(word[0] for word in words).upper(),
    ),
    lambda told, _: (
        (f'Write "{told}" in capitals.', f'Change "{told}" to upper case.'),
        told.upper(),
    ),
)

FAMILIES: Mapping[str, Callable[[random.Random], Problem]] = {
    "arithmetic": _arithmetic,
    "logs": _logs,
    "text": _text,
    "units": _units,
}
"""How problems of each family are made."""
