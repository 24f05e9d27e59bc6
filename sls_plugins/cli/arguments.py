"""What commands were asked for, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "BenchArguments",
    "CacheReplayArguments",
    "DemoArguments",
    "FrontArguments",
    "ReplayArguments",
    "StudyArguments",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayArguments:
    """Options of `sls replay`; None where nothing was said."""

    trace: Path
    budget_usd_per_query: float | None
    target_quality: float | None
    price: float | None
    feedback_rate: float
    feedback_delay: int
    cache: bool
    max_error: float
    warm_split: str | None
    encoder: str
    embeddings: Path
    seed: int
    candidates: Path | None
    database: str | None
    limit: int | None
    knn: bool
    decisions: Path | None
    json: Path | None
    html: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheReplayArguments:
    """Options of `sls cache-replay`."""

    trace: Path
    max_error: float
    encoder: str
    embeddings: Path
    seed: int
    limit: int | None
    decisions: Path | None
    json: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoArguments:
    """Options of `sls demo`."""

    seed: int
    folder: Path | None
    trace: Path | None
    html: Path
    json: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchArguments:
    """Options of `sls bench`."""

    trace: Path | None
    encoder: str
    embeddings: Path
    entries: int
    candidates: int
    queries: int
    vectors: int
    seed: int
    json: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontArguments:
    """Options of `sls front`; None where nothing was said."""

    matrix: Path
    budget_usd: float | None
    min_quality: float | None
    method: str
    alpha: float | None
    compare: bool
    population: int
    generations: int
    seed: int
    json: Path | None
    html: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyArguments:
    """Options of `sls study`; without a name the studies are listed."""

    name: str | None
    traces: Path
    seeds: int
    encoder: str
    embeddings: Path
    limit: int | None
    only: tuple[str, ...]
    json: Path | None
