"""`engine.schedule`: a batch is planned, run within its aim, taken up again after a crash."""

from __future__ import annotations

import asyncio
import io
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import pytest

from sls_plugins import Answer, Candidate, Engine, Query, Usage
from sls_plugins.engine.bar import Bar
from sls_plugins.errors import BudgetExhausted, InputError, NoCandidateLeft

MakeEngine = Callable[..., Engine]

QUALITY = {"small": 0.4, "middle": 0.7, "large": 0.9}


def questions(count: int) -> list[Query]:
    return [Query(text=f"Tell me about subject {number}, please") for number in range(count)]


class Provider:
    """Answers at list price, counts calls, and may fail."""

    def __init__(self, *, broken: tuple[str, ...] = (), dearer: float = 1.0) -> None:
        self.broken = broken
        self.dearer = dearer
        self.calls: Counter[str] = Counter()
        self.texts: list[str] = []
        self.most = 0
        self._running = 0
        self._lock = Lock()

    def __call__(self, candidate: Candidate, query: Query) -> Answer:
        with self._lock:
            self.calls[candidate.name] += 1
            self.texts.append(query.text)
            self._running += 1
            self.most = max(self.most, self._running)
        try:
            if candidate.name in self.broken:
                raise ValueError("broken")
            tokens = int(200 * self.dearer)
            return Answer(
                text=f"{candidate.name}: {query.text}",
                usage=Usage(input_tokens=query.input_tokens or 0, output_tokens=tokens),
            )
        finally:
            with self._lock:
                self._running -= 1

    async def later(self, candidate: Candidate, query: Query) -> Answer:
        await asyncio.sleep(0)
        return self(candidate, query)


def test_a_budget_is_kept_and_used(make_engine: MakeEngine) -> None:
    """Everybody is answered, for no more than the budget, by more than one candidate."""
    engine = make_engine()
    plan = engine.schedule(questions(60), budget_usd=0.1)
    assert plan.cost_usd <= 0.1
    assert 0.0 <= plan.gap < 1.0
    provider, seen = Provider(), []
    result = plan.run(provider, workers=4, progress=lambda done, total: seen.append((done, total)))
    assert all(answer is not None for answer in result.answers)
    assert result.errors == {}
    assert result.cost_usd <= 0.1
    assert result.cost_usd == pytest.approx(sum(a.cost_usd or 0 for a in result.answers if a))
    assert len(provider.calls) > 1
    assert provider.most <= 4
    assert seen[-1] == (60, 60)
    assert [answer.text.split(": ")[1] for answer in result.answers if answer] == [
        query.text for query in questions(60)
    ]


@pytest.mark.parametrize("seed", range(6))
def test_whatever_fails_a_batch_comes_to_its_end(make_engine: MakeEngine, seed: int) -> None:
    """Calls fail at random, money is short, a stored answer is revoked: all is told, none waits."""
    rng, provider = random.Random(seed), Provider()
    engine = make_engine()
    stored = engine.answer(questions(1)[0], provider)

    def flaky(candidate: Candidate, query: Query) -> Answer:
        if rng.random() < 0.3:
            raise ValueError("passing")
        return provider(candidate, query)

    plan = engine.schedule(questions(30), budget_usd=0.004 * (1 + seed))
    engine.revoke(stored.decision_id)
    result = plan.run(flaky, workers=3)
    told = [place in result.errors for place in range(30)]
    assert told == [answer is None for answer in result.answers]
    assert plan.done == 30


def test_a_bar_is_drawn_in_place(make_engine: MakeEngine) -> None:
    """It grows, ends its line when all is done, and says nothing twice."""
    screen = io.StringIO()
    make_engine().schedule(questions(3), budget_usd=1.0).run(
        Provider(), workers=1, progress=Bar(screen)
    )
    drawn = screen.getvalue()
    assert [part.split("] ")[1] for part in drawn.split("\r")[1:]] == ["0/3", "1/3", "2/3", "3/3\n"]
    assert drawn.endswith(f"[{'#' * 30}] 3/3\n")


