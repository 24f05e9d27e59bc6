"""Times what SLS adds to a request, beside the encoder's own time in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from sls_plugins.assembly import build
from sls_plugins.engine import Engine
from sls_plugins.evaluation.accepting import acceptance_ms
from sls_plugins.evaluation.deciding import decide_ms, reserve_ms
from sls_plugins.evaluation.metrics import percentile
from sls_plugins.hookspecs import Parts, hookimpl
from sls_plugins.predictor import OnlinePredictor
from sls_plugins.protocols import Context, Encoder
from sls_plugins.settings import Budget, PartSettings, Settings
from sls_plugins.types import (
    Answer,
    Candidate,
    Matrix,
    Outcome,
    OutcomeKind,
    Query,
    Usage,
    unit_rows,
)

__all__ = ["Load", "Timing", "measure_overhead"]


MANY = 20
"""Candidates among which the scheduler alone is timed."""


CHOICE = 20
"""Candidates for which the predictor is timed."""

OUTCOMES = (500, 5000)
"""Outcomes after which it is: the times should be the same."""

ACCEPTED = 50_000
"""Stored answers among which those that acceptance is timed on are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is timed: cached entries to search, candidates to choose from, how many queries."""

    entries: int = 5000
    candidates: int = 8
    queries: int = 500
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """Median and 99th percentile of a step, in milliseconds, over `count` times."""

    name: str
    p50_ms: float
    p99_ms: float
    count: int


class Dictated:
    """An encoder that looks embeddings up, so that a decision is timed without encoding.

    Vectors are random around a few centres, like texts around topics.
    """

    def __init__(self, dimension: int, seed: int) -> None:
        """`dimension` is that of the real encoder."""
        self._dimension = dimension
        self._seed = seed
        self._centres = np.random.default_rng(seed).normal(size=(64, dimension))

    @property
    def fingerprint(self) -> str:
        """Of no other encoder."""
        return f"dictated:{self._dimension}:{self._seed}"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    def encode(self, texts: Sequence[str]) -> Matrix:
        """A made-up vector for each text "… <number>", shape (n, d)."""
        rows = [self._row(int(text.rsplit(" ", 1)[1])) for text in texts]
        return unit_rows(np.stack(rows))

    def _row(self, number: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        noise = np.random.default_rng((self._seed, number)).normal(size=self._dimension)
        row: np.ndarray[tuple[int], np.dtype[np.float64]]
        row = self._centres[number % len(self._centres)] + 0.8 * noise
        return row


class DictatedPlugin:
    """Brings `Dictated` into an engine."""

    def __init__(self, encoder: Dictated) -> None:
        """The one to hand out."""
        self._encoder = encoder

    @hookimpl
    def sls_encoders(self) -> Parts:
        """It, under the name "dictated"."""
        return {"dictated": self._make}

    def _make(self, _context: Context, _options: Mapping[str, object]) -> Encoder:
        return self._encoder


def measure_overhead(
    encoder: Encoder, load: Load, advance: Callable[[int], None]
) -> tuple[Timing, ...]:
    """Decision given the embedding, exact hit, and the encoder's own time, one after the other.

    `advance` is told how many queries are done, of `load.entries + load.queries`.
    """
    dictated = Dictated(encoder.dimension, load.seed)
    settings = Settings(
        candidates=tuple(_candidate(number) for number in range(load.candidates)),
        budget=Budget(price=1.0),
        encoder=PartSettings(name="dictated"),
        index=PartSettings(name="memory"),
        seed=load.seed,
    )
    with build(settings, plugins=[DictatedPlugin(dictated)]) as engine:
        for number in range(load.entries):
            _answer(engine, number)
            advance(number)
        return _timings(engine, encoder, load, advance)


def _timings(
    engine: Engine, encoder: Encoder, load: Load, advance: Callable[[int], None]
) -> tuple[Timing, ...]:
    fresh = [Query(text=_text(load.entries + place)) for place in range(load.queries)]
    old = [Query(text=_text(place % load.entries)) for place in range(load.queries)]
    engine.parts.encoder.encode([query.text for query in fresh])  # kept in the memo: not timed
    decisions = [_timed(partial(engine.plan, query)) for query in fresh]
    advance(load.entries + load.queries // 3)
    hits = [_timed(partial(engine.plan, query)) for query in old]
    advance(load.entries + 2 * load.queries // 3)
    encodings = [_timed(partial(encoder.encode, [query.text])) for query in fresh]
    advance(load.entries + load.queries)
    return (
        *predictions(encoder.dimension, load),
        _timing(f"decision ({load.entries} entries, {load.candidates} candidates)", decisions),
        _timing(f"scheduler alone ({MANY} candidates)", decide_ms(MANY, load.queries, load.seed)),
        _timing("money held under a cap (SQLite's commit)", reserve_ms(load.queries)),
        _timing("exact hit", hits),
        _timing(
            f"acceptance alone ({ACCEPTED} entries)",
            acceptance_ms(ACCEPTED, load.queries, load.seed),
        ),
        _timing(f"encoder {encoder.fingerprint}", encodings),
    )


def predictions(dimension: int, load: Load) -> tuple[Timing, ...]:
    """`predict_one` for 20 candidates and `learn_one`, after few outcomes and after many."""
    candidates = tuple(_candidate(number % 10, f"-{number}") for number in range(CHOICE))
    predictor = OnlinePredictor(dimension, candidates)
    encoder = Dictated(dimension, load.seed)
    timings: list[Timing] = []
    learnt = 0
    for outcomes in OUTCOMES:
        for number in range(learnt, outcomes):
            predictor.learn_one(_outcome(number, encoder, candidates))
        fresh = [_outcome(outcomes + i, encoder, candidates) for i in range(load.queries)]
        asked = [(one.query, encoder.encode([one.query.text])[0], candidates) for one in fresh]
        predicted = [_timed(partial(predictor.predict_one, *one)) for one in asked]
        learning = [_timed(partial(predictor.learn_one, one)) for one in fresh]
        learnt = outcomes + load.queries
        timings.append(_timing(f"predict_one ({CHOICE} candidates, {outcomes} seen)", predicted))
        timings.append(_timing(f"learn_one ({CHOICE} candidates, {outcomes} seen)", learning))
    return tuple(timings)


def _outcome(number: int, encoder: Dictated, candidates: Sequence[Candidate]) -> Outcome:
    """A graded answer to a made-up query."""
    text = _text(number)
    return Outcome(
        decision_id=str(number),
        query=Query(text=text, id=str(number), task=f"task-{number % 5}"),
        vector=encoder.encode([text])[0],
        candidate=candidates[number % len(candidates)].name,
        kind=OutcomeKind.ANSWERED,
        quality=float(number % 3 > 0),
        usage=Usage(input_tokens=12, output_tokens=20 + number % 50),
        cost_usd=1e-5 * (1 + number % len(candidates)),
        latency_s=0.5,
    )


def _candidate(number: int, suffix: str = "") -> Candidate:
    price = 0.1 * 2**number
    return Candidate(
        name=f"model-{number}{suffix}", input_usd_per_mtok=price, output_usd_per_mtok=4 * price
    )


def _text(number: int) -> str:
    return f"Could you tell me what I should know about topic number {number}"


def _answer(engine: Engine, number: int) -> None:
    """One query answered and graded: well enough to stay in the cache."""

    def call(candidate: Candidate, query: Query) -> Answer:
        usage = Usage(input_tokens=12, output_tokens=40)
        return Answer(text=f"{candidate.name} on {query.text}", usage=usage, latency_s=0.5)

    answer = engine.answer(Query(text=_text(number)), call)
    engine.feedback(answer.decision_id, quality=1.0 if number % 3 else 0.6, source="bench")


def _timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    start_s = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start_s)


def _timing(name: str, sample_ms: Sequence[float]) -> Timing:
    return Timing(name, percentile(sample_ms, 0.5), percentile(sample_ms, 0.99), len(sample_ms))
