"""The cache alone: looking up and keeping what others answered."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from sls_plugins import Answer, Budget, CacheHit, Outcome, Query, Source, Usage, hookimpl
from sls_plugins.protocols import Context, Grade
from sls_plugins.types import CacheMiss

QUESTION = Query(text="What is a heap?", tenant="a", scope="s1")
ANSWER = Answer(text="A tree.", candidate="someone", payload='{"a": 1}', cost_usd=0.5)


def test_what_is_kept_is_found(make_engine):
    """A kept answer is a hit for the same question, with its payload, free, and from the cache."""
    engine = make_engine()
    assert isinstance(engine.cache.look_up(QUESTION), CacheMiss)

    engine.cache.keep(QUESTION, ANSWER)
    found = engine.cache.look_up(QUESTION)

    assert isinstance(found, CacheHit)
    served = found.answer
    assert (served.text, served.payload, served.candidate) == ("A tree.", '{"a": 1}', "someone")
    assert (served.source, served.cost_usd, served.usage) == (Source.CACHE, 0.0, Usage())


async def test_async_hosts_share_what_is_kept(make_engine):
    """Both drivers see one cache, and the async one may be asked from many tasks at once."""
    engine = make_engine()
    await engine.as_async().cache.keep(QUESTION, ANSWER)

    found = await asyncio.gather(*(engine.as_async().cache.look_up(QUESTION) for _ in range(20)))

    assert all(isinstance(one, CacheHit) for one in found)
    assert len({one.id for one in found}) == 20
    assert isinstance(engine.cache.look_up(QUESTION), CacheHit)


def test_nothing_is_decided_or_charged(make_engine):
    """Looking up and keeping make no choice and spend none of the budget, whatever it had cost."""
    engine = make_engine()
    engine.cache.look_up(QUESTION)
    kept = engine.cache.keep(QUESTION, ANSWER)

    assert engine.parts.ledger.purse().spent_usd == 0.0
    [line] = engine.parts.log.after(0, 10)
    assert (line.decision_id, line.cost_usd, line.candidate) == (kept, None, "someone")
    assert engine.parts.log.decision(kept).estimates == ()


@pytest.mark.parametrize("by", ["keeper", "hit"])
def test_feedback_reaches_the_kept_answer(make_engine, by):
    """A thumbs-down takes a kept answer out, by the id of its keeping or of a hit on it."""
    engine = make_engine()
    kept = engine.cache.keep(QUESTION, ANSWER)
    hit = engine.cache.look_up(QUESTION)
    assert isinstance(hit, CacheHit)

    engine.feedback(kept if by == "keeper" else hit.id, 0.0)

    assert isinstance(engine.cache.look_up(QUESTION), CacheMiss)


def test_revoke_takes_a_kept_answer_out(make_engine):
    """A kept answer may be revoked by its decision."""
    engine = make_engine()
    engine.revoke(engine.cache.keep(QUESTION, ANSWER))
    assert isinstance(engine.cache.look_up(QUESTION), CacheMiss)


def test_the_cache_learns_from_what_is_kept(make_engine):
    """Neighbours of kept answers are refused at first; answers that agree open the near tier."""
    engine = make_engine(cache={"max_error": 0.2})

    served = 0
    for n in range(60):
        query = Query(text=f"Please tell me what a binary heap is{'!' * n}")
        if isinstance(engine.cache.look_up(query), CacheHit):
            served += 1
            assert n > 3
        else:
            engine.cache.keep(query, ANSWER)
    assert served > 20


def test_judges_grade_what_is_kept(make_engine):
    """A kept answer is graded like one of the engine's own; a bad one is not served."""

    class Strict:
        name = "strict"

        def grade(self, query: Query, answer: Answer) -> Grade | None:
            return Grade(quality=0.1, source="strict")

    class Plugin:
        def __init__(self) -> None:
            self.lines: list[Outcome] = []

        @hookimpl
        def sls_judges(self):
            def make(context: Context, options: dict[str, object]) -> Strict:
                return Strict()

            return {"strict": make}

        @hookimpl
        def sls_learned(self, outcome: Outcome) -> None:
            self.lines.append(outcome)

    plugin = Plugin()
    engine = make_engine(plugins=(plugin,), judges=["strict"])
    engine.cache.keep(QUESTION, ANSWER)

    assert [(line.quality, line.quality_source) for line in plugin.lines] == [(0.1, "strict")]
    assert isinstance(engine.cache.look_up(QUESTION), CacheMiss)


def test_without_a_cache_all_is_a_miss(make_engine):
    """Where the cache is off, or the query bars it, nothing is found; keeping is still logged."""
    engine = make_engine(cache={"enabled": False})
    engine.feedback(engine.cache.keep(QUESTION, ANSWER), 1.0)
    assert isinstance(engine.cache.look_up(QUESTION), CacheMiss)

    other = make_engine()
    private = Query(text="What is a heap?", cacheable=False)
    other.cache.keep(private, ANSWER)
    assert isinstance(other.cache.look_up(private), CacheMiss)
    assert isinstance(other.cache.look_up(Query(text="What is a heap?")), CacheMiss)


def test_clearing_keeps_to_its_tenant_and_scopes(make_engine, tmp_path):
    """What a tenant kept under a prefix is gone, after a restart too; all else is still served."""
    engine = make_engine(tmp_path)
    queries = {
        f"{tenant} {scope}": Query(text="What is a heap?", tenant=tenant, scope=scope, task="t")
        for tenant in ("a", "b")
        for scope in ("s1", "s2", "x")
    }
    for query in queries.values():
        engine.cache.keep(query, ANSWER)

    assert engine.cache.clear("a", "s") == 2
    for now in (engine, None):
        if now is None:
            engine.close()
        asked = now or make_engine(tmp_path)
        found = {name for name, query in queries.items() if _is_hit(asked.cache.look_up(query))}
        assert found == {"a x", "b s1", "b s2", "b x"}


def _is_hit(found: CacheHit | CacheMiss) -> bool:
    return isinstance(found, CacheHit)


def test_grades_of_kept_answers_do_not_move_the_schedule(make_engine):
    """Who answers elsewhere is not on the account of a target quality."""
    engine = make_engine(budget=Budget(target_quality=0.9))
    before = engine.parts.scheduler.save()
    kept = engine.cache.keep(
        Query(text="What is a heap?"), Answer(text="A tree.", candidate="elsewhere")
    )
    engine.feedback(kept, 0.0)
    after = engine.parts.scheduler.save()
    assert all(np.array_equal(before[key], after[key]) for key in before)
