"""Tells how far a stored answer is to be believed: who has given it to such queries, who another.

Queries of one pattern (digits masked) of repeating work have one right answer. What each candidate
answered is a vote, as good as the candidate was expected to be; grades count for all who said the
same (after Dawid and Skene, 1979). Only answers that were really given are compared. Whether votes
tell anything is learnt, in each place where answers are shared: by how often candidates agree, and
by grades of answers on which there had been votes before. Where answers are put in other words each
time, or depend on the digits, nothing is said of any.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from sls_plugins.cache.keys import pattern_of, space_of
from sls_plugins.cache.repute import Repute
from sls_plugins.cache.trust import Trust
from sls_plugins.cache.votes import LEAST, Case, Vote
from sls_plugins.types import CacheEntry, Estimate, Outcome, OutcomeKind, Query, Source, State

__all__ = ["Belief", "Witnesses"]

PATTERNS, OPEN = 4096, 8192
"""Patterns, and answers whose grade may come, that are remembered at most."""

LONGEST = 4000
"""Characters of a query that are looked at."""

BELIEVED = 0.8
"""From this chance on an answer overrules all others that are stored for such queries."""

ENOUGH, EVEN = 0.3, 0.5
"""Below this trust votes say nothing; from this chance on grades alone say nothing against it."""

SILENT = 0.5
"""How far somebody who has not answered yet is thought to be as good as usual, after bad grades."""

FINDING_OUT, HORIZON = 0.4, 10
"""Worth of knowing, per later use; uses ahead that count at most."""

CALLS = 200.0
"""Calls back to which it is looked how many were graded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """P(a stored answer is right), and what finding out more would be worth (quality)."""

    right: float
    worth: float


@dataclass(frozen=True, slots=True)
class _Open:
    """An answer whose grade may come, with what was expected of it, without and with its votes."""

    place: int
    case: int
    answer: int
    expected: float
    believed: float | None


