"""Health: failures lead to rest, providers' limits are kept, and nobody ineligible is chosen."""

from __future__ import annotations

import numpy as np
import pytest

from sls_plugins.errors import NoCandidateLeft, ProviderError
from sls_plugins.scheduler import Health, HealthRules, LagrangeScheduler, Sessions, eligible
from sls_plugins.types import Candidate, Estimate, Purse, Query, Session


class Clock:
    """A clock that is moved by hand."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


A, B = Candidate(name="a"), Candidate(name="b")


def fail(
    health: Health, name: str, *, query_at_fault: bool = False, retry_after_s: float | None = None
) -> None:
    error = ProviderError(name, "down", retry_after_s=retry_after_s)
    error.query_at_fault = query_at_fault
    health.end(name, error)


def able(health: Health, *candidates: Candidate, tokens: int = 10) -> list[str]:
    return [one.name for one in eligible(Query(text="x"), candidates, tokens, health)[0]]


def test_who_fails_too_often_is_left_alone_and_longer_each_time(clock: Clock) -> None:
    """After some failures in a row there is a rest; failing right after it doubles it."""
    health = Health(HealthRules(failures=3, cooldown_s=30.0), clock)
    for _ in range(2):
        fail(health, "a")
    assert able(health, A, B) == ["a", "b"]
    fail(health, "a")
    assert able(health, A, B) == ["b"]
    assert "30 s" in dict(eligible(Query(text="x"), (A, B), 1, health)[1])["a"]
    clock.now_s += 31
    assert able(health, A, B) == ["a", "b"]
    fail(health, "a")
    clock.now_s += 31
    assert able(health, A, B) == ["b"]
    clock.now_s += 30
    health.end("a")
    fail(health, "a")
    assert able(health, A, B) == ["a", "b"]


def test_nobody_left_means_that_the_resting_are_asked(clock: Clock) -> None:
    """A rest is no reason to answer nobody."""
    health = Health(HealthRules(failures=1), clock)
    fail(health, "a")
    assert able(health, A) == ["a"]


def test_retry_after_is_a_rest_and_bad_queries_are_none(clock: Clock) -> None:
    """The provider's word counts at once; what the query did wrong does not."""
    health = Health(HealthRules(failures=1), clock)
    fail(health, "a", query_at_fault=True)
    assert able(health, A, B) == ["a", "b"]
    health = Health(HealthRules(failures=9), clock)
    fail(health, "a", retry_after_s=20.0)
    assert able(health, A, B) == ["b"]
    clock.now_s += 21
    assert able(health, A, B) == ["a", "b"]


def test_limits_per_minute_and_at_a_time_are_kept(clock: Clock) -> None:
    """Calls, tokens and calls at a time are counted; a minute later there is room again."""
    health = Health(HealthRules(), clock)
    few = Candidate(name="few", rpm=2)
    small = Candidate(name="small", tpm=100)
    narrow = Candidate(name="narrow", max_concurrency=1)
    assert health.begin(few, 10) == health.begin(few, 10) == ""
    assert "2 calls" in health.begin(few, 10)
    assert health.begin(small, 80) == ""
    assert able(health, few, small, narrow, tokens=30) == ["narrow"]
    assert able(health, few, small, narrow, tokens=20) == ["small", "narrow"]
    assert health.begin(narrow, 1) == ""
    assert able(health, narrow) == []
    health.end("narrow")
    assert able(health, narrow) == ["narrow"]
    clock.now_s += 61
    assert able(health, few, small, narrow, tokens=100) == ["few", "small", "narrow"]


def test_limits_must_be_numbers_above_zero() -> None:
    """A limit of nothing is refused by name."""
    for key in ("rpm", "tpm", "max_concurrency"):
        with pytest.raises(Exception, match=key):
            Candidate(name="x", **{key: 0})


def fuzzed(rng: np.random.Generator) -> tuple[Query, tuple[Candidate, ...], int]:
    """Some query and candidates, with limits of every kind."""
    words = ("tools", "vision", "json")

    def some(share: float, *names: str) -> frozenset[str]:
        return frozenset(name for name in names if rng.random() < share)

    def maybe(value: int) -> int | None:
        return value if rng.random() < 0.4 else None

    candidates = tuple(
        Candidate(
            name=f"m{at}",
            context_window=maybe(int(rng.integers(100, 1000))),
            max_output_tokens=maybe(int(rng.integers(10, 300))),
            capabilities=some(0.7, *words),
            tags=some(0.6, "eu", "local"),
            rpm=maybe(int(rng.integers(1, 4))),
            tpm=maybe(int(rng.integers(100, 900))),
            max_concurrency=maybe(1),
        )
        for at in range(int(rng.integers(1, 6)))
    )
    names = [one.name for one in candidates]
    query = Query(
        text="x",
        id="q",
        needs=some(0.2, *words),
        tags=some(0.2, "eu", "local"),
        max_output_tokens=maybe(int(rng.integers(1, 400))),
        allow=some(0.7, *names) if rng.random() < 0.3 else None,
        deny=some(0.2, *names),
        max_usd=float(rng.random()) + 0.01 if rng.random() < 0.3 else None,
    )
    return query, candidates, int(rng.integers(0, 700))


