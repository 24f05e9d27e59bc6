"""Whether streams survive random faults in mid-stream, with no word said twice and none lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from sls_plugins.assembly import build
from sls_plugins.engine import Engine, StreamPolicy
from sls_plugins.engine.splice import Splice
from sls_plugins.errors import SLSError
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table
from sls_plugins.settings import Budget, PartSettings, Settings
from sls_plugins.types import Answer, Candidate, Query, Usage

__all__ = ["run"]

STREAMS = 10_000
CANDIDATES = 4
STREAM_S = 1.0
"""From one stream to the next."""

FAULT = 0.02
"""Chance that a stream breaks before any one of its chunks."""

LONGEST_WORDS = 24
WORDS = tuple(f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "ra", "lo", "s"))


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """As many streams as `limit` says (10,000), each seed anew; half of them async."""
    streams = setup.limit or STREAMS
    done = count(1)
    found = [
        Seed(seed, streams).run(lambda: advance(next(done), "streams")) for seed in setup.seeds
    ]
    rows = tuple(
        (seed, streams, each.broken, each.complete, each.complete / streams, each.twice, each.lost,
         each.held_usd)
        for seed, each in zip(setup.seeds, found, strict=True)
    )  # fmt: skip
    columns = (
        "seed", "streams", "had a fault", "complete", "share", "said twice", "lost", "still held $"
    )  # fmt: skip
    note = (
        f"{CANDIDATES} candidates; before each chunk one breaks with a chance of {FAULT:g}; up to "
        f"{CANDIDATES - 1} take over. Whoever does goes on, begins anew, or repeats the end first."
    )
    return StudyReport(
        title="Streams under random chunk faults",
        tables=(Table(title="Streams", columns=columns, rows=rows, note=note),),
    )


@dataclass(slots=True)
class Found:
    """What became of the streams of one seed."""

    complete: int = 0
    broken: int = 0
    twice: int = 0
    lost: int = 0
    held_usd: float = 0.0

    def add(self, text: str, seen: str, *, ended: bool, faults: int) -> None:
        """One stream: what should have come, and what came."""
        self.broken += faults > 0
        self.complete += ended and seen == text
        self.lost += ended and len(seen) < len(text)
        self.twice += not text.startswith(seen)


class Seed:
    """The streams of one seed."""

    def __init__(self, seed: int, streams: int) -> None:
        self._random = np.random.default_rng(seed)
        self._streams = streams
        self._seed = seed
        self._now_s = 1e9
        self.found = Found()

    def run(self, advance: Callable[[], None]) -> Found:
        """All streams, one after the other."""
        settings = Settings(
            candidates=tuple(
                Candidate(name=f"model-{n}", input_usd_per_mtok=1.0 + n, output_usd_per_mtok=4.0)
                for n in range(CANDIDATES)
            ),
            budget=Budget(usd=1000.0),
            encoder=PartSettings(name="hashing"),
            index=PartSettings(name="memory"),
            seed=self._seed,
            plugins=(),
        )
        with build(settings, clock=self._clock) as engine:
            asyncio.run(self._all(engine, advance))
            self.found.held_usd = engine.parts.ledger.purse().reserved_usd
        return self.found

    def _clock(self) -> float:
        """Seconds: a stream takes its time, so that whoever failed too often rests for few others.

        Streams of no length would all fall into the rest of one candidate.
        """
        return self._now_s

    async def _all(self, engine: Engine, advance: Callable[[], None]) -> None:
        policy = StreamPolicy(takeovers=CANDIDATES - 1)
        for number in range(self._streams):
            self._now_s += STREAM_S
            picked = self._random.choice(len(WORDS), self._random.integers(1, LONGEST_WORDS + 1))
            host = _Host(" ".join(WORDS[place] for place in picked), self._random)
            query = Query(text=f"Tell me story number {number}", cacheable=False)
            seen: list[str] = []
            ended = True
            try:
                if number % 2:
                    seen.extend(engine.stream(query, host, policy))
                else:
                    async for chunk in engine.as_async().stream(query, _AsyncHost(host), policy):
                        seen.append(chunk)  # noqa: PERF401 - what came before a fault counts
            except SLSError:
                ended = False
            self.found.add(host.text, "".join(seen), ended=ended, faults=host.faults)
            advance()


class _Host:
    """Streams one text word by word; breaks now and then; who takes over has habits of its own."""

    def __init__(self, text: str, random: np.random.Generator) -> None:
        self.text = text
        self.faults = 0
        self._random = random

    def open(self, _candidate: Candidate, _query: Query) -> Iterator[str]:
        return self._say(self.text)

    def may_resume(self, _said: Sequence[str]) -> bool:
        return True

    def resume(self, _candidate: Candidate, _query: Query, said: Sequence[str]) -> Iterator[str]:
        begun = "".join(said)
        habit = self._random.integers(3)
        back = (0, len(begun), min(len(begun), 40))[habit]
        splice = Splice(begun)
        for word in self._say(self.text[len(begun) - back :]):
            new = splice.passing(word)
            if new:
                yield new
        yield splice.rest()

    def join(self, chunks: Sequence[str]) -> Answer:
        return Answer(
            text="".join(chunks),
            usage=Usage(input_tokens=20, output_tokens=len(chunks)),
            latency_s=0.1,
        )

    def replay(self, answer: Answer) -> Iterator[str]:
        yield answer.text

    def _say(self, text: str) -> Iterator[str]:
        words = text.split(" ")
        for place, word in enumerate(words):
            if self._random.random() < FAULT:
                self.faults += 1
                raise ConnectionError("a fault of the study")
            yield word if place == 0 else f" {word}"


class _AsyncHost:
    """The same for async streams."""

    def __init__(self, host: _Host) -> None:
        self._host = host
        self.join, self.replay, self.may_resume = host.join, host.replay, host.may_resume

    async def open(self, candidate: Candidate, query: Query) -> AsyncIterator[str]:
        for chunk in self._host.open(candidate, query):
            yield chunk

    async def resume(
        self, candidate: Candidate, query: Query, said: Sequence[str]
    ) -> AsyncIterator[str]:
        for chunk in self._host.resume(candidate, query, said):
            yield chunk
