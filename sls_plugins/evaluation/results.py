"""What an evaluation found, as frozen values that every report understands.

A replay and the demo both fill `Report`; `sls_plugins.evaluation.report` draws it and
`sls_plugins.evaluation.facts` writes it for programs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sls_plugins.types import Source

__all__ = ["Chart", "Decided", "Fact", "JsonValue", "Policy", "ReplayResult", "Report", "Series"]

JsonValue: TypeAlias = (
    bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None
)
"""What a JSON file may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One query that was decided, in the words of the file that `--decisions` writes.

    `candidate` is None when nothing could answer. `quality` is 0…1 as the trace grades it;
    for a hit, 1 or 0. `predicted_quality` is the estimate of the chosen candidate (for a hit, the
    probability that the stored answer is right). `explored_usd` is what exploring was expected to
    cost beyond the best value (None: it was the best value). `warm` rows were learnt from but are
    left out of all figures.
    """

    query_id: str
    source: Source
    candidate: str | None
    cost_usd: float
    quality: float
    from_query_id: str | None = None
    propensity: float | None = None
    predicted_quality: float | None = None
    predicted_cost_usd: float | None = None
    warm: bool = False
    explored_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    """All rows as they were decided, in order, and how long it took in real seconds."""

    decided: tuple[Decided, ...]
    seconds: float

    @property
    def counted(self) -> tuple[Decided, ...]:
        """The rows that figures are made of: all but the warm ones."""
        return tuple(row for row in self.decided if not row.warm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One line of the table: a policy's mean quality with its 95 % interval, and what it spent.

    `hindsight` marks a policy that nobody could have followed without knowing the outcomes.
    """

    name: str
    quality: float
    usd_per_query: float
    cost_usd: float
    quality_low: float | None = None
    quality_high: float | None = None
    calls: int | None = None
    hit_rate: float | None = None
    hindsight: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """One named curve: x positions and y values of equal length.

    `rival` curves are there for comparison: they are dashed, and a colour is theirs in all charts.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    rival: bool = False

    def __post_init__(self) -> None:
        """Refuse a curve that cannot be drawn."""
        if len(self.x) != len(self.y):
            raise ValueError(f"series {self.name!r}: {len(self.x)} x for {len(self.y)} y")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One picture: curves over a common x axis, or shares stacked to 1 when `stacked`."""

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    stacked: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure of the summary: its label and its text as a reader sees it."""

    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a reader is told: headline facts, the table of policies, charts, caveats.

    `policies` begins with the policy under test. `data` are the same facts for programs.
    """

    title: str
    subtitle: str = ""
    facts: tuple[Fact, ...] = ()
    policies: tuple[Policy, ...] = ()
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()
    data: Mapping[str, JsonValue] = field(default_factory=dict)
