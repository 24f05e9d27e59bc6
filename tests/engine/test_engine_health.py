"""How an engine treats failing providers: again, later, or somebody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sls_plugins import Answer, Candidate, Engine, Query
from sls_plugins.engine.boundary import provider
from sls_plugins.errors import ProviderError
from sls_plugins.settings import HealthSettings

MakeEngine = Callable[..., Engine]


class Response:
    """A provider's answer of HTTP, as clients hang it on their errors."""

    def __init__(self, status: int, retry_after: str | None = None) -> None:
        self.status_code = status
        self.headers = {} if retry_after is None else {"retry-after": retry_after}


class HostError(Exception):
    """An error as the hosts' clients raise it."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"status {response.status_code}")
        self.response = response


@pytest.mark.parametrize(
    ("error", "kind", "retry_after_s"),
    [
        (HostError(Response(429, "7")), "passing", 7.0),
        (HostError(Response(503)), "passing", None),
        (HostError(Response(503, "Wed, 21 Oct 2015 07:28:00 GMT")), "passing", 0.0),
        (HostError(Response(503, "soon")), "passing", None),
        (HostError(Response(400)), "at fault", None),
        (HostError(Response(401)), "", None),
        (TimeoutError("slow"), "passing", None),
        (ConnectionResetError("gone"), "passing", None),
        (ValueError("odd"), "", None),
    ],
)
def test_errors_of_hosts_are_read(error: Exception, kind: str, retry_after_s: float | None) -> None:
    """Status, Retry-After and kind of error tell whether to try again, and whose fault it is."""
    with pytest.raises(ProviderError) as caught, provider("x"):
        raise error
    told = caught.value
    assert (told.passing, told.query_at_fault) == (kind == "passing", kind == "at fault")
    assert told.retry_after_s == retry_after_s


class Flaky:
    """A provider that fails a number of times first."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures = failures
        self.error = error
        self.calls: list[str] = []

    def __call__(self, candidate: Candidate, query: Query) -> Answer:
        self.calls.append(candidate.name)
        if len(self.calls) <= self.failures:
            raise self.error
        return Answer(text="fine")

    async def later(self, candidate: Candidate, query: Query) -> Answer:
        return self(candidate, query)


QUICK = HealthSettings(wait_s=0.0, retries=2)


def test_a_passing_error_is_tried_again(make_engine: MakeEngine) -> None:
    """The same candidate answers in the end; no failure is told."""
    engine = make_engine(health=QUICK)
    flaky = Flaky(2, HostError(Response(503)))
    answer = engine.answer(Query(text="Hello"), flaky)
    assert len(set(flaky.calls)) == 1
    assert len(flaky.calls) == 3
    assert answer.failures == ()


async def test_a_passing_error_is_tried_again_without_blocking(make_engine: MakeEngine) -> None:
    """Async hosts get the same."""
    engine = make_engine(health=QUICK)
    flaky = Flaky(2, HostError(Response(429, "0")))
    answer = await engine.as_async().answer(Query(text="Hello"), flaky.later)
    assert len(flaky.calls) == 3
    assert answer.text == "fine"


def test_others_are_asked_when_waiting_is_no_use(make_engine: MakeEngine) -> None:
    """A wrong key, or a provider that wants minutes, means the next candidate at once."""
    for error in (HostError(Response(401)), HostError(Response(429, "120"))):
        engine = make_engine(health=QUICK)
        flaky = Flaky(1, error)
        answer = engine.answer(Query(text="Hello"), flaky)
        assert len(set(flaky.calls)) == 2
        assert [name for name, _ in answer.failures] == flaky.calls[:1]


def test_retry_after_keeps_a_candidate_out_of_the_next_decisions(make_engine: MakeEngine) -> None:
    """Who said "in two minutes" is not eligible for the next query."""
    engine = make_engine(health=QUICK)
    flaky = Flaky(1, HostError(Response(429, "120")))
    engine.answer(Query(text="Hello"), flaky)
    decision = engine.plan(Query(text="Good evening, something else"))
    assert flaky.calls[0] in dict(decision.ineligible)


def test_a_full_candidate_is_passed_over(make_engine: MakeEngine) -> None:
    """With one call a minute each, the second query goes to another candidate, the last to none."""
    candidates = tuple(
        Candidate(name=name, input_usd_per_mtok=1.0, output_usd_per_mtok=1.0, rpm=1)
        for name in ("a", "b")
    )
    engine = make_engine(candidates=candidates)
    fine = Flaky(0, ValueError())
    for number in range(2):
        engine.answer(Query(text=f"Question number {number}"), fine)
    assert sorted(fine.calls) == ["a", "b"]
    with pytest.raises(Exception, match="last minute"):
        engine.answer(Query(text="Question number 3"), fine)
