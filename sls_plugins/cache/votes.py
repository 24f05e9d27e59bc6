"""What candidates answered to queries of one pattern: how likely each answer is right."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["LEAST", "Case", "Vote"]

ANSWERS = 6
"""Different answers of one candidate to a pattern that are remembered at most."""

CHANCE_ALIKE = 0.2
"""How often two wrong answers are the same."""

SURE = 0.97
"""How far a grade is believed."""

LEAST = 0.05
"""Expected quality is kept this far from certainty."""

SEVERAL = 2
"""Votes and grades from which on they are set against what was expected."""


@dataclass(slots=True)
class Vote:
    """What a candidate was expected to be worth, and how often it gave which answer.

    Who contradicts itself is right with one of its answers at most.
    """

    expected: float
    said: dict[int, int] = field(default_factory=dict)

    def shares(self) -> Iterator[tuple[int, float]]:
        """Each of its answers with the share of times that it was given."""
        total = sum(self.said.values())
        return ((answer, count / total) for answer, count in self.said.items())

    def add(self, answer: int) -> bool:
        """It has answered once more; whether that tells anything new.

        Of many answers the rarest is no longer remembered.
        """
        news = self.said.keys() != {answer}
        self.said[answer] = self.said.get(answer, 0) + 1
        if len(self.said) > ANSWERS:
            del self.said[min(self.said, key=lambda one: (one == answer, self.said[one]))]
        return news


@dataclass(slots=True)
class Case:
    """One pattern: votes by candidate, grades (good, bad) by answer, how often it was looked at."""

    votes: dict[str, Vote] = field(default_factory=dict)
    grades: dict[int, tuple[float, float]] = field(default_factory=dict)
    looks: int = 0
    posterior: dict[int, float] | None = None

    @property
    def several(self) -> bool:
        """There are enough votes and grades to set against what was expected."""
        return sum(len(vote.said) for vote in self.votes.values()) + len(self.grades) >= SEVERAL

    def chances(self) -> dict[int, float]:
        """P(this answer is the right one) of every answer; what is left is that none of them is."""
        if self.posterior is None:
            said: dict[int, list[float]] = {answer: [] for answer in self.grades}
            for vote in self.votes.values():
                for answer, share in vote.shares():
                    said.setdefault(answer, []).append(max(LEAST, vote.expected * share))
            wrong = {answer: self._if_wrong(answer, votes) for answer, votes in said.items()}
            none = sum(wrong.values())
            logs = {
                answer: none - wrong[answer] + self._if_right(answer, votes)
                for answer, votes in said.items()
            }
            top = max((none, *logs.values()))
            powers = {answer: math.exp(log - top) for answer, log in logs.items()}
            total = math.exp(none - top) + sum(powers.values())
            self.posterior = {answer: power / total for answer, power in powers.items()}
        return self.posterior

    def alone(self, answer: int) -> float | None:
        """P(this answer is right) by its own grades, whatever others said; None if it has none."""
        if answer not in self.grades:
            return None
        good, bad = self.grades[answer]
        votes = [vote.expected for vote in self.votes.values() if answer in vote.said]
        expected = max(votes, default=0.5)
        told = (good - bad) * math.log(SURE / (1.0 - SURE))
        odds = math.log(expected / (1.0 - expected)) + min(max(told, -50.0), 50.0)
        return 1.0 / (1.0 + math.exp(-odds))

    def _if_right(self, answer: int, votes: list[float]) -> float:
        """Logarithm of how likely these votes and grades are for a right answer."""
        good, bad = self.grades.get(answer, (0.0, 0.0))
        told = good * math.log(SURE) + bad * math.log(1.0 - SURE)
        return told + sum(math.log(one) for one in votes)

    def _if_wrong(self, answer: int, votes: list[float]) -> float:
        """The same for a wrong one: who errs first says something new, others may follow."""
        good, bad = self.grades.get(answer, (0.0, 0.0))
        told = good * math.log(1.0 - SURE) + bad * math.log(SURE)
        if votes:
            told += math.log(1.0 - CHANCE_ALIKE) + (len(votes) - 1) * math.log(CHANCE_ALIKE)
        return told + sum(math.log(1.0 - one) for one in votes)
