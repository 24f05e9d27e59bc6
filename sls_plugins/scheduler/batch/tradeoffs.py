"""A set of assignments, none better than another in both quality and cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.scheduler.batch.arrays import Batch, Columns, Floats, worth
from sls_plugins.scheduler.batch.front import Front

__all__ = ["Tradeoffs", "corners_of", "found", "undominated"]


@dataclass(frozen=True, slots=True, eq=False)
class Tradeoffs:
    """k assignments from the cheapest to the dearest; each is made when asked for.

    Attributes:
        quality: sums of quality, shape (k,), rising.
        cost_usd: sums of cost, shape (k,), rising.
        columns: gives the assignment at a place 0 … k - 1.
        price: for the exact front, the lowest λ at which each point is still the best, shape (k,).
        front: for the exact front, what the corners are of.
    """

    quality: Floats
    cost_usd: Floats
    columns: Callable[[int], Columns]
    price: Floats | None = None
    front: Front | None = None

    def __len__(self) -> int:
        """How many there are."""
        return len(self.quality)

    def within(self, budget_usd: float) -> int | None:
        """The place of the best assignment that costs no more; None if all cost more."""
        place = int(np.searchsorted(self.cost_usd, budget_usd, side="right")) - 1
        return place if place >= 0 else None

    def reaching(self, quality: float) -> int | None:
        """The place of the cheapest assignment with this quality; None if none has it."""
        place = int(np.searchsorted(self.quality, quality))
        return place if place < len(self) else None


def corners_of(front: Front) -> Tradeoffs:
    """The exact front's corners: all its supported points but those on a line between two."""
    steps = front.corners()
    price = np.append(front.rate, 0.0)[steps]
    return Tradeoffs(
        quality=front.sums[steps],
        cost_usd=front.sums_usd[steps],
        columns=lambda place: front.columns(int(steps[place])),
        price=price,
        front=front,
    )


def found(batch: Batch, assignments: Sequence[NDArray[np.integer]]) -> Tradeoffs:
    """The undominated ones of what a search has found; at least one must be given."""
    worths = np.array([worth(batch, columns) for columns in assignments])
    kept = undominated(worths[:, 0], worths[:, 1])
    return Tradeoffs(
        quality=worths[kept, 0],
        cost_usd=worths[kept, 1],
        columns=lambda place: assignments[kept[place]].astype(np.intp),
    )


def undominated(quality: Floats, cost_usd: Floats) -> NDArray[np.intp]:
    """Places of points that no other beats, from the cheapest to the dearest; equals once."""
    order = np.lexsort((-quality, cost_usd))
    ranked = quality[order]
    before = np.concatenate(([-np.inf], np.maximum.accumulate(ranked)[:-1]))
    return order[ranked > before]
