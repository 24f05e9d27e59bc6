"""Which candidates an engine chooses from, while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sls_plugins.errors import SettingsError, UnknownCandidateError
from sls_plugins.types import Candidate

__all__ = ["Offered"]


class Offered(Mapping[str, Candidate]):
    """Candidates by name. Iterating gives those that may be chosen now, in order.

    One that was removed can still be looked up, for decisions that were made before. Changes put a
    new dict in the place of the old one, so that readers in other threads need no lock.
    """

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        """At least one; their names are distinct."""
        self._now = {candidate.name: candidate for candidate in candidates}
        self._ever = dict(self._now)

    def __getitem__(self, name: str) -> Candidate:
        return self._ever[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now)

    def __len__(self) -> int:
        return len(self._now)

    def add(self, candidate: Candidate) -> None:
        """Offer one more. Raises SettingsError if its name is offered already."""
        if candidate.name in self._now:
            problem = f"{candidate.name!r} is declared twice"
            raise SettingsError("candidates.add", "name", problem, "Names must be distinct")
        self._ever = self._ever | {candidate.name: candidate}
        self._now = self._now | {candidate.name: candidate}

    def reprice(self, candidate: Candidate) -> Candidate:
        """Offer one of this name at other prices; returns it as it was before.

        Raises UnknownCandidateError.
        """
        if candidate.name not in self._now:
            raise UnknownCandidateError(candidate.name, tuple(self._now), "candidates.reprice")
        before = self._now[candidate.name]
        self._ever = self._ever | {candidate.name: candidate}
        self._now = self._now | {candidate.name: candidate}
        return before

    def remove(self, name: str) -> None:
        """Offer it no more. Raises UnknownCandidateError, or SettingsError for the last one."""
        if name not in self._now:
            raise UnknownCandidateError(name, tuple(self._now), "candidates.remove")
        if len(self._now) == 1:
            problem = f"{name!r} is the last one"
            raise SettingsError("candidates.remove", "name", problem, "Add another one before")
        self._now = {key: value for key, value in self._now.items() if key != name}
