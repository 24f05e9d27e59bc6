"""Expected quality of each candidate: prior, linear models, then what was seen nearby."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from sls_plugins.predictor.blend import Belief, Calibration, Evidence, Shrinkage, Stack
from sls_plugins.predictor.counts import Counts
from sls_plugins.predictor.features import TEXT_WIDTH, WIDEST, Arrays, Floats, Seen, embedding_of
from sls_plugins.predictor.linear import LinearBank, WideLinear
from sls_plugins.predictor.neighbours import Neighbours
from sls_plugins.predictor.projection import FIT_AT, Projection
from sls_plugins.predictor.shelf import Earlier, put_back, set_aside
from sls_plugins.types import State

__all__ = ["QualityModel"]

LOCAL = ("near", "pattern", "exact")
"""Places where evidence is looked for, from wide to narrow."""

KEYED = ("pattern", "exact")
"""Those that are the same again, or not."""


WIDE_PRIOR = (0.5, 0.05, 0.008)
"""Prior variance of the shared model's weights: constant, text, embedding; in noise variances."""

SLOW_PRIOR = (0.5, 0.05, 0.05)
"""The same for each candidate's own model of long memory, which may bend far."""

FAST_PRIOR = (0.5, 0.01, 0.005)
"""The same for the model of short memory, which is stiff."""


class Part(Protocol):
    """A part whose learnt state is arrays."""

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""