class Witnesses:
    """Votes on the answers to repeating queries, read from the log; memory is bounded."""

    def __init__(self) -> None:
        """Nothing was answered yet."""
        self._cases: dict[int, Case] = {}
        self._open: dict[str, _Open] = {}
        self._trust = Trust()
        self._repute = Repute()
        self._graded = 0.0  # share of the last calls that were graded

    def trust(self, query: Query) -> float:
        """How much votes tell (0…1): as far as right answers are alike, and grades bear out."""
        return self._trust.level(_place_of(query))

    def believe(self, query: Query, entry: CacheEntry) -> Belief | None:
        """What is thought of a stored answer to this query; None if votes tell nothing of it.

        Where they do not, its own grades tell if it is bad.
        """
        case, trust = self._cases.get(_case_of(query)), self.trust(query)
        if case is None:
            return None
        case.looks += 1
        answer = _name(entry.answer.text)
        if trust < ENOUGH:
            alone = case.alone(answer)
            return None if alone is None or alone >= EVEN else Belief(right=alone, worth=0.0)
        chances = case.chances()
        if answer not in chances:
            return None
        right = chances[answer]
        worth = trust * FINDING_OUT * right * (1.0 - right) * min(case.looks, HORIZON)
        return Belief(right=right, worth=worth)

    def overruled(self, query: Query) -> Callable[[CacheEntry], bool] | None:
        """Tells which stored answers to such queries are not the one that is believed.

        None unless one of them is; then any other is as good as known to be wrong.
        """
        case = self._cases.get(_case_of(query))
        if case is None or not case.several or self.trust(query) < ENOUGH:
            return None
        chances = case.chances()
        believed = max(chances, key=chances.__getitem__)
        if chances[believed] < BELIEVED:
            return None
        return lambda entry: _name(entry.answer.text) != believed

    def adjusted(self, query: Query, estimates: Sequence[Estimate]) -> tuple[Estimate, ...]:
        """Estimates in the light of what these candidates said to such queries, and of grades.

        Who gave an answer that is hardly believed will probably give it again. Who has not spoken
        yet is half as good as ever: that others' answers were graded bad says little of his.
        """
        case, trust = self._cases.get(_case_of(query)), self.trust(query)
        if case is None or trust < ENOUGH or not case.several:
            return tuple(estimates)
        chances, place = case.chances(), _place_of(query)

        def of(one: Estimate) -> Estimate:
            vote = case.votes.get(one.candidate)
            if vote is None:
                usual = self._repute.worth(place, one.candidate) if case.grades else None
                more = 0.0 if usual is None else max(usual - one.quality, 0.0)
                return replace(one, quality=one.quality + trust * SILENT * more) if more else one
            again = sum(share * chances[answer] for answer, share in vote.shares())
            quality = one.quality + trust * (again - one.quality)
            return replace(one, quality=quality, quality_sd=(1.0 - trust) * one.quality_sd)

        return tuple(of(one) for one in estimates)

    def telling(self, query: Query, candidate: str) -> float:
        """How much of what is worth finding out about such queries this candidate may tell (0…1).

        Who has answered one already tells nothing new by saying it again; but the call may be
        graded, which tells something of an answer that has no grade.
        """
        case = self._cases.get(_case_of(query))
        vote = None if case is None else case.votes.get(candidate)
        if case is None or vote is None:
            return 1.0
        open_share = sum(share for answer, share in vote.shares() if answer not in case.grades)
        return open_share * min(1.0, HORIZON * self._graded)

    def outvoted(self, outcome: Outcome) -> bool:
        """Another answer to such queries is probably right, and likelier than this fresh one."""
        case = self._cases.get(_case_of(outcome.query))
        if case is None or outcome.estimate is None or self.trust(outcome.query) < ENOUGH:
            return False
        chances = dict(case.chances())
        mine = chances.pop(_name(outcome.answer_text), outcome.estimate.quality)
        return max(chances.values(), default=0.0) > max(0.5, mine)

    def learn_one(self, outcome: Outcome) -> None:
        """Take in a candidate's answer, or a grade of an answer."""
        if outcome.kind is OutcomeKind.ANSWERED and outcome.source is Source.MODEL:
            self._vote(outcome)
        if outcome.quality is not None and outcome.kind is not OutcomeKind.FAILED:
            from_cache = outcome.source is Source.CACHE
            known = self._open.get((outcome.entry_id or "") if from_cache else outcome.decision_id)
            if known is not None:
                self._grade(known, outcome.quality, min(1.0, outcome.weight), from_cache=from_cache)

    def _vote(self, outcome: Outcome) -> None:
        """Who repeats an answer says nothing new, else hard patterns would count most."""
        if outcome.estimate is None or not outcome.answer_text:
            return
        self._graded *= 1.0 - 1.0 / CALLS
        place, answer = _place_of(outcome.query), _name(outcome.answer_text)
        case_id = _case_of(outcome.query)
        case = self._cases.setdefault(case_id, Case())
        while len(self._cases) > PATTERNS:
            del self._cases[next(iter(self._cases))]
        expected = min(max(outcome.estimate.quality, LEAST), 1.0 - LEAST)
        mine = case.votes.get(outcome.candidate)
        if mine is None and not case.grades:
            self._repute.learn(place, outcome.candidate, expected)
        elif mine is None:  # what is expected holds those grades, which would count twice
            expected = max(expected, self._repute.worth(place, outcome.candidate) or 0.0)
        others = [vote for name, vote in case.votes.items() if name != outcome.candidate]
        for other in others if mine is None or answer not in mine.said else ():
            alike = dict(other.shares()).get(answer, 0.0)
            self._trust.voted(place, alike, expected * other.expected)
        told = bool(others or case.grades)
        mine = case.votes.setdefault(outcome.candidate, Vote(expected))
        if mine.add(answer):
            case.posterior = None
        believed = case.chances()[answer] if told else None
        self._open[outcome.decision_id] = _Open(place, case_id, answer, expected, believed)
        while len(self._open) > OPEN:
            del self._open[next(iter(self._open))]

    def _grade(self, known: _Open, quality: float, weight: float, *, from_cache: bool) -> None:
        """A grade counts for everybody who said the same; it also tells what votes are worth."""
        if not from_cache:
            self._graded += weight / CALLS
        if known.believed is not None and not from_cache:
            self._trust.graded(known.place, quality, (known.believed, known.expected), weight)
        case = self._cases.get(known.case)
        if case is not None:
            good, bad = case.grades.get(known.answer, (0.0, 0.0))
            case.grades[known.answer] = (good + weight * quality, bad + weight * (1.0 - quality))
            case.posterior = None

    def save(self) -> State:
        """All of it, as arrays."""
        votes = [
            (case_id, answer, count, vote.expected, name)
            for case_id, case in self._cases.items()
            for name, vote in case.votes.items()
            for answer, count in vote.said.items()
        ]
        grades = [
            (case_id, answer, *told)
            for case_id, case in self._cases.items()
            for answer, told in case.grades.items()
        ]
        opened = list(self._open.values())
        return {
            "graded_share": np.array(self._graded),
            "cases": np.array(list(self._cases), dtype=np.int64),
            "looks": np.array([case.looks for case in self._cases.values()], dtype=np.int64),
            "voted": np.array([one[:3] for one in votes], dtype=np.int64).reshape(-1, 3),
            "expected": np.array([one[3] for one in votes], dtype=np.float64),
            "voters": np.array([one[4] for one in votes], dtype=np.str_),
            "graded": np.array([one[:2] for one in grades], dtype=np.int64).reshape(-1, 2),
            "grades": np.array([one[2:] for one in grades], dtype=np.float64).reshape(-1, 2),
            "open_ids": np.array(list(self._open), dtype=np.str_),
            "open": np.array(
                [(one.place, one.case, one.answer) for one in opened], np.int64
            ).reshape(-1, 3),
            "open_expected": np.array(
                [(one.expected, _number(one.believed)) for one in opened], np.float64
            ).reshape(-1, 2),
        } | (self._trust.save("trust") | self._repute.save("repute"))

    def load(self, state: State) -> None:
        """Restore what `save` gave; an empty state is the beginning."""
        self._cases, self._open = {}, {}
        self._trust, self._repute, self._graded = Trust(), Repute(), 0.0
        if "cases" not in state:
            return
        self._graded = float(state["graded_share"])
        self._trust.load("trust", state)
        self._repute.load("repute", state)
        for case_id, looks in zip(state["cases"].tolist(), state["looks"].tolist(), strict=True):
            self._cases[int(case_id)] = Case(looks=int(looks))
        voted = zip(_rows(state, "voted"), state["expected"].tolist(), state["voters"], strict=True)
        for (case_id, answer, count), expected, name in voted:
            votes = self._cases[int(case_id)].votes
            votes.setdefault(str(name), Vote(float(expected))).said[int(answer)] = int(count)
        graded = zip(_rows(state, "graded"), _rows(state, "grades"), strict=True)
        for (case_id, answer), (good, bad) in graded:
            self._cases[int(case_id)].grades[int(answer)] = (float(good), float(bad))
        opened = zip(
            state["open_ids"], _rows(state, "open"), _rows(state, "open_expected"), strict=True
        )
        for name, (place, case_id, answer), (expected, believed) in opened:
            known = None if believed < 0.0 else float(believed)
            self._open[str(name)] = _Open(
                int(place), int(case_id), int(answer), float(expected), known
            )


def _place_of(query: Query) -> int:
    """A stable name of the query's space."""
    space = space_of(query)
    return _placed(space.tenant, space.scope)


@lru_cache(maxsize=64)
def _placed(tenant: str, scope: str) -> int:
    return _digest(tenant, scope)


def _case_of(query: Query) -> int:
    """A stable name of the query's space and pattern."""
    space = space_of(query)
    return _named(space.tenant, space.scope, query.text[:LONGEST])


@lru_cache(maxsize=64)  # asked for several times while a query is answered
def _named(tenant: str, scope: str, text: str) -> int:
    return _digest(tenant, scope, pattern_of(text))


@lru_cache(maxsize=1024)  # the same long answers come again and again
def _name(answer: str) -> int:
    """A stable name of an answer; blanks do not count."""
    return _digest(*answer.split())


def _digest(*parts: str) -> int:
    joined = "\x1f".join(parts).encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(joined, digest_size=8).digest(), "little") >> 1


def _number(value: float | None) -> float:
    return -1.0 if value is None else value


def _rows(state: State, name: str) -> Iterator[list[float]]:
    yield from state[name].tolist()
