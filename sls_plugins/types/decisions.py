"""What is expected, chosen and paid for."""

from __future__ import annotations

from dataclasses import dataclass

from sls_plugins.types.explanation import Explanation, offers_of

__all__ = ["CACHE", "Decision", "Estimate", "Purse", "Reservation"]


CACHE = "(cache)"
"""Under this name a stored answer stands among the candidates: it costs nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is expected of one candidate for one query.

    `quality` and `quality_sd` are the mean and standard deviation of the *expected* quality (0…1),
    so the deviation says how little is known, not how much answers vary. `cost_usd` is the mean,
    `cost_high_usd` the 90 % quantile which is reserved. `latency_s` is the median, `latency_high_s`
    the 95 % quantile; None while nothing is known. `news` is what asking is worth besides the
    answer, in quality: it may tell whether a stored answer is right.
    """

    candidate: str
    quality: float
    quality_sd: float
    cost_usd: float
    cost_high_usd: float
    latency_s: float | None = None
    latency_high_s: float | None = None
    output_tokens: float | None = None
    news: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """What may be spent on this query, as the ledger sees it now (USD; None is no limit).

    `now_s` and `renews_s` (seconds since the epoch) tell how long it must last.
    """

    available_usd: float | None = None
    spent_usd: float = 0.0
    reserved_usd: float = 0.0
    renews_s: float | None = None
    now_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The receipt of one choice: what was chosen, from what, how likely, at what price, why.

    `ranking` starts with the chosen candidate and goes on with those to try should it fail.
    `propensity` is the probability with which the first was chosen, given all that was known.
    `price` is the price of money λ in quality per USD, below 0 while money would be left over.
    `seed` drives every draw of this decision. `ineligible` tells, by candidate, why it was out of
    the question. `terms` are the scheduler's numbers from which, with estimates and seed, the
    choice can be made again bit for bit.
    """

    id: str
    query_id: str
    candidate: str
    ranking: tuple[str, ...]
    estimates: tuple[Estimate, ...]
    propensity: float
    price: float
    seed: int
    why: str
    created_s: float
    task: str = ""
    ineligible: tuple[tuple[str, str], ...] = ()
    terms: tuple[tuple[str, float], ...] = ()

    @property
    def estimate(self) -> Estimate:
        """The estimate of the chosen candidate."""
        return self.estimate_of(self.candidate)

    def explain(self) -> Explanation:
        """Who was eligible, what was expected, why this one, what it would have taken otherwise.

        It rests on the receipt alone: `str` of it is a text for people.
        """
        weight = dict(self.terms).get("latency_weight", 0.0)
        rows = [
            (one.candidate, one.quality, one.quality_sd, one.cost_usd, one.latency_s, one.news)
            for one in self.estimates
        ]
        return Explanation(
            decision_id=self.id,
            candidate=self.candidate,
            why=self.why,
            price=self.price,
            propensity=self.propensity,
            offers=offers_of(rows, self.price, weight),
            ineligible=self.ineligible,
        )

    def estimate_of(self, candidate: str) -> Estimate:
        """The estimate of any ranked candidate; KeyError if it was not eligible."""
        for estimate in self.estimates:
            if estimate.candidate == candidate:
                return estimate
        raise KeyError(candidate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Money held for a call until it is settled or `expires_s` has passed."""

    id: str
    usd: float
    expires_s: float