def wrong(query: Query, one: Candidate, tokens: int) -> bool:
    """Whether a candidate must not be chosen; written down a second time, on purpose."""
    room = query.max_output_tokens or min(one.max_output_tokens or 256, 256)
    return (
        not query.needs <= one.capabilities
        or not query.tags <= one.tags
        or one.name in query.deny
        or (query.allow is not None and one.name not in query.allow)
        or (one.context_window is not None and tokens + room > one.context_window)
        or (
            one.max_output_tokens is not None
            and query.max_output_tokens is not None
            and query.max_output_tokens > one.max_output_tokens
        )
    )


@pytest.mark.slow
def test_ten_thousand_fuzzed_queries_never_get_an_ineligible_candidate(clock: Clock) -> None:
    """Whatever the needs, limits, tags, lists and health, what is ranked may answer."""
    rng, chosen = np.random.default_rng(0), 0
    for number in range(10_000):
        query, candidates, tokens = fuzzed(rng)
        health = Health(HealthRules(failures=1), clock)
        for one in candidates:
            begun = rng.random() < 0.3 and not health.begin(one, int(rng.integers(0, 300)))
            if begun and rng.random() < 0.5:
                fail(health, one.name)
        fit, unable = eligible(query, candidates, tokens, health)
        assert len(fit) + len(unable) == len(candidates)
        estimates = [
            Estimate(
                candidate=one.name,
                quality=float(rng.random()),
                quality_sd=0.1,
                cost_usd=float(rng.random()),
                cost_high_usd=float(1.0 + rng.random()) * 0.6,
            )
            for one in fit
        ]
        if not estimates:
            continue
        try:
            choice = LagrangeScheduler().decide(query, estimates, Purse(), number)
        except NoCandidateLeft:
            assert query.max_usd is not None
            assert all(one.cost_high_usd > query.max_usd for one in estimates)
            continue
        known = {one.candidate: one for one in estimates}
        for name in choice.ranking:
            candidate = next(one for one in candidates if one.name == name)
            assert not wrong(query, candidate, tokens)
            assert health.obstacle(candidate, tokens) == ""
            assert query.max_usd is None or known[name].cost_high_usd <= query.max_usd
        resting = [one.name for one in fit if health.cooling_s(one.name) > 0]
        assert not resting or len(resting) == len(fit)
        chosen += 1
    assert chosen > 4000


def test_staying_in_a_conversation_is_as_cheap_as_it_is(clock: Clock) -> None:
    """Who answered last reads what he knows at the cache's price, for as long as it is kept."""
    dear = Candidate(
        name="dear",
        input_usd_per_mtok=10.0,
        output_usd_per_mtok=10.0,
        cached_input_usd_per_mtok=1.0,
    )
    other = Candidate(name="other", input_usd_per_mtok=9.0, output_usd_per_mtok=9.0)
    known = {"dear": dear, "other": other}
    offers = tuple(
        Estimate(candidate=name, quality=0.5, quality_sd=0.1, cost_usd=usd, cost_high_usd=2 * usd)
        for name, usd in (("dear", 0.010), ("other", 0.009))
    )
    sessions = Sessions(clock)
    first = Query(text="x", id="1", session=Session("s"), input_tokens=500)
    assert sessions.adjust(first, offers, known) == offers
    sessions.note(first, "dear")
    again = sessions.adjust(Query(text="y", session=Session("s"), input_tokens=900), offers, known)
    assert again[0].cost_usd == pytest.approx(0.010 - 500 * 9e-6)
    assert again[1] == offers[1]
    told = Query(text="y", session=Session("s", (("dear", 100),)), input_tokens=900)
    assert sessions.adjust(told, offers, known)[0].cost_usd == pytest.approx(0.010 - 100 * 9e-6)
    assert sessions.adjust(Query(text="y", session=Session("t")), offers, known) == offers
    clock.now_s += 301
    late = Query(text="y", session=Session("s"), input_tokens=900)
    assert sessions.adjust(late, offers, known) == offers
