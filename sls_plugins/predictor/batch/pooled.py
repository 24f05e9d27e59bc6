"""Our batch predictor: all tasks pooled, with effects of task, pattern and text.

A Gaussian process over queries whose covariance mixes several ways of being alike; how much each
counts is learnt from the labels. Tasks without any label of their own are predicted with weights
that were learnt by leaving whole tasks out. Size and cost are bounded: the labels are read through
at most `inducing` queries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sls_plugins.predictor.batch.kinship import Kinship, Problem, left_out, surprise, tuned
from sls_plugins.predictor.batch.lending import Lending, lent, newcomers
from sls_plugins.predictor.batch.rows import Expected, Keys, Labels, Rows
from sls_plugins.predictor.batch.store import filled, load_rows, opened, save_rows
from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State

__all__ = ["Pooled", "PooledOptions"]

TUNED_ON = 300
"""Distinct queries on which the weights are learnt."""

BLOCK = 1024
"""Rows that are compared with the inducing queries at once."""

FEW = 5
"""Labelled queries from which on a task can be left out."""

JITTER = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledOptions:
    """`inducing`: queries through which everything is seen; `weigh`: learn the ways' weights."""

    inducing: int = 1024
    weigh: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """One set of ways' weights with what was learnt by it.

    `through` are the k inducing queries. `coefficients` (k, m) give the mean, `doubts`
    (masks, k, k) the variance; `mask` (m,) tells which of the latter is a candidate's.
    """

    through: Rows
    kinship: Kinship
    coefficients: Floats
    doubts: Floats
    mask: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Labelled rows to sum up, with the inverse covariance (k, k) of the inducing queries."""

    through: Rows
    kinship: Kinship
    inverse: Floats
    labels: Labels
    counts: Floats


class Pooled:
    """Expected quality with an honest deviation, from labels of any tasks for any tasks."""

    def __init__(self, options: PooledOptions | None = None, seed: int = 0) -> None:
        """`seed` draws the queries for weights, and inducing ones among equally frequent."""
        self.options = options if options is not None else PooledOptions()
        self.seed = seed
        self._centre: Floats = np.zeros(0)
        self._scale: Floats = np.zeros(0)
        self._tasks: Keys = np.zeros(0, dtype=np.int64)
        self._heads: list[Head] = []
        self._lendings: list[Lending] = []

    def fit(self, labels: Labels) -> None:
        """Learn from labels; a candidate without any stays unknown."""
        rng = np.random.default_rng(self.seed)
        single, counts = merged(labels)
        self._tasks = np.unique(single.rows.task)
        self._centre = centre_of(single, counts)
        drawn = rng.permutation(len(single.rows))
        some = in_turn(single.rows.task, drawn)[:TUNED_ON]
        frequent = drawn[np.argsort(-counts[drawn], kind="stable")]
        orders = (alternating(frequent, drawn), drawn)
        tuning = single.take(some), counts[some]
        self._scale = self._spread(single)
        self._lendings = []
        self._heads = [
            self._learnt(kinship, single, counts, in_turn(single.rows.task, order))
            for kinship, order in zip(self._weighed(*tuning), orders, strict=False)
        ]
        borrowers, lenders = newcomers(single)
        if len(borrowers) and len(lenders):
            expected = self.expect(single.rows).mean
            self._lendings = [lent(single, expected, int(one), lenders) for one in borrowers]

    def _spread(self, labels: Labels) -> Floats:
        """Variance of each candidate's labels, never nothing."""
        apart = np.where(labels.known, labels.quality - self._centre, 0.0)
        seen = np.maximum(labels.known.sum(axis=0), 1)
        return np.asarray(np.maximum((apart**2).sum(axis=0) / seen, 0.01))

    def _weighed(self, labels: Labels, counts: Floats) -> Iterator[Kinship]:
        """The ways' weights for tasks that have labels, then those for tasks that have none."""
        start = Kinship.unlearnt(labels.rows)
        groups = [np.flatnonzero(labels.rows.task == task) for task in self._tasks]
        groups = [group for group in groups if len(group) >= FEW]
        targets = np.where(labels.known, labels.quality - self._centre, 0.0)
        ways = start.ways(labels.rows, labels.rows)
        problem = Problem(ways, targets[:, ~np.isnan(self._centre)], counts, tuple(groups))
        if not self.options.weigh or len(labels.rows) < FEW:
            yield start
            return
        yield tuned(start, problem, surprise)
        if len(groups) > 2:
            yield tuned(start, problem, left_out)

    def _learnt(
        self, kinship: Kinship, labels: Labels, counts: Floats, order: NDArray[np.intp]
    ) -> Head:
        """Solve for each set of candidates that have labels for the same queries.

        The first in `order` are the inducing queries: what comes often has to be among them where
        tasks have labels; for tasks without any, what is rare elsewhere tells as much.
        """
        through = labels.rows.take(order[: self.options.inducing])
        width = len(through)
        own = kinship.between(through, through)
        own.flat[:: width + 1] += JITTER * max(float(own[0, 0]), 1.0)
        inverse: Floats = np.asarray(np.linalg.inv(own), dtype=np.float64)
        coefficients = np.zeros((width, len(labels.candidates)))
        doubts, mask = [], np.zeros(len(labels.candidates), dtype=np.intp)
        for number, (known, columns) in enumerate(alike(labels.known)):
            told = Told(through, kinship, inverse, labels.take(known), counts[known])
            gram, moments = self._sums(told, columns)
            solved = np.linalg.inv(kinship.noise * own + gram)
            coefficients[:, columns] = solved @ moments
            doubts.append(inverse - kinship.noise * solved)
            mask[columns] = number
        return Head(through, kinship, coefficients, np.array(doubts), mask)

    def _sums(self, told: Told, columns: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Weighted products of the labelled rows' covariances with themselves and the labels.

        What the inducing queries cannot tell of a row is noise of that row alone (FITC, Snelson and
        Ghahramani, 2006), so that repeats count as far as they are among them.
        """
        kinship, labels, counts = told.kinship, told.labels, told.counts
        prior = float(kinship.weights.sum())
        width = len(told.through)
        gram, moments = np.zeros((width, width)), np.zeros((width, len(columns)))
        targets = (labels.quality - self._centre)[:, columns]
        for first in range(0, len(labels.rows), BLOCK):
            block = slice(first, first + BLOCK)
            rows = labels.rows.take(np.arange(len(labels.rows))[block])
            covariance = kinship.between(rows, told.through)
            explained = ((covariance @ told.inverse) * covariance).sum(axis=1)
            missed = np.maximum(prior - explained, 0.0)
            weight = kinship.noise / (kinship.noise / counts[block] + missed)
            weighted = covariance * weight[:, None]
            gram += weighted.T @ covariance
            moments += weighted.T @ targets[block]
        return gram, moments

    def expect(self, rows: Rows, cards: Floats | None = None) -> Expected:  # noqa: ARG002
        """Mean and deviation of the expected quality, shape (n, m) each."""
        shape = (len(rows), len(self._centre))
        mean, variance = np.full(shape, np.nan), np.full(shape, np.nan)
        if not self._heads:
            return Expected(mean, variance)
        with_labels = np.isin(rows.task, self._tasks)
        for first in range(0, len(rows), BLOCK):
            block = np.arange(first, min(first + BLOCK, len(rows)))
            for labelled in (True, False):
                places = block[with_labels[block] == labelled]
                if len(places):
                    head = self._heads[0 if labelled else -1]
                    mean[places], variance[places] = self._ask(head, rows.take(places))
        for one in self._lendings:
            mean[:, one.column], variance[:, one.column] = one.apply(mean, rows.vectors)
        return Expected(np.clip(mean, 0.0, 1.0), np.sqrt(np.maximum(variance, 1e-8)))

    def _ask(self, head: Head, rows: Rows) -> tuple[Floats, Floats]:
        covariance = head.kinship.between(rows, head.through)
        said = self._centre + covariance @ head.coefficients
        prior = head.kinship.weights.sum()
        explained = np.stack(
            [((covariance @ each) * covariance).sum(axis=1) for each in head.doubts]
        )
        left = np.clip(prior - explained, 0.0, prior)[head.mask].T
        total = prior + head.kinship.noise
        return said, left * self._scale / total

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        state: dict[str, Arrays] = {
            f"{name}.centre": filled(self._centre),
            f"{name}.scale": self._scale.copy(),
            f"{name}.tasks": self._tasks.copy(),
            f"{name}.heads": np.array([len(self._heads), len(self._lendings)]),
        }
        for number, lending in enumerate(self._lendings):
            state |= lending.save(f"{name}.lending{number}")
        for number, head in enumerate(self._heads):
            here = f"{name}.head{number}"
            state |= head.kinship.save(f"{here}.kinship")
            state |= save_rows(f"{here}.through", head.through)
            state[f"{here}.coefficients"] = head.coefficients.copy()
            state[f"{here}.doubts"] = head.doubts.copy()
            state[f"{here}.mask"] = head.mask.copy()
        return state

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self._centre = opened(state[f"{name}.centre"])
        self._scale = np.array(state[f"{name}.scale"], dtype=np.float64)
        self._tasks = np.array(state[f"{name}.tasks"], dtype=np.int64)
        count, lendings = (int(number) for number in np.array(state[f"{name}.heads"]))
        self._lendings = [
            Lending.load(f"{name}.lending{number}", state) for number in range(lendings)
        ]
        self._heads = [
            Head(
                load_rows(f"{name}.head{number}.through", state),
                Kinship.load(f"{name}.head{number}.kinship", state),
                np.array(state[f"{name}.head{number}.coefficients"], dtype=np.float64),
                np.array(state[f"{name}.head{number}.doubts"], dtype=np.float64),
                np.array(state[f"{name}.head{number}.mask"], dtype=np.intp),
            )
            for number in range(count)
        ]


def merged(labels: Labels) -> tuple[Labels, Floats]:
    """One row for each distinct text with the mean of its labels, and how often each came."""
    single, places = labels.rows.distinct()
    if len(single) == len(labels.rows):
        return labels, np.ones(len(single))
    sums = np.zeros((len(single), len(labels.candidates)))
    seen = np.zeros_like(sums)
    np.add.at(sums, places, np.nan_to_num(labels.quality))
    np.add.at(seen, places, labels.known)
    mean = np.where(seen > 0, sums / np.maximum(seen, 1.0), np.nan)
    counts = np.bincount(places, minlength=len(single)).astype(np.float64)
    return replace(labels, rows=single, quality=mean), counts


def centre_of(labels: Labels, counts: Floats) -> Floats:
    """Mean over tasks of the tasks' mean quality, shape (m,): each task is one of many.

    NaN for a candidate without labels.
    """
    values, known = np.nan_to_num(labels.quality), labels.known
    means = []
    for task in np.unique(labels.rows.task):
        own = np.where((labels.rows.task == task)[:, None], known * counts[:, None], 0.0)
        seen = own.sum(axis=0)
        means.append(np.where(seen > 0, (values * own).sum(axis=0) / np.maximum(seen, 1), np.nan))
    there = ~np.isnan(means)
    total = np.where(there, means, 0.0).sum(axis=0)
    count = there.sum(axis=0)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def in_turn(tasks: Keys, order: NDArray[np.intp]) -> NDArray[np.intp]:
    """All rows so that small tasks come early: one of each task in turn, each in this order."""
    turns = np.zeros(len(tasks), dtype=np.intp)
    for task in np.unique(tasks):
        own = order[tasks[order] == task]
        turns[own] = np.arange(len(own))
    return np.asarray(order[np.argsort(turns[order], kind="stable")], dtype=np.intp)


def alternating(one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.intp]:
    """Both orders of the same rows in one: the next of one, then the next of the other."""
    both = np.column_stack((one, other)).ravel()
    _, first = np.unique(both, return_index=True)
    return np.asarray(both[np.sort(first)], dtype=np.intp)


def alike(known: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
    """Columns that are known for the same rows, with those rows; columns without any are left."""
    kinds, which = np.unique(known, axis=1, return_inverse=True)
    for number in range(kinds.shape[1]):
        if kinds[:, number].any():
            yield kinds[:, number], np.flatnonzero(which.reshape(-1) == number)
