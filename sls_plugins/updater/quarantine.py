"""Tells from few probes whether a candidate that had fallen has recovered.

Each probe's grade is compared with what was expected before the fall. The comparison is a bet
against "still as bad as when the alarm came" which gains nothing on average while that is so; a
Shiryaev-Roberts sum of products of such bets (see `detector`) grows once the candidate is better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sls_plugins.updater.detector import EDGE, SHIFTS

__all__ = ["PROBES", "WARD", "Ward"]

PROBES, HOPED = 0.033, 0.25
"""Share of the queries that a candidate in quarantine gets; the same while it looks recovered."""

HOPE, RECOVERED = 12.0, 250.0
"""Evidence from which on it looks recovered, and has: about as many probes per false one."""

FIRST = 20
"""Probes before which luck is more likely than a recovery so soon."""

RISE = 0.25
"""Share of the fall by which it may be better than at the alarm without having recovered."""

PATIENCE = 60.0
"""Probes from which on they become rarer, the more there were."""

LEADING = 12
"""Probes after which it may be seen that it is better than the others all the same."""

WARD = 7 + len(SHIFTS)
"""Numbers that a ward's state is."""


@dataclass(slots=True)
class Ward:
    """One candidate in quarantine: how far it fell, the evidence that it has recovered, its probes.

    `fallen` is the mean error (real less expected quality) at the alarm; `probes` are number, sum
    and sum of squares of its grades since, `others` number and sum of all others'.
    """

    fallen: float
    sums: list[float]
    probes: tuple[float, float, float] = (0.0, 0.0, 0.0)
    others: tuple[float, float] = (0.0, 0.0)
    share: float = PROBES

    @classmethod
    def after(cls, normal: float, recent: float) -> Ward:
        """A ward whose errors had this mean before the fall, and that one at the alarm."""
        return cls(fallen=recent + RISE * (normal - recent), sums=[0.0] * len(SHIFTS))

    @property
    def evidence(self) -> float:
        """How much speaks for a recovery; 1 is nothing."""
        return sum(self.sums) / len(self.sums)

    @property
    def hopeful(self) -> bool:
        """It looks as it was before."""
        return self.evidence >= HOPE

    @property
    def recovered(self) -> bool:
        """It is as it was before."""
        return self.evidence >= RECOVERED

    @property
    def leading(self) -> bool:
        """Its grades are better than the others' even so."""
        number, total, squares = self.probes
        if number < LEADING or self.others[0] < LEADING:
            return False
        mean = total / number
        doubt = math.sqrt(max(squares / number - mean * mean, 0.01) / number)
        return mean - doubt > self.others[1] / self.others[0]

    def probe(self, quality: float, expected: float) -> None:
        """A probe was graded, of which this had been expected before the fall."""
        most = min(max(expected + self.fallen, EDGE), 1.0 - EDGE)
        won = (quality - most) / (most * (1.0 - most))
        for place, shift in enumerate(SHIFTS):
            stake = min(shift, 0.9 * (1.0 - most))
            self.sums[place] = (self.sums[place] + 1.0) * (1.0 + stake * won)
        number, total, squares = self.probes
        self.probes = (number + 1.0, total + quality, squares + quality * quality)
        rare = PROBES * min(1.0, PATIENCE / self.probes[0])
        self.share = HOPED if self.hopeful and self.probes[0] >= FIRST else rare

    def other(self, quality: float) -> None:
        """Somebody else's answer was graded."""
        self.others = (self.others[0] + 1.0, self.others[1] + quality)

    def flat(self) -> list[float]:
        """All state in a row of WARD numbers."""
        return [self.fallen, self.share, *self.probes, *self.others, *self.sums]

    @classmethod
    def of(cls, row: list[float]) -> Ward:
        """Restore what `flat` gave."""
        return cls(
            fallen=row[0],
            share=row[1],
            probes=(row[2], row[3], row[4]),
            others=(row[5], row[6]),
            sums=row[7:],
        )