def test_no_bar_is_drawn_into_a_file(
    make_engine: MakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked for a bar where nobody looks, nothing is written."""
    make_engine().schedule(questions(2), budget_usd=1.0).run(Provider(), progress=True)
    assert capsys.readouterr().err == ""


async def test_async_hosts_get_the_same(make_engine: MakeEngine) -> None:
    """A plan of the async engine is run in the loop."""
    engine = make_engine().as_async()
    plan = await engine.schedule(questions(30), budget_usd=0.1)
    result = await plan.run(Provider().later, workers=5)
    assert all(answer is not None for answer in result.answers)
    assert result.cost_usd <= 0.1


def test_a_mean_quality_is_reached_cheaply(make_engine: MakeEngine) -> None:
    """The target costs less than the best of all, and what cannot be reached is told."""
    engine = make_engine()
    best = engine.schedule(questions(20), budget_usd=100.0)
    plan = engine.schedule(questions(20), min_quality=best.quality - 0.02)
    assert plan.quality >= best.quality - 0.02 - 1e-9
    assert plan.cost_usd < best.cost_usd
    with pytest.raises(InputError, match=r"mean quality of 1.0 .* highest .* is 0\.\d+$"):
        engine.schedule(questions(20), min_quality=1.0)


def test_equal_queries_are_paid_once_and_stored_answers_are_free(make_engine: MakeEngine) -> None:
    """Ten times the same is one call; the next batch with it makes none."""
    engine = make_engine()
    provider = Provider()
    same = [Query(text="What is a heap?") for _ in range(10)]
    result = engine.schedule([*same, Query(text="Who was Ada?")], budget_usd=1.0).run(provider)
    assert len(provider.texts) == 2
    assert len({answer.text for answer in result.answers[:10] if answer}) == 1
    again = engine.schedule(same, budget_usd=1.0)
    assert set(again.candidates) == {"cache"}
    assert again.run(provider).cost_usd == 0.0
    assert len(provider.texts) == 2


def test_failures_are_planned_anew_within_what_is_left(make_engine: MakeEngine) -> None:
    """When a candidate breaks, others take its queries and the budget still holds."""
    engine = make_engine()
    provider = Provider(broken=("large", "middle"))
    result = engine.schedule(questions(40), budget_usd=0.2).run(provider, workers=4)
    assert {answer.candidate for answer in result.answers if answer} == {"small"}
    assert result.replans > 0
    assert result.cost_usd <= 0.2
    broken = engine.schedule(questions(43)[40:], budget_usd=0.2)
    nothing = broken.run(Provider(broken=("large", "middle", "small")))
    assert all(isinstance(error, NoCandidateLeft) for error in nothing.errors.values())
    assert len(nothing.errors) == 3


def test_dearer_calls_than_expected_do_not_break_the_budget(make_engine: MakeEngine) -> None:
    """What is left is planned anew at real costs; in the end some may be left out, and told."""
    engine = make_engine()
    result = engine.schedule(questions(60), budget_usd=0.02).run(Provider(dearer=1.8), workers=2)
    assert result.cost_usd <= 0.02 * 1.1
    assert all(isinstance(error, BudgetExhausted) for error in result.errors.values())
    assert sum(answer is not None for answer in result.answers) > 40


class Crash(BaseException):
    """The process ends."""


def test_a_crashed_batch_goes_on_where_it_stopped(make_engine: MakeEngine, tmp_path: Path) -> None:
    """What was answered before is neither asked nor paid again."""
    engine = make_engine(tmp_path)
    provider = Provider()

    def dying(candidate: Candidate, query: Query) -> Answer:
        if len(provider.texts) == 12:
            raise Crash
        return provider(candidate, query)

    with pytest.raises(Crash):
        engine.schedule(questions(30), budget_usd=0.05, name="nightly").run(dying, workers=1)
    engine.close()
    again = make_engine(tmp_path)
    plan = again.schedule(questions(30), budget_usd=0.05, name="nightly")
    assert plan.done == 12
    result = plan.run(provider, workers=3)
    assert len(provider.texts) == len(set(provider.texts)) == 30
    assert all(answer is not None for answer in result.answers)
    assert result.cost_usd <= 0.05


@pytest.mark.parametrize(
    ("aim", "told"),
    [
        ({}, "either"),
        ({"budget_usd": 1.0, "min_quality": 0.5}, "either"),
        ({"budget_usd": 0.0}, "budget_usd"),
        ({"budget_usd": float("nan")}, "budget_usd"),
        ({"min_quality": 1.5}, "min_quality"),
        ({"budget_usd": 1e-9}, "too low: 0 are spent, and the cheapest way"),
    ],
)
def test_impossible_aims_are_told(make_engine: MakeEngine, aim: dict, told: str) -> None:
    """The error names what is wrong, or what could be had."""
    with pytest.raises(InputError, match=told):
        make_engine().schedule(questions(3), **aim)


def test_no_workers_is_refused(make_engine: MakeEngine) -> None:
    """At least one call must be made at a time."""
    with pytest.raises(InputError, match="workers"):
        make_engine().schedule(questions(1), budget_usd=1.0).run(Provider(), workers=0)
