"""The default predictor: learns from one outcome at a time, from none at all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from sls_plugins.errors import InvalidFeedbackError, SettingsError, UnknownCandidateError
from sls_plugins.predictor.cost import CostModel
from sls_plugins.predictor.failures import Failures
from sls_plugins.predictor.features import Floats, read
from sls_plugins.predictor.latency import Latency
from sls_plugins.predictor.lengths import Lengths
from sls_plugins.predictor.prior import guessed_offset, price_level
from sls_plugins.predictor.quality import QualityModel
from sls_plugins.protocols import Context
from sls_plugins.types import (
    Candidate,
    Estimate,
    Outcome,
    OutcomeKind,
    Query,
    Source,
    State,
    Vector,
)

__all__ = ["OnlinePredictor", "make"]

FAILING = 0.1
"""Quality that a candidate loses in our eyes while all its calls fail."""


class OnlinePredictor:
    """Expects quality, cost and latency of candidates; O(d²) per outcome, whatever came before.

    Only the chosen candidate's outcome is ever learnt, and nothing of answers from the cache.
    """

    def __init__(self, dimension: int, candidates: Sequence[Candidate] = ()) -> None:
        """`dimension` of the query vectors; `candidates` that are known from the start."""
        self.dimension = dimension
        self._rows: dict[str, int] = {}
        self._declared: dict[str, Candidate] = {}
        self._levels: list[float] = []
        self._quality = QualityModel(dimension)
        self._cost = CostModel(dimension)
        self._latency = Latency()
        self._failures = Failures()
        self._declare(candidates)

    def predict_one(
        self, query: Query, vector: Vector, candidates: Sequence[Candidate]
    ) -> tuple[Estimate, ...]:
        """One estimate per candidate, in order; works before anything was learnt.

        Raises InvalidQueryError for a vector of another length than `dimension`, or with NaN.
        """
        seen = read(query, vector, self.dimension)
        if any(self._declared.get(candidate.name) is not candidate for candidate in candidates):
            self._declare(candidates)
        rows = [self._rows[candidate.name] for candidate in candidates]
        if not rows:
            return ()
        belief = self._quality.predict(seen, rows)
        costs = self._cost.predict(seen, rows)
        qualities = np.clip(belief.mean - FAILING * self._failures.shares[rows], 0.0, 1.0).tolist()
        deviations = np.sqrt(np.maximum(belief.variance, 1e-8)).tolist()
        means, highs = costs.mean_usd.tolist(), costs.high_usd.tolist()
        outputs = costs.output_tokens.tolist()
        latencies = self._latency.predict(rows, costs.lengths)
        typical, slow = known(latencies.typical_s), known(latencies.high_s)
        return tuple(
            Estimate(
                candidate=candidate.name,
                quality=qualities[i],
                quality_sd=deviations[i],
                cost_usd=means[i],
                cost_high_usd=highs[i],
                latency_s=typical[i],
                latency_high_s=slow[i],
                output_tokens=outputs[i],
            )
            for i, candidate in enumerate(candidates)
        )

    def learn_one(self, outcome: Outcome) -> None:
        """Learn from one line of the log; lines about cached answers are passed over.

        Raises UnknownCandidateError, InvalidFeedbackError (a quality or weight that is NaN or out
        of range) or InvalidQueryError (vector); then nothing was learnt.
        """
        if outcome.source is Source.CACHE:
            return
        row = self._row_of(outcome)
        check_grade(outcome)
        seen = read(outcome.query, outcome.vector, self.dimension)
        if outcome.kind is OutcomeKind.FAILED:
            if outcome.error:  # else it was given up for a quicker one
                self._failures.learn(row, failed=True)
            return
        if outcome.kind is OutcomeKind.ANSWERED:
            self._failures.learn(row, failed=False)
            expected = self._cost.learn(seen, row, outcome.usage, outcome.cost_usd)
            usage = outcome.usage
            real = expected if usage is None else Lengths.log(usage.output_tokens)
            self._latency.learn(row, outcome.latency_s, (expected, real))
        if outcome.quality is not None:
            self._quality.learn(seen, row, outcome.quality, min(outcome.weight, 10.0))

    def forget(self, candidate: str, share: float) -> None:
        """Let a share (0…1) of a candidate's grades count no longer; unknown names are ignored."""
        row = self._rows.get(candidate)
        if row is not None:
            self._quality.forget(row, share)

    def set_aside(self, candidate: str) -> None:
        """Keep what is known of a candidate aside: it has changed, and may change back."""
        if candidate in self._rows:
            self._quality.set_aside(self._rows[candidate])

    def put_back(self, candidate: str, *, recall: bool) -> None:
        """Know of it again what was set aside, or let go of that."""
        if candidate in self._rows:
            self._quality.put_back(self._rows[candidate], recall=recall)

    def steady(self, outcome: Outcome) -> float | None:
        """What was to be expected by the long run, whatever happened lately; None if unknown."""
        row = self._rows.get(outcome.candidate)
        if row is None:
            return None
        return self._quality.steady(read(outcome.query, outcome.vector, self.dimension), row)

    def _row_of(self, outcome: Outcome) -> int:
        row = self._rows.get(outcome.candidate)
        if row is None:
            where = f"outcome of decision {outcome.decision_id!r}"
            raise UnknownCandidateError(outcome.candidate, tuple(self._rows), where)
        return row

    def _declare(self, candidates: Sequence[Candidate]) -> None:
        """Take in candidates: new names get a row, known ones their present prices."""
        fresh = [candidate for candidate in candidates if candidate.name not in self._rows]
        levels = self._levels + [price_level(candidate) for candidate in fresh]
        offsets = [guessed_offset(one, levels) for one in fresh]
        for candidate in fresh:
            self._rows[candidate.name] = len(self._rows)
        self._levels = levels
        self._quality.grow(offsets)
        self._cost.grow(len(self._rows))
        self._latency.grow(len(self._rows))
        self._failures.grow(len(self._rows))
        for candidate in candidates:
            self._declared[candidate.name] = candidate
            self._cost.declare(self._rows[candidate.name], candidate)

    def save(self) -> State:
        """All learnt state as arrays; its size does not depend on the number of outcomes."""
        return (
            {
                "names": np.array(list(self._rows), dtype=np.str_),
                "levels": np.array(self._levels),
                "dimension": np.array([self.dimension]),
            }
            | self._quality.save("quality")
            | self._cost.save("cost")
            | self._latency.save("latency")
            | self._failures.save("failures")
        )

    def load(self, state: State) -> None:
        """Restore what `save` gave, bit for bit. Raises SettingsError for another dimension."""
        dimension = int(state["dimension"][0])
        if dimension != self.dimension:
            raise SettingsError(
                "learnt state",
                "dimension",
                f"was learnt from vectors of length {dimension}, not {self.dimension}",
                "Use the encoder it was learnt with, or start anew.",
            )
        declared = tuple(self._declared.values())
        self._rows = {str(name): row for row, name in enumerate(state["names"])}
        self._levels = [float(level) for level in state["levels"]]
        self._quality.load("quality", state)
        self._cost.load("cost", state)
        self._latency.load("latency", state)
        self._failures.load("failures", state)
        self._declared = {}
        self._declare(declared)


def check_grade(outcome: Outcome) -> None:
    """Refuse a quality outside 0…1 (or NaN) and a weight that is not positive."""
    quality, weight = outcome.quality, outcome.weight
    if quality is not None and not 0.0 <= quality <= 1.0:
        raise InvalidFeedbackError(
            f"quality of decision {outcome.decision_id!r} must be within 0…1, not {quality}"
        )
    if not (math.isfinite(weight) and weight > 0):
        raise InvalidFeedbackError(
            f"weight of decision {outcome.decision_id!r} must be more than 0, not {weight}"
        )


def known(values: Floats) -> list[float | None]:
    """Numbers, with None where there is none."""
    return [None if math.isnan(value) else value for value in values.tolist()]


def make(context: Context, options: Mapping[str, object]) -> OnlinePredictor:
    """The factory: options are none. Raises SettingsError for an option."""
    if options:
        raise SettingsError(
            "predictor 'online'", next(iter(options)), "is not an option", "It has none."
        )
    return OnlinePredictor(context.dimension, context.candidates)