class QualityModel:
    """Learns quality from the chosen candidate's grades.

    Experts: running averages (of the candidate, of the candidate in the task), and two linear
    models, of long and of short memory, on top of a wide one which all candidates share.
    They are stacked; then evidence from near, alike and identical queries is taken in.
    """

    def __init__(self, dimension: int) -> None:
        """`dimension` of the vectors."""
        wide = TEXT_WIDTH + min(dimension, WIDEST)
        prior = prior_variance(wide, *WIDE_PRIOR)
        self.shared = WideLinear(prior, drift=2e-6)
        self.projection = Projection(min(dimension, WIDEST))
        narrow = TEXT_WIDTH + self.projection.width
        self.slow = LinearBank(prior_variance(narrow, *SLOW_PRIOR), drift=1e-5)
        self.fast = LinearBank(prior_variance(narrow, *FAST_PRIOR), drift=1e-3)
        self.texts: Floats = np.zeros((FIT_AT, TEXT_WIDTH))
        self.offsets: Floats = np.zeros(0)
        self.noise: Floats = np.zeros(0)
        self.tasks = Counts(1024, fade=1 / 1000)
        self.near = Neighbours(1024, dimension, sharpness=25.0, floor=0.7)
        self.pattern = Counts(8192, fade=1 / 200)
        self.exact = Counts(8192, fade=1 / 200)
        self.calibration = Calibration()
        self.shelf: dict[int, dict[str, Arrays]] = {}
        self.earlier = Earlier()
        self.stack = Stack((0.4, 0.4, 0.2), trust=0.2, drift=1e-4)
        self.trust = {
            name: Shrinkage(fade=1 / 500, local=name in KEYED) for name in ("own", "task", *LOCAL)
        }

    def grow(self, offsets: Sequence[float]) -> None:
        """Take in new candidates with these prior qualities."""
        if offsets:
            self.offsets = np.concatenate((self.offsets, offsets))
            self.noise = np.concatenate((self.noise, np.full(len(offsets), 0.15)))
            for part in (self.slow, self.fast, self.tasks, self.pattern, self.exact):
                part.grow(self.offsets.size)
            self.calibration.grow(self.offsets.size)

    def predict(self, seen: Seen, rows: list[int]) -> Belief:
        """Belief about the candidates in `rows`, kept within 0…1."""
        low = self._low(seen)
        base = self.offsets[rows] + self.shared.mean(seen.wide)[0]
        belief = Belief(self.offsets[rows], np.full(len(rows), 0.03))
        for name, key in (("own", 0), ("task", seen.task)):
            belief = self.trust[name].apply(belief, self._counted(self.tasks, key, rows), 0.15)
        slow, fast = self.slow.mean(low)[rows], self.fast.mean(low)[rows]
        experts = np.stack((belief.mean, base + slow, base + fast))
        noise = self.noise[rows]
        weights = self.stack.weights
        doubts = np.stack(
            (
                belief.variance,
                noise * self.slow.variance(low)[rows],
                noise * self.fast.variance(low)[rows],
            )
        )
        belief = Belief(weights @ experts, np.minimum(weights @ doubts, 0.09))
        for name, evidence in zip(LOCAL, self._local(seen, rows), strict=True):
            belief = self.trust[name].apply(belief, evidence, noise)
        return Belief(self.calibration.apply(belief.mean, rows), belief.variance)

    def _low(self, seen: Seen) -> Floats:
        return np.concatenate((seen.text, self.projection.apply(seen.embedding)))

    def _local(self, seen: Seen, rows: list[int]) -> tuple[Evidence | None, ...]:
        sums, weights, common = self.near.near(seen.unit, self.offsets.size)
        near = Evidence(sums[rows], weights[rows], common) if common[1] > 0 else None
        return (
            near,
            self._counted(self.pattern, seen.pattern, rows),
            self._counted(self.exact, seen.exact, rows),
        )

    @staticmethod
    def _counted(table: Counts, key: int, rows: list[int]) -> Evidence | None:
        place = table.find(key)
        if place is None:
            return None
        return Evidence(table.sums[place, rows], table.weights[place, rows], table.residuals[place])

    def learn(self, seen: Seen, row: int, quality: float, weight: float) -> None:
        """Learn that this candidate's answer was worth `quality`."""
        low, offset, noise = self._low(seen), float(self.offsets[row]), float(self.noise[row])
        base = offset + float(self.shared.mean(seen.wide)[0])
        average = offset
        for name, key in (("own", 0), ("task", seen.task)):
            evidence = self._counted(self.tasks, key, [row])
            average = self.trust[name].learn(average, evidence, quality, noise)
        slow, fast = float(self.slow.weights[row] @ low), float(self.fast.weights[row] @ low)
        experts = np.array((average, base + slow, base + fast))
        stacked = expected = float(self.stack.weights @ experts)
        for name, evidence in zip(LOCAL, self._local(seen, [row]), strict=True):
            expected = self.trust[name].learn(expected, evidence, quality, noise)
        self.noise[row] += 0.01 * (max((quality - stacked) ** 2, 0.005) - noise)
        self.calibration.learn(row, min(max(expected, 0.0), 1.0), quality, weight)
        self.stack.learn(experts, quality, weight)
        self._learn_linear(seen, low, row, (quality - base, weight))
        self._learn_places(seen, row, (quality, quality - stacked), weight)
        if row not in self.shelf:
            self.earlier.learnt(row, self._own()[0], self.tasks)

    def forget(self, row: int, share: float) -> None:
        """Let a share of what was learnt of one candidate count no longer: it has changed."""
        self.earlier.drop(row)
        for bank in (self.slow, self.fast, self.calibration.own):
            bank.forget(row, share)
        for table in (self.tasks, self.pattern, self.exact, self.near):
            table.forget(row, share)

    def set_aside(self, row: int) -> None:
        """Keep what was known of a candidate before it fell, should it be like that again."""
        self.shelf[row] = set_aside(*self._own(), row) | self.earlier.oldest(row)
        self.earlier.drop(row)

    def put_back(self, row: int, *, recall: bool) -> None:
        """Know it again, or let go of it for good."""
        kept = self.shelf.pop(row, None)
        if recall and kept is not None:
            put_back(*self._own(), row, kept)

    def steady(self, seen: Seen, row: int) -> float:
        """Quality by the model of long memory alone, and by what was set aside if there is such."""
        kept = self.shelf.get(row)
        weights: Floats = self.slow.weights[row]
        if kept is not None:
            weights = np.asarray(kept["slow.weights"], dtype=np.float64)
        base = self.offsets[row] + self.shared.mean(seen.wide)[0]
        return min(max(float(base + weights @ self._low(seen)), 0.0), 1.0)

    def _own(self) -> tuple[dict[str, LinearBank], dict[str, Counts], Neighbours]:
        """The parts that know each candidate by itself."""
        banks = {"slow": self.slow, "fast": self.fast, "calibration": self.calibration.own}
        return banks, {"tasks": self.tasks, "pattern": self.pattern, "exact": self.exact}, self.near

    def _learn_linear(self, seen: Seen, low: Floats, row: int, facts: tuple[float, float]) -> None:
        """Learn from a quality less what all candidates together were expected to reach."""
        apart, weight = facts
        self.slow.learn(row, low, apart, weight)
        self.fast.learn(row, low, apart, weight)
        target = apart - float(self.slow.weights[row] @ low) + float(self.shared.mean(seen.wide)[0])
        self.shared.learn(seen.wide, np.array([target]), weight)

    def _learn_places(
        self, seen: Seen, row: int, facts: tuple[float, float], weight: float
    ) -> None:
        quality, residual = facts
        self.tasks.learn(0, row, quality, 0.0, weight)
        self.tasks.learn(seen.task, row, quality, 0.0, weight)
        self.pattern.learn(seen.pattern, row, quality, residual, weight)
        self.exact.learn(seen.exact, row, quality, residual, weight)
        self.near.add(seen.unit, row, (quality, residual, weight))
        if not self.projection.known:
            self.texts[self.near.added - 1] = seen.text
            if self.projection.due(self.near.added):
                self._take_directions()

    def _take_directions(self) -> None:
        """Fix the directions, then learn the first outcomes once more in their light."""
        remembered = range(self.near.added)
        embeddings = np.array([embedding_of(self.near.vectors[i]) for i in remembered])
        self.projection.fit(embeddings)
        self.slow.reset()
        self.fast.reset()
        self.shelf.clear()
        self.earlier.clear()
        for i in remembered:
            row = int(self.near.columns[i])
            low = np.concatenate((self.texts[i], self.projection.apply(embeddings[i])))
            shared = self.shared.mean(np.concatenate((self.texts[i], embeddings[i])))[0]
            target = float(self.near.facts[i, 0] - self.offsets[row] - shared)
            self.slow.learn(row, low, target, float(self.near.facts[i, 2]))
            self.fast.learn(row, low, target, float(self.near.facts[i, 2]))

    def _parts(self) -> Iterator[tuple[str, Part]]:
        yield from (("shared", self.shared), ("projection", self.projection))
        yield from (("slow", self.slow), ("fast", self.fast), ("stack", self.stack))
        yield from (("tasks", self.tasks), ("pattern", self.pattern), ("exact", self.exact))
        yield from (("near", self.near), ("calibration", self.calibration))
        yield from ((f"trust.{place}", trust) for place, trust in self.trust.items())

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        state: dict[str, Arrays] = {
            f"{name}.offsets": self.offsets.copy(),
            f"{name}.noise": self.noise.copy(),
            f"{name}.texts": self.texts.copy(),
        }
        for part_name, part in self._parts():
            state |= part.save(f"{name}.{part_name}")
        state |= self.earlier.save(f"{name}.earlier")
        for row, kept in self.shelf.items():
            state |= {f"{name}.shelf/{row}/{key}": value.copy() for key, value in kept.items()}
        return state

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.offsets = np.array(state[f"{name}.offsets"], dtype=np.float64)
        self.noise = np.array(state[f"{name}.noise"], dtype=np.float64)
        self.texts = np.array(state[f"{name}.texts"], dtype=np.float64)
        for part_name, part in self._parts():
            part.load(f"{name}.{part_name}", state)
        self.earlier.load(f"{name}.earlier", state)
        self.shelf = {}
        for key in [key for key in state if key.startswith(f"{name}.shelf/")]:
            row, kept = key.removeprefix(f"{name}.shelf/").split("/", 1)
            self.shelf.setdefault(int(row), {})[kept] = np.array(state[key])


def prior_variance(width: int, constant: float, text: float, embedding: float) -> Floats:
    """Prior variances of a linear model's weights, shape (width,)."""
    variance = np.full(width, embedding)
    variance[:TEXT_WIDTH] = text
    variance[0] = constant
    return variance
