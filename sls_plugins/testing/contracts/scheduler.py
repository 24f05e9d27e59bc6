"""What every scheduler must do: inherit the suite and say in a fixture how yours is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sls_plugins.errors import NoCandidateLeft
from sls_plugins.protocols import Scheduler
from sls_plugins.types import Estimate, Outcome, OutcomeKind, Purse, Query, Source

__all__ = ["SchedulerContract", "estimate", "spent"]


def estimate(candidate: str, quality: float, cost_usd: float, sd: float = 0.05) -> Estimate:
    """An estimate whose high quantile is twice the mean."""
    return Estimate(
        candidate=candidate,
        quality=quality,
        quality_sd=sd,
        cost_usd=cost_usd,
        cost_high_usd=2.0 * cost_usd,
    )


ESTIMATES = (
    estimate("small", 0.6, 0.0001),
    estimate("middle", 0.8, 0.001),
    estimate("large", 0.9, 0.01),
)


def spent(query: Query, one: Estimate, usd: float, quality: float | None = None) -> Outcome:
    """What comes of a decision for `one`."""
    return Outcome(
        decision_id=query.id,
        query=query,
        vector=None,
        candidate=one.candidate,
        kind=OutcomeKind.ANSWERED,
        quality=quality,
        cost_usd=usd,
        estimate=one,
    )


class SchedulerContract:
    """For a `Scheduler`: override `make_scheduler`, which returns a new one.

    `purse` is what the ledger would say: override it for a scheduler that paces a window.
    """

    @pytest.fixture
    def purse(self) -> Purse:
        """Without a cap."""
        return Purse()

    @pytest.fixture
    def make_scheduler(self) -> Callable[[], Scheduler]:
        """Makes a scheduler that has seen nothing."""
        raise NotImplementedError

    @pytest.fixture
    def scheduler(self, make_scheduler: Callable[[], Scheduler]) -> Scheduler:
        """A scheduler that has seen nothing."""
        return make_scheduler()

    def test_everybody_is_ranked_once(self, scheduler: Scheduler, purse: Purse) -> None:
        """The ranking holds every candidate; the propensity is a probability that is not 0."""
        choice = scheduler.decide(Query(text="Hello", id="1"), ESTIMATES, purse, 1)
        assert sorted(choice.ranking) == ["large", "middle", "small"]
        assert 0.0 < choice.propensity <= 1.0
        assert np.isfinite(choice.price)
        assert choice.why
        assert all(isinstance(value, int | float) for _, value in choice.terms)
        assert len(dict(choice.terms)) == len(choice.terms)

    def test_same_state_and_seed_give_the_same_choice(
        self, make_scheduler: Callable[[], Scheduler], purse: Purse
    ) -> None:
        """Two schedulers with one history decide alike."""
        one, other = make_scheduler(), make_scheduler()
        for number in range(20):
            query = Query(text="Hello", id=str(number))
            assert one.decide(query, ESTIMATES, purse, number) == other.decide(
                query, ESTIMATES, purse, number
            )

    def test_ceiling_of_the_query_holds(self, scheduler: Scheduler, purse: Purse) -> None:
        """Nobody whose high cost is above the query's ceiling is ranked."""
        query = Query(text="Hello", id="1", max_usd=0.003)
        assert "large" not in scheduler.decide(query, ESTIMATES, purse, 1).ranking

    def test_impossible_ceiling_names_everybody(self, scheduler: Scheduler, purse: Purse) -> None:
        """If the ceiling rules out all, the error tells each one's cost."""
        query = Query(text="Hello", id="1", max_usd=0.00001)
        with pytest.raises(NoCandidateLeft) as caught:
            scheduler.decide(query, ESTIMATES, purse, 1)
        assert set(caught.value.causes) == {"small", "middle", "large"}

    def test_purse_is_not_overdrawn(self, scheduler: Scheduler, purse: Purse) -> None:
        """With little money left, nobody is chosen who may cost more than that."""
        for number in range(20):
            query = Query(text="Hello", id=str(number))
            choice = scheduler.decide(
                query, ESTIMATES, replace(purse, available_usd=0.0005), number
            )
            assert choice.ranking[0] == "small"

    def test_who_is_alone_or_free_and_best_is_chosen(
        self, scheduler: Scheduler, purse: Purse
    ) -> None:
        """One candidate leaves no choice; an answer for nothing, as good as the best, is taken."""
        for number, one in enumerate(ESTIMATES):
            choice = scheduler.decide(Query(text="Hello", id=str(number)), (one,), purse, number)
            assert (choice.ranking, choice.propensity) == ((one.candidate,), 1.0)
        free = replace(ESTIMATES[0], candidate="free", quality=0.95, cost_usd=0, cost_high_usd=0)
        offers, chosen = (*ESTIMATES, free), []
        for number in range(20):
            query = Query(text="Hello", id=f"free {number}")
            chosen.append(scheduler.decide(query, offers, purse, number).ranking[0])
        assert chosen.count("free") >= 12

    def test_lines_that_tell_nothing_are_taken(self, scheduler: Scheduler, purse: Purse) -> None:
        """Cached answers, failures, answers given elsewhere, late grades are no trouble."""
        query = Query(text="Hello", id="1")
        line = spent(query, ESTIMATES[0], 0.1, 0.5)
        scheduler.skip(query)
        scheduler.learn_one(
            replace(line, kind=OutcomeKind.GRADED, source=Source.CACHE, estimate=None, entry_id="e")
        )
        scheduler.learn_one(replace(line, estimate=None))
        scheduler.learn_one(replace(line, kind=OutcomeKind.FAILED, quality=None))
        scheduler.learn_one(replace(line, kind=OutcomeKind.GRADED, cost_usd=None))
        assert scheduler.decide(query, ESTIMATES, purse, 1).ranking

    def test_state_comes_back_bit_for_bit(
        self, scheduler: Scheduler, make_scheduler: Callable[[], Scheduler], purse: Purse
    ) -> None:
        """A restored scheduler goes on as if nothing had happened, decisions in flight included."""
        for number in range(40):
            query = Query(text="Hello", id=str(number))
            name = scheduler.decide(query, ESTIMATES, purse, number).ranking[0]
            chosen = next(one for one in ESTIMATES if one.candidate == name)
            if number < 37:
                scheduler.learn_one(spent(query, chosen, 1.3 * chosen.cost_usd, 0.5))
        other = make_scheduler()
        other.load(scheduler.save())
        for number in range(37, 60):
            query = Query(text="Hello", id=str(number))
            for one in (scheduler, other):
                one.learn_one(spent(query, ESTIMATES[0], 0.0002, 0.7))
            again = Query(text="Hello", id=f"again {number}")
            assert scheduler.decide(again, ESTIMATES, purse, number) == other.decide(
                again, ESTIMATES, purse, number
            )

    def test_state_has_no_objects(self, scheduler: Scheduler, purse: Purse) -> None:
        """State is arrays that can be saved without pickle."""
        scheduler.decide(Query(text="Hello", id="1"), ESTIMATES, purse, 1)
        assert all(not np.asarray(array).dtype.hasobject for array in scheduler.save().values())
