"""The engine's candidates, to which others can be added while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import overload

import numpy as np

from sls_plugins import flow
from sls_plugins.predictor.prior import price_factor, price_level
from sls_plugins.tokens import priced
from sls_plugins.types import Candidate
from sls_plugins.updater import prices_of

__all__ = ["Roster"]

LOOKED_AT = 200
"""Lines at the log's end whose queries tell how good the others are expected to be."""

CLOSE = 0.5
"""Powers of ten between prices at which a candidate still says something of another."""

DOUBTED = 0.25
"""How much of the way to the others' mean a newcomer's first quality goes back."""


class Roster(Sequence[Candidate]):
    """Candidates in order: iterate over them, `add`, `reprice` or `remove` one.

    All hold for this process until it ends: change the settings, too. What was learnt of the
    others stays as it is; what was learnt of a removed one is kept, should it come back.
    """

    def __init__(self, parts: flow.Parts) -> None:
        """A view: what it changes are the parts' candidates."""
        self._parts = parts

    def __iter__(self) -> Iterator[Candidate]:
        return iter(tuple(self._parts.candidates.values()))

    def __len__(self) -> int:
        return len(self._parts.candidates)

    @overload
    def __getitem__(self, place: int) -> Candidate: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Candidate]: ...

    def __getitem__(self, place: int | slice) -> Candidate | Sequence[Candidate]:
        return tuple(self)[place]

    def __repr__(self) -> str:
        return f"Roster({', '.join(candidate.name for candidate in self)})"

    def add(self, candidate: Candidate) -> Candidate:
        """Offer one more from now on; returns it as it was taken in.

        Without a `quality_prior` it is given one: what is expected lately of candidates that cost
        about as much. How it is explored, and what that may cost, is the scheduler's business: its
        trials are charged to the budget for exploring. Raises SettingsError if the name is taken,
        PriceUnknownError without a price.
        """
        taken = priced(candidate)
        if taken.quality_prior is None:
            taken = replace(taken, quality_prior=self._expected(taken))
        self._parts.candidates.add(taken)
        return taken

    def reprice(self, candidate: Candidate) -> Candidate:
        """Offer it at other prices (or limits) from now on; returns it as it was taken in.

        What was learnt of it stays; one that is half as dear, or less, is tried as if it were new.
        Raises UnknownCandidateError if none of its name is offered, PriceUnknownError without a
        price.
        """
        taken = priced(candidate)
        with self._parts.lock:
            before = self._parts.candidates.reprice(taken)
            if prices_of(before) != prices_of(taken):
                self._parts.manager.reprice(before, taken, price_factor(before, taken))
        return taken

    def remove(self, name: str) -> None:
        """Offer it no more; calls on their way are finished and learnt from.

        Raises UnknownCandidateError, or SettingsError for the last one.
        """
        self._parts.candidates.remove(name)

    def _expected(self, newcomer: Candidate) -> float | None:
        """The others' expected quality over the last queries, near prices first; None without."""
        log, others = self._parts.log, tuple(self)
        lines = log.after(max(log.last_seq() - LOOKED_AT, 0), LOOKED_AT)
        asked = {line.decision_id: line for line in lines if line.vector is not None}
        if not asked:
            return None
        with self._parts.lock:
            expected = [
                self._parts.predictor.predict_one(line.query, line.vector, others)
                for line in asked.values()
                if line.vector is not None
            ]
        quality = np.array([[one.quality for one in each] for each in expected]).mean(axis=0)
        apart = np.array([price_level(one) - price_level(newcomer) for one in others])
        nearness = np.exp(-((apart / CLOSE) ** 2) / 2.0) + 1e-6
        near = float(nearness @ quality / nearness.sum())
        return (1.0 - DOUBTED) * near + DOUBTED * float(quality.mean())
